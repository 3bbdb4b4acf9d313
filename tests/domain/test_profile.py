"""ldaprepl.toml: what is wrong is said with its line, what is right is kept with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldaprepl.domain.profile import ProfileRefused, parse
from ldaprepl.domain.profilekeys import REPLICA_KEYS, SERVER_KEYS, Kind
from ldaprepl.domain.secret import Secret
from ldaprepl.errors import UsageError

GOOD = """\
# servers
[servers.a]
uri = "ldaps://a.example.com"
bind_dn = "cn=replica,dc=example,dc=com"
password = "s3cret"
timeout = 7

[servers.b]
uri = "ldap://b"

[replicas.main]
provider = "a"
consumers = [
    "b",
    "ldap://c",   # by URL
]
base = "dc=example,dc=com"
warning = "5m"
"""


def complaints(text: str) -> tuple[str, ...]:
    with pytest.raises(ProfileRefused) as refused:
        parse(text, "f")
    return refused.value.complaints


def test_what_is_right() -> None:
    profiles = parse(GOOD, "f")
    server = profiles.servers["a"]
    assert (server.get("uri"), server.get("timeout"), server.get("cacert")) == ("ldaps://a.example.com", 7.0, None)
    assert server.get("password") == Secret("s3cret")
    assert "s3cret" not in repr(profiles)
    replica = profiles.replica("main")
    assert (replica.get("provider"), replica.get("consumers")) == (("a",), ("b", "ldap://c"))
    assert replica.get("warning") == 300.0
    assert [replica.origin(key) for key in ("provider", "consumers", "base")] == ["f:12", "f:13", "f:17"]
    assert [str(place) for place in profiles.secrets] == ["f:5"]


def test_forms_of_one_thing() -> None:
    """TOML has several ways to write a table; the places follow."""
    text = '[servers]\na.uri = "ldap://a"\nb = {uri = "x"}\n'
    profiles = parse(text, "f")
    assert profiles.servers["a"].origin("uri") == "f:2"
    assert profiles.servers["b"].origin("uri") == "f:3"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("timeout", "timout", 6, "[servers.a] has no key 'timout'. Did you mean 'timeout'?"),
        ("timeout = 7", "timeout = -1", 6, "timeout must be seconds"),
        ("timeout = 7", "timeout = true", 6, "timeout must be seconds"),
        ("timeout = 7", 'timeout = "soon"', 6, "timeout 'soon' is not a duration"),
        ("timeout = 7", "starttls = 1", 6, "starttls must be true or false"),
        ("timeout = 7", 'sasl = "KERBEROS"', 6, "sasl must be one of EXTERNAL"),
        ("timeout = 7", 'sasl = "GSSAPI"', 6, "sasl and a simple bind contradict each other"),
        ("timeout = 7", 'sasl = "EXTERNAL"', 6, "sasl and a simple bind contradict each other"),
        ("timeout = 7", 'password_file = "x"', 6, "password and password_file contradict each other"),
        ('password = "s3cret"', "password = 7", 5, "password must be text"),
        ('bind_dn = "cn=replica,dc=example,dc=com"', "", 5, "there is a password, but no bind_dn"),
        ('uri = "ldap://b"', "", 8, "[servers.b] has no uri"),
        ("[replicas.main]", "[replica.main]", 11, "there is no table 'replica'. Did you mean 'replicas'?"),
        ('provider = "a"', 'provider = "aa"', 12, "there is no [servers.aa]. Did you mean 'a'?"),
        ('    "b",', '    "bb",', 13, "there is no [servers.bb]"),
        ('base = "dc=example,dc=com"', "", 11, "[replicas.main] has no base"),
        ('warning = "5m"', 'scope = "all"', 18, "scope must be one of base, one, sub, subord"),
        ('warning = "5m"', 'stanza = "ldapi:///"', 12, "stanza says it all, so provider contradicts it"),
        ('warning = "5m"', 'warning = "5m', 18, "ill"),
        ("[servers.b]", "[servers.a]", 8, "cannot declare"),
    ],
)
def test_what_is_wrong_has_its_line(old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    found = complaints(GOOD.replace(old, new))
    assert any(each.startswith(f"f:{line}: ") and words in each for each in found), found
    assert "s3cret" not in " ".join(found)


def test_all_complaints_at_once() -> None:
    assert len(complaints('[servers.a]\nurl = "x"\n[replicas.b]\nbase = 1\n')) >= 4


def test_a_replica_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="no replica 'mein'") as refused:
        parse(GOOD, "f").replica("mein")
    assert "Did you mean 'main'?" in refused.value.cure


def test_every_key_has_an_example_that_is_right() -> None:
    """The manual and `config new` show them."""
    for number, key in enumerate(SERVER_KEYS):
        lines = ['uri = "ldap://a"'] if key.name != "uri" else []
        if key.kind in (Kind.SECRET, Kind.COMMAND) or key.name == "password_file":
            lines.append('bind_dn = "cn=x"')
        parse("\n".join([f"[servers.s{number}]", *lines, f"{key.name} = {key.example}"]), "f")
    for key in REPLICA_KEYS:
        needed = {"provider": '"ldap://a"', "consumers": '"ldap://b"', "base": '"dc=x"'}
        if key.name == "stanza":
            needed = {}
        needed[key.name] = key.example.replace('"a"', '"ldap://a"').replace('["b", "c"]', '["ldap://b"]')
        parse("\n".join(["[replicas.r]", *(f"{name} = {text}" for name, text in needed.items())]), "f")


def test_the_manual_has_every_key_and_none_besides() -> None:
    text = (Path(__file__).parents[2] / "docs/configuration.md").read_text()
    for title, keys in (("[servers.NAME]", SERVER_KEYS), ("[replicas.NAME]", REPLICA_KEYS)):
        section = text.partition(f"### {title}\n")[2].partition("\n#")[0]
        rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
        assert [row[0].strip("| `") for row in rows] == [key.name for key in keys]
        assert [row[2].removesuffix(" |") for row in rows] == [key.meaning for key in keys]


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("[]sa.erv=\"'#\n {},1"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text, "f")
    except ProfileRefused as refused:
        assert all(complaint.startswith("f:") for complaint in refused.complaints)
