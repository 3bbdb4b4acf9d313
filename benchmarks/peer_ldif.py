"""What one would write in an afternoon: read two dumps with python-ldap's ldif module into dicts and compare them.

python peer_ldif.py PROVIDER.ldif CONSUMER.ldif
"""

from __future__ import annotations

import sys
from pathlib import Path

import ldif


def read(file: str) -> dict[str, dict[str, list[bytes]]]:
    """All entries by DN."""
    with Path(file).open("rb") as source:
        records = ldif.LDIFRecordList(source)
        records.parse()
    return {dn: {name: sorted(values) for name, values in entry.items()} for dn, entry in records.all_records}


provider, consumer = read(sys.argv[1]), read(sys.argv[2])
different = [name for name in provider.keys() | consumer.keys() if provider.get(name) != consumer.get(name)]
print(len(provider), len(consumer), len(different))
sys.exit(1 if different else 0)
