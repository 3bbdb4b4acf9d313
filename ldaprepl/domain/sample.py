"""An ordinary directory, made up: people, posix accounts, groups and a tree of units, any number of entries.

For demonstrations, tests and benchmarks. The same arguments give the same entries on every machine and every Python:
entry n is a function of the seed and n alone, without `random`. Entries come one by one, parents before children, the
structural object class first. `stamped` adds entryUUID, entryCSN and the other operational attributes that replicate,
so that two servers loaded with the result are equal byte for byte; without it the loading server makes its own.

    for piece in map(ldif.entry_text, stamped(directory(200_000))): ...
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from ldaprepl.domain.entry import Entry

SUFFIX: Final = "dc=example,dc=com"
PASSWORD: Final = "sample password"  # every person's, for a simple bind

_EPOCH: Final = datetime(2024, 1, 1, tzinfo=UTC)
_GROUP_EVERY: Final = 50  # entries
_MEMBERS: Final = 30
_GIVEN: Final = (  # noqa: SIM905
    "Ada Alan Amira Anna Antonio Barbara Bjarne Carla Chen Dana David Elena Emil Fatima Felix Grace Hanna Hiro Ines "
    "Ivan Jan Julia Karl Kofi Lea Linus Maria Mateo Mei Mira Nadia Nils Olga Omar Paul Petra Rosa Samir Sofia Tim Wanda"
).split()
_FAMILY: Final = (  # noqa: SIM905
    "Abe Adams Bauer Becker Brown Costa Diaz Fischer Garcia Haddad Hansen Hopper Huber Ito Jansen Jones Keller Kim "
    "Kovacs Lang Lopez Martin Meyer Moreau Nagy Novak Okafor Olsen Papadakis Petrov Quinn Rossi Santos Sato Schmidt "
    "Silva Smith Svensson Tanaka Turing Vogel Wagner Weber Weiss Yilmaz Zhang Zimmermann"
).split()
_TITLES: Final = ("Engineer", "Accountant", "Buyer", "Team lead", "Librarian", "Driver", "Nurse", "Clerk", "Architect")
_UNITS: Final = ("Engineering", "Finance", "Purchasing", "Human Resources", "Sales", "Support", "Research", "Logistics")
_CITIES: Final = ("Berlin", "Lisbon", "Nairobi", "Osaka", "Oslo", "Porto", "Quito", "Vienna")
_SALT: Final = b"ldaprepl"
_HASH: Final = b"{SSHA}" + base64.b64encode(hashlib.sha1(PASSWORD.encode() + _SALT).digest() + _SALT)


@dataclass(frozen=True, slots=True)
class Stamps:
    """Who wrote the entries and when: the first at 2024-01-01 00:00 UTC, each `step` later than the one before it.

    `sid` is the server ID in every entryCSN, `author` the DN of creator and modifier; `seed` decides the UUIDs.
    """

    seed: int = 1
    sid: int = 0
    author: str = f"cn=admin,{SUFFIX}"
    step: timedelta = timedelta(milliseconds=250)

    def of(self, number: int, structural: bytes) -> dict[str, tuple[bytes, ...]]:
        """The operational attributes of entry `number` with this structural object class, in slapd's own order."""
        moment = _EPOCH + number * self.step
        second = f"{moment.year:04}{moment.month:02}{moment.day:02}{moment.hour:02}{moment.minute:02}{moment.second:02}"
        author, time = (self.author.encode(),), (f"{second}Z".encode(),)
        return {
            "structuralObjectClass": (structural,),
            "entryUUID": (uuid(self.seed, number).encode(),),
            "creatorsName": author,
            "createTimestamp": time,
            "entryCSN": (f"{second}.{moment.microsecond:06}Z#000000#{self.sid:03x}#000000".encode(),),
            "modifiersName": author,
            "modifyTimestamp": time,
        }


def uuid(seed: int, number: int) -> str:
    """The entryUUID of entry `number`: looks random, is not."""
    digits = hashlib.md5(b"%d/%d" % (seed, number), usedforsecurity=False).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def stamped(entries: Iterable[Entry], stamps: Stamps | None = None) -> Iterator[Entry]:
    """The entries with operational attributes; each one's first objectClass value must be its structural class."""
    stamps = stamps or Stamps()
    for number, entry in enumerate(entries):
        yield Entry(entry.dn, {**entry.attributes, **stamps.of(number, entry.values("objectClass")[0])})


def directory(count: int, *, seed: int = 1, suffix: str = SUFFIX) -> Iterator[Entry]:
    """Exactly `count` entries, from `suffix` (a DN beginning with dc=, o= or ou=) down, parents first.

    People are inetOrgPerson and posixAccount; one entry in fifty is a group, of names or of posix accounts in turn.
    Needs the schema core, cosine, inetorgperson, nis.
    """
    return islice(_endless(count, seed, suffix), count)


