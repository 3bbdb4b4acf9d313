"""A master of 2003 in miniature: it holds entries in memory, changes them at random and logs that as slapd 2.2 did.

It writes the old format by itself, so that reader and test cannot be wrong together.
"""

from __future__ import annotations

import base64
import random
from pathlib import Path

BASE = "dc=example,dc=com"
UNITS = ("People", "Students", "Äther")
REPLICA = "replica.example.com:389"
_WORDS = ("plain", " leading", "trailing ", "two\nlines", "Grüße", "long " * 40 + "end", ": colon", "")
Attributes = dict[str, list[bytes]]


class OldMaster:
    """`entries` is what it holds: DN to attributes. `log` is its replog."""

    def __init__(self, log: Path, seed: int) -> None:
        self.log = log
        self.random = random.Random(seed)
        self.entries: dict[str, Attributes] = {}
        self.clock = 1_069_495_200
        self.changes = self.number = 0
        self.spared: set[str] = set()  # DNs that `churn` leaves alone
        self._put(BASE, {"objectClass": [b"domain"], "dc": [b"example"]}, "domain")
        for unit in UNITS:
            self._put(f"ou={unit},{BASE}", {"objectClass": [b"organizationalUnit"], "ou": [unit.encode()]},
                      "organizationalUnit")  # fmt: skip

    def populate(self, count: int) -> None:
        """Entries from before the log."""
        for _ in range(count):
            dn, attributes = self._person()
            self._put(dn, attributes, "inetOrgPerson")

    def ldif(self, without: tuple[str, ...] = ()) -> list[str]:
        """Everything for slapadd, parents first."""
        lines: list[str] = []
        for dn in sorted(self.entries, key=lambda name: name.count(",")):
            if dn in without:
                continue
            lines.append(f"dn:: {base64.b64encode(dn.encode()).decode()}\n")
            for name, values in self.entries[dn].items():
                lines += [f"{name}:: {base64.b64encode(value).decode()}\n" for value in values]
            lines.append("\n")
        return lines

    def people(self) -> list[str]:
        """The DNs of all leaves but the spared ones."""
        return [dn for dn in self.entries if dn.startswith("uid=") and dn not in self.spared]

    def churn(self, count: int) -> None:
        """So many random changes."""
        for _ in range(count):
            people = self.people()
            kind = self.random.random()
            if kind < 0.15 or len(people) < 5:
                self.add()
            elif kind < 0.25:
                self.delete(self.random.choice(people))
            elif kind < 0.40:
                self.rename(self.random.choice(people))
            elif kind < 0.55:
                self.increment(self.random.choice(people))
            else:
                self.modify(self.random.choice(people))

    # -- the changes

    def add(self) -> str:
        dn, attributes = self._person()
        self._put(dn, attributes, "inetOrgPerson")
        body = b"".join(_line(name, value) for name, values in self.entries[dn].items() for value in values)
        self._record(dn, b"changetype: add\n" + body)
        return dn

    def delete(self, dn: str) -> None:
        del self.entries[dn]
        self._record(dn, b"changetype: delete\n")

    def modify(self, dn: str) -> None:
        entry = self.entries[dn]
        mail = [f"m{self._next()}@example.com".encode() for _ in range(2)]
        mods: list[tuple[str, str, list[bytes]]] = [("add", "mail", mail)]
        if len(entry["mail"]) > 2:
            mods.append(("delete", "mail", [self.random.choice(entry["mail"])]))
        if self.random.random() < 0.5:
            mods.append(("replace", "description", [word.encode() for word in self._texts()]))
        if self.random.random() < 0.2:
            mods.append(("delete", "jpegPhoto", []) if "jpegPhoto" in entry else
                        ("add", "jpegPhoto", [self.random.randbytes(300)]))  # fmt: skip
        if self.random.random() < 0.2:
            mods.append(("replace", "userPassword", [b"secret%d" % self._next()]))
        self._modify(dn, mods, stamped=True)

    def increment(self, dn: str) -> None:
        """As 2.0 and 2.1 logged some changes: without stamps, so that nothing else tells whether it was done."""
        value = str(int(self.entries[dn]["uidNumber"][0]) + 7).encode()
        self._modify(dn, [("increment", "uidNumber", [b"7"])], stamped=False)
        self.entries[dn]["uidNumber"] = [value]

    def rename(self, dn: str) -> str:
        rdn, _, above = dn.partition(",")
        new = f"uid=u{self._next()}"
        superior = f"ou={self.random.choice(UNITS)},{BASE}"
        keep = self.random.random() < 0.3
        body = f"changetype: modrdn\nnewrdn: {new}\ndeleteoldrdn: {int(not keep)}\n"
        if superior != above:
            body += f"newsuperior: {superior}\n"
        entry = self.entries.pop(dn)
        entry["uid"] = [*(value for value in entry["uid"] if keep or value != rdn[4:].encode()), new[4:].encode()]
        self.entries[f"{new},{superior}"] = entry
        self._record(dn, body.encode())
        return f"{new},{superior}"

    # -- inner workings

    def _modify(self, dn: str, mods: list[tuple[str, str, list[bytes]]], stamped: bool) -> None:
        entry = self.entries[dn]
        for how, name, values in mods:
            held = entry.setdefault(name, [])
            if how == "add":
                held += values
            elif how == "replace":
                entry[name] = list(values)
            elif how == "delete":
                entry[name] = [value for value in held if values and value not in values]
            if not entry[name]:
                del entry[name]
        if stamped:
            mods = mods + [("replace", name, values) for name, values in self._stamps().items()]
            entry.update(self._stamps())
        body = b"changetype: modify\n"
        for how, name, values in mods:
            body += f"{how}: {name}\n".encode() + b"".join(_line(name, value) for value in values) + b"-\n"
        self._record(dn, body)

    def _record(self, dn: str, body: bytes) -> None:
        self.changes += 1
        with self.log.open("ab") as file:
            file.write(f"replica: {REPLICA}\ntime: {self.clock}\ndn: {dn}\n".encode() + body + b"\n")

    def _put(self, dn: str, attributes: Attributes, structural: str) -> None:
        self.clock += self.random.random() < 0.3
        stamps = self._stamps()
        self.entries[dn] = attributes | {
            "structuralObjectClass": [structural.encode()],
            "entryUUID": [b"b27a1c24-7aa9-1041-887c-%012x" % self._next()],
            "creatorsName": stamps["modifiersName"],
            "createTimestamp": stamps["modifyTimestamp"],
            **stamps,
        }

    def _stamps(self) -> Attributes:
        day = f"2003112210{self.clock // 60 % 60:02d}{self.clock % 60:02d}"
        return {
            "entryCSN": [f"{day}Z#{self.changes % 0xFFFFFF:06x}#00#000000".encode()],
            "modifiersName": [f"cn=Manager,{BASE}".encode()],
            "modifyTimestamp": [f"{day}Z".encode()],
        }

    def _person(self) -> tuple[str, Attributes]:
        uid = f"u{self._next()}"
        return f"uid={uid},ou={self.random.choice(UNITS)},{BASE}", {
            "objectClass": [b"inetOrgPerson", b"posixAccount"],
            "uid": [uid.encode()],
            "cn": ["Ünï Cöde".encode(), uid.encode()],
            "sn": [b"Smith"],
            "uidNumber": [str(self.number).encode()],
            "gidNumber": [b"100"],
            "homeDirectory": [f"/home/{uid}".encode()],
            "mail": [f"{uid}@example.com".encode()],
            "userPassword": [b"{SSHA}" + base64.b64encode(uid.encode())],
            "description": [word.encode() for word in self._texts()],
        }

    def _texts(self) -> list[str]:
        return self.random.sample([word for word in _WORDS if word.strip()], self.random.randint(1, 3))

    def _next(self) -> int:
        self.number += 1
        return self.number


def _line(name: str, value: bytes) -> bytes:
    text = value.decode("latin-1")
    plain = value.isascii() and text.isprintable() and text.strip() == text and not text.startswith((":", "<"))
    if plain and name != "userPassword":
        line = f"{name}: {text}"
    else:
        line = f"{name}:: {base64.b64encode(value).decode()}"
    return "\n ".join([line[:78], *(line[at : at + 77] for at in range(78, len(line), 77))]).encode() + b"\n"
