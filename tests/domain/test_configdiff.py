"""What of a part is missing: nothing twice, nothing that somebody has chosen is touched."""

from __future__ import annotations

from ldaprepl.domain import ldif
from ldaprepl.domain.configdiff import ConfigChange, Modification, directories, indexed, missing, same_name
from ldaprepl.domain.entry import Entry

DATABASE = "olcDatabase={1}mdb,cn=config"


def entry(dn: str, **values: list[str]) -> Entry:
    return Entry(dn, {name: tuple(value.encode() for value in held) for name, held in values.items()})


def live(**values: list[str]) -> list[Entry]:
    database = entry(DATABASE, objectClass=["olcMdbConfig"], olcSuffix=["dc=example, dc=com"], **values)
    return [entry("cn=config"), entry("olcDatabase={0}config,cn=config"), database]


def left(text: str, held: list[Entry]) -> list[ConfigChange]:
    return list(missing(ldif.records(text.strip().splitlines()), held))


def modify(*lines: str) -> str:
    return "\n".join((f"dn: {DATABASE}", "changetype: modify", *lines, "-"))


ACCESS = 'olcAccess: {0}to * by dn.exact="cn=r,dc=x" read by * break'
OVERLAY = f"""
dn: olcOverlay=syncprov,{DATABASE}
changetype: add
objectClass: olcOverlayConfig
objectClass: olcSyncProvConfig
olcOverlay: syncprov
olcSpCheckpoint: 100 10
"""
MODULES = """
dn: cn=module,cn=config
changetype: add
objectClass: olcModuleList
cn: module
olcModulePath: /usr/lib/ldap
olcModuleLoad: syncprov
olcModuleLoad: accesslog
"""
LOG = """
dn: olcDatabase={2}mdb,cn=config
changetype: add
objectClass: olcDatabaseConfig
olcDatabase: {2}mdb
olcSuffix: cn=accesslog

dn: olcOverlay={0}syncprov,olcDatabase={2}mdb,cn=config
changetype: add
objectClass: olcOverlayConfig
olcOverlay: {0}syncprov
"""


def test_values_that_are_there_in_another_spelling() -> None:
    wanted = modify("add: olcAccess", ACCESS)
    assert left(wanted, live(olcAccess=['{3}to *  by dn.base="cn=r,dc=x" read  by * break'])) == []
    assert left(wanted.removesuffix("\n-"), []) == left(wanted, live()) != [], "the last dash may be left out"
    (change,) = left(wanted, live(olcAccess=["{0}to * by * read"]))
    assert change == ConfigChange(DATABASE, (Modification("add", "olcAccess", (ACCESS.partition(": ")[2],)),))


def test_indexes_are_there_when_any_line_covers_them() -> None:
    wanted = modify("add: olcDbIndex", "olcDbIndex: entryCSN eq")
    for held in ("entryCSN,entryUUID eq", "entryCSN pres,eq", "entryCSN", '"entryCSN" eq', "entrycsn EQ"):
        assert left(wanted, live(olcDbIndex=[held])) == []
    assert left(wanted, live(olcDbIndex=["entryCSN pres"]))
    assert left(wanted, []) == left(wanted, live()) != [], "an entry that is not there has none"
    assert indexed(live(olcDbIndex=["a,B eq", "c sub"])[2]) == {"a", "b"}


def test_an_overlay_gets_only_what_it_lacks() -> None:
    there = f"olcOverlay={{0}}syncprov,{DATABASE}"
    assert left(OVERLAY, [*live(), entry(there, olcSpCheckpoint=["5 5"])]) == []
    lacking = ConfigChange(there, (Modification("add", "olcSpCheckpoint", ("100 10",)),))
    assert left(OVERLAY, [*live(), entry(there)]) == [lacking]
    assert left(OVERLAY, live())[0].new


def test_modules_join_the_list_that_is_there() -> None:
    parts = {"objectClass": ("olcModuleList",), "cn": ("module",), "olcModulePath": ("/usr/lib/ldap",)}
    adds = tuple(Modification("add", *each) for each in {**parts, "olcModuleLoad": ("syncprov", "accesslog")}.items())
    assert left(MODULES, live()) == [ConfigChange("cn=module,cn=config", adds, new=True)]
    held = entry("cn=module{0},cn=config", olcModuleLoad=["{0}/usr/lib/ldap/syncprov.la"])
    assert left(MODULES, [*live(), held]) == [
        ConfigChange("cn=module{0},cn=config", (Modification("add", "olcModuleLoad", ("accesslog",)),))
    ]
    at_work = entry(f"olcOverlay={{0}}accesslog,{DATABASE}", objectClass=["olcAccessLogConfig"])
    assert left(MODULES, [*live(), held, at_work]) == []


def test_a_database_gets_the_next_number_and_takes_its_overlays_along() -> None:
    third = entry("olcDatabase={2}mdb,cn=config", olcSuffix=["dc=other"])
    new, overlay = left(LOG, [*live(), third])
    values = {"objectClass": ("olcDatabaseConfig",), "olcDatabase": ("{3}mdb",), "olcSuffix": ("cn=accesslog",)}
    adds = tuple(Modification("add", *each) for each in values.items())
    assert new == ConfigChange("olcDatabase={3}mdb,cn=config", adds, new=True)
    assert overlay.dn == "olcOverlay={0}syncprov,olcDatabase={3}mdb,cn=config"
    assert left(LOG, [entry("cn=config")])[0].dn == "olcDatabase={1}mdb,cn=config"


def test_a_number_in_braces_is_the_order_only_in_front() -> None:
    access = 'to dn.regex="^uid=.{%d},dc=x$" by * read'
    for wanted, held in (("{0}" + access % 3, "{0}" + access % 4), (access % 3, access % 4)):
        assert left(modify("add: olcAccess", f"olcAccess: {wanted}"), live(olcAccess=[held]))
    assert not left(modify("add: olcAccess", f"olcAccess: {access % 3}"), live(olcAccess=["{7}" + access % 3]))


def test_a_database_of_that_suffix_is_not_made_twice() -> None:
    fifth = "olcDatabase={5}mdb,cn=config"
    held = [*live(), entry(fifth, olcSuffix=["cn=AccessLog"])]
    (overlay,) = left(LOG, held)
    assert overlay.dn == f"olcOverlay={{0}}syncprov,{fifth}"
    assert left(LOG, [*held, entry(overlay.dn)]) == []


def test_folders_and_names() -> None:
    assert directories(live(olcDbDirectory=["/var/lib/ldap/"])) == {"/var/lib/ldap": "dc=example, dc=com"}
    assert same_name("DC=Example, dc=com", "dc=example,dc=com") and not same_name("dc=a", "dc=b")