def suffix_entry(suffix: str) -> Entry:
    """The entry at the top of a tree. Raises ValueError when the DN does not begin with dc=, o= or ou=."""
    kind, _, name = suffix.partition(",")[0].partition("=")
    classes = {"dc": b"domain", "o": b"organization", "ou": b"organizationalUnit"}
    if kind.strip().lower() not in classes:
        raise ValueError(f"a sample directory cannot begin at {suffix}: only dc=, o= and ou= are known")
    kind = kind.strip().lower()
    return Entry(suffix, {"objectClass": (classes[kind], b"top"), kind: (name.strip().encode(),)})


def unit(name: str, parent: str) -> Entry:
    """An organizational unit; `name` must not need escaping in a DN."""
    return Entry(f"ou={name},{parent}", {"objectClass": (b"organizationalUnit", b"top"), "ou": (name.encode(),)})


def _endless(count: int, seed: int, suffix: str) -> Iterator[Entry]:
    people_base, groups_base = f"ou=people,{suffix}", f"ou=groups,{suffix}"
    head = [suffix_entry(suffix), unit("people", suffix), unit("groups", suffix)]
    head += [unit(name, people_base) for name in _UNITS]
    yield from head
    rest = max(count - len(head), 0)
    groups = rest // _GROUP_EVERY
    people = rest - groups
    for number in range(people):
        yield _person(number, seed, people_base)
    for number in range(groups):
        yield _group(number, seed, people, (people_base, groups_base))


def _mix(seed: int, number: int) -> int:
    """A well spread number below 2**32 (multiplicative hashing)."""
    mixed = ((number + 1) * 2654435761 + seed * 40503) & 0xFFFFFFFF
    return ((mixed ^ (mixed >> 15)) * 2246822519) & 0xFFFFFFFF


def _name(number: int, seed: int) -> tuple[str, str, str, str]:
    """Given name, family name, uid and unit of person `number`."""
    mixed = _mix(seed, number)
    given = _GIVEN[mixed % len(_GIVEN)]
    family = _FAMILY[(mixed >> 8) % len(_FAMILY)]
    return given, family, f"{given[0]}{family}{number}".lower(), _UNITS[(mixed >> 16) % len(_UNITS)]


def _person_dn(number: int, seed: int, base: str) -> str:
    _, _, uid, team = _name(number, seed)
    return f"uid={uid},ou={team},{base}"


def _person(number: int, seed: int, base: str) -> Entry:
    given, family, uid, team = _name(number, seed)
    mixed = _mix(seed + 1, number)
    attributes = {
        "objectClass": (b"inetOrgPerson", b"organizationalPerson", b"person", b"top", b"posixAccount"),
        "uid": (uid.encode(),),
        "cn": (f"{given} {family}".encode(),),
        "sn": (family.encode(),),
        "givenName": (given.encode(),),
        "mail": (f"{uid}@example.com".encode(), f"{given}.{family}.{number}@mail.example.com".lower().encode()),
        "title": (_TITLES[mixed % len(_TITLES)].encode(),),
        "l": (_CITIES[(mixed >> 8) % len(_CITIES)].encode(),),
        "departmentNumber": (str(100 + (mixed >> 16) % 900).encode(),),
        "employeeNumber": (str(number + 1).encode(),),
        "telephoneNumber": (f"+49 30 {1000000 + mixed % 9000000}".encode(),),
        "uidNumber": (str(10000 + number).encode(),),
        "gidNumber": (b"10000",),
        "homeDirectory": (f"/home/{uid}".encode(),),
        "loginShell": (b"/bin/bash",),
        "userPassword": (_HASH,),
    }
    if number:
        attributes["manager"] = (_person_dn(number // 10, seed, base).encode(),)
    return Entry(f"uid={uid},ou={team},{base}", attributes)


def _group(number: int, seed: int, people: int, bases: tuple[str, str]) -> Entry:
    """Group `number`: a stretch of people; even numbers hold DNs, odd ones uids."""
    members = [(number * _GROUP_EVERY + place) % people for place in range(min(_MEMBERS, people))]
    name = f"group {number}".encode()
    people_base, groups_base = bases
    if number % 2:
        attributes = {
            "objectClass": (b"posixGroup", b"top"),
            "cn": (name,),
            "gidNumber": (str(20000 + number).encode(),),
            "memberUid": tuple(_name(member, seed)[2].encode() for member in members),
        }
    else:
        attributes = {
            "objectClass": (b"groupOfNames", b"top"),
            "cn": (name,),
            "member": tuple(_person_dn(member, seed, people_base).encode() for member in members),
        }
    return Entry(f"cn=group {number},{groups_base}", attributes)
