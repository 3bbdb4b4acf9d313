"""What lint says that slapd refuses, slaptest refuses; and what slaptest lets pass in silence, lint sees."""

from __future__ import annotations

from pathlib import Path

import pytest
from lintlab import SUFFIX, judged, stanza

from ldaprepl.wire.slapdinstall import Installation
from ldaprepl.wire.slaptool import slaptest

SAMPLE = Path(__file__).parents[2] / "slapd-conf" / "2006-consumer.conf"


def whole(text: str, installation: Installation, head: str = "") -> str:
    """A slapd.conf with one database that holds this text."""
    schema = "".join(f'include "{installation.schema(name)}"\n' for name in ("core", "cosine"))
    loads = [installation.module(name) for name in ("back_mdb", "syncprov", "accesslog")]
    modules = "".join(f"moduleload {name}\n" for name in loads if name)
    return (
        f'{schema}modulepath "{installation.module_dir}"\n{modules}{head}database mdb\nsuffix "{SUFFIX}"\n'
        f'rootdn "cn=admin,{SUFFIX}"\ndirectory /tmp\nmaxsize 1048576\nindex entryUUID,entryCSN eq\n{text}\n'
    )


GOOD = stanza()
REFUSED: list[tuple[str, str]] = [
    ("LR101", GOOD.replace("\n  ", "\n")),
    ("LR102", GOOD.replace("\n  ", "\n# why\n  ", 1)),
    ("LR103", GOOD + " # why"),
    ("LR104", GOOD.replace("\n  ", "\n\n  ", 1)),
    ("LR106", GOOD.replace("\n  ", "\\\n", 1)),
    ("LR107", GOOD.replace("rid=001", "rid=001,")),
    ("LR108", GOOD.replace("rid=", "rid =")),
    ("LR109", GOOD.replace("retry", "retyr")),
    ("LR111", stanza(changes={"updatedn": "cn=x"})),
    ("LR112", stanza(changes={"retry": "60 +"})),
    ("LR113", stanza(changes={"sizelimit": "none"})),
    ("LR113", stanza(changes={"manageDSAit": "on"})),
    ("LR113", stanza(changes={"filter": '"(cn=a"'})),
    ("LR114", stanza(changes={"searchbase": "dc=example, dc=com"})),
    ("LR115", GOOD.replace('"', "\u201d")),
    ("LR120", stanza(changes={"searchbase": None})),
    ("LR121", stanza(changes={"rid": "1000"})),
    ("LR123", stanza("127.0.0.1")),
    ("LR124", stanza(changes={"searchbase": "dc=org"})),
    ("LR129", stanza(changes={"starttls": "on"})),
    ("LR150", stanza(changes={"credentials": '"secret'})),
    ("LR153", stanza(changes={"bindmethod": "gssapi"})),
    ("LR204", stanza(changes={"type": "refreshOnly", "interval": "00:10:00"})),
    ("LR403", f"updateref ldap://p\n{GOOD}"),
    ("LR405", f"{GOOD}\nupdateref ldap://p/dc=x"),
    ("LR406", f"{GOOD}\nupdatedn cn=x"),
    ("LR410", f"multiprovider on\n{GOOD}"),
    ("LR421", f"{GOOD}\nindex entryUUID sub"),
    ("LR519", stanza(changes={"bindmethod": "sasl", "saslmech": "EXTERNAL", "authzid": "me"})),
    ("LR609", "overlay syncprov\noverlay syncprov"),
    ("LR613", "overlay syncprov\nsessionlog 1 100"),
    ("LR650", "overlay syncprov\nsyncprov-checkpoint 100"),
    ("LR802", "updateref ldap://p"),
]
ACCEPTED: list[tuple[str, str]] = [
    ("LR102", GOOD.replace("  keepalive", "# why\n  keepalive")),
    ("LR105", "#" + GOOD),
    ("LR122", f"{GOOD}\n{GOOD}"),
    ("LR127", stanza(changes={"attrsonly": ""})),
    ("LR128", stanza(changes={"schemachecking": "no"})),
    ("LR130", stanza(changes={"syncdata": "acceslog"})),
    ("LR131", stanza(changes={"type": "refreshOnlyXX"})),
    ("LR201", stanza(changes={"retry": None})),
    ("LR203", stanza(changes={"retry": '""'})),
    ("LR206", stanza(changes={"type": "refreshOnly", "interval": "0"})),
    ("LR207", stanza(changes={"interval": "junk"})),
    ("LR407", "replica uri=ldap://p"),
    ("LR411", f"{GOOD}\nmultiprovider on"),
    ("LR504", stanza(changes={"tls_reqcert": "bogus"})),
    ("LR505", stanza(changes={"tls_protocol_min": "1.2"})),
    ("LR513", stanza(changes={"credentials": "{SSHA}abc"})),
    ("LR514", stanza(changes={"credentials": None})),
    ("LR518", stanza(changes={"bindmethod": "sasl"})),
    ("LR608", "overlay syncprov\nlastmod off"),
    ("LR610", "overlay syncprov\nsyncprov-nopresent TRUE"),
    ("LR705", stanza(changes={"syncdata": "accesslog"})),
]


@pytest.mark.parametrize(("code", "text"), REFUSED, ids=[f"{code}-{at}" for at, (code, _) in enumerate(REFUSED)])
def test_slapd_refuses_what_lint_says_it_refuses(code: str, text: str, installation: Installation) -> None:
    conf = whole(text, installation)
    accepted, said = slaptest(conf, installation)
    assert not accepted and code in judged(conf), said


@pytest.mark.parametrize(("code", "text"), ACCEPTED, ids=[f"{code}-{at}" for at, (code, _) in enumerate(ACCEPTED)])
def test_slaptest_does_not_see_what_lint_sees(code: str, text: str, installation: Installation) -> None:
    """Here a linter is worth most: slapd starts and says nothing."""
    conf = whole(text, installation)
    accepted, said = slaptest(conf, installation)
    assert accepted, said
    assert code in judged(conf)


@pytest.mark.parametrize(
    ("code", "head"),
    [("LR402", GOOD + "\n"), ("LR451", "serverID 4096\n"), ("LR451", "serverID 1\nserverID 2 ldap://q\n")],
)
def test_what_stands_above_the_database(code: str, head: str, installation: Installation) -> None:
    conf = whole(GOOD, installation, head)
    accepted, said = slaptest(conf, installation)
    assert not accepted and code in judged(conf), said


def test_a_good_stanza_is_taken_by_both(installation: Installation) -> None:
    conf = whole(f"{GOOD}\nupdateref ldap://p", installation)
    assert slaptest(conf, installation)[0] and not judged(conf)


def test_the_stanza_of_2006(installation: Installation) -> None:
    """Its lines must be indented, and then slapd takes it; lint knows both."""
    text = SAMPLE.read_text().replace("dc=kumicho,dc=net", SUFFIX)
    indented, printed = whole(text, installation), whole(text.replace("\n    ", "\n"), installation)
    assert slaptest(indented, installation)[0] and "LR101" not in judged(indented)
    assert not slaptest(printed, installation)[0] and "LR101" in judged(printed)
