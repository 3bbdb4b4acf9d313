"""To be imported before python-ldap: libldap reads its defaults when it is loaded, `./ldaprc` of a foreign folder too.

Where `ldapconf` leaves a file out because of its owner, libldap is told to read none: what counts is in the endpoints.
"""

from __future__ import annotations

import os

from ldaprepl.wire import ldapconf

if ldapconf.ours().foreign:
    os.environ["LDAPNOINIT"] = "1"
