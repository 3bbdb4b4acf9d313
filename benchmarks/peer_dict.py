"""What one would write in an afternoon: read both servers with python-ldap into dicts and compare them.

python peer_dict.py BASE BINDDN PROVIDER PASSWORDFILE CONSUMER PASSWORDFILE
"""

from __future__ import annotations

import sys
from pathlib import Path

import ldap

LOCAL = {"contextCSN", "entryDN", "subschemaSubentry", "hasSubordinates"}


def read(uri: str, base: str, dn: str, file: str) -> dict[str, dict[str, list[bytes]]]:
    """All entries by DN."""
    connection = ldap.initialize(uri)
    connection.simple_bind_s(dn, Path(file).read_text())
    number = connection.search_ext(base, ldap.SCOPE_SUBTREE, attrlist=["*", "+"])
    held = {}
    while True:
        kind, data, _, _ = connection.result3(number, all=0)
        for name, attributes in data:
            held[name] = {key: sorted(values) for key, values in attributes.items() if key not in LOCAL}
        if kind == ldap.RES_SEARCH_RESULT:
            return held


base, dn, *servers = sys.argv[1:]
provider = read(servers[0], base, dn, servers[1])
consumer = read(servers[2], base, dn, servers[3])
different = [name for name in provider.keys() | consumer.keys() if provider.get(name) != consumer.get(name)]
print(len(provider), len(consumer), len(different))
sys.exit(1 if different else 0)
