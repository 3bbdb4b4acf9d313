"""LDIF of the sample directory with the identity that replicates, for slapadd."""

import os
import sys

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.sample import SUFFIX, directory

REPLICA = {
    "objectClass": (b"organizationalRole", b"simpleSecurityObject"),
    "cn": (b"replica",),
    "userPassword": (os.environ["REPLICA_PASSWORD"].encode(),),
}
first, *rest = directory(int(os.environ["ENTRIES"]))
for entry in (first, Entry(f"cn=replica,{SUFFIX}", REPLICA), *rest):
    sys.stdout.write(entry_text(entry))
