"""The fears: a stanza that reads back as something else, a keyword that an old slapd ignores, a leaked password."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain import dn
from ldaprepl.domain.keywords import KEYWORDS, Standing, Syntax, find
from ldaprepl.domain.ldapfilter import escape as filter_escape
from ldaprepl.domain.scope import ReplicationScope, Scope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.stanza import Parameter, Rendering, Stanza, StanzaRefused
from ldaprepl.domain.syncvalues import RetryStep
from ldaprepl.domain.version import BRANCHES, Version
from ldaprepl.domain.words import Form

MINIMAL = {"rid": "001", "provider": "ldap://p.example.com", "searchbase": "dc=example,dc=com", "bindmethod": "simple"}
PASSWORDS = [
    "two words",
    " leading and trailing ",
    r"back\slash",
    "ends with \\",
    "#hash",
    "{SSHA}not a hash",
    "pässwörd",
    "日本語",
    "tab\there",
    "it's",
    "a=b,c;d&(e)",
    "*+!%$<>|^~`@:",
    " ",
    "",
]
WITH_QUOTES = ['my"x', 'a b"c', 'ab"', '"', '"ab"', r"\"", '"{"']
TEXT = st.text(alphabet=st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"]), max_size=15)
AWKWARD = st.text(alphabet=st.sampled_from(" \t\"\\'#={}(),;é+ab"), max_size=10)


def stanza(**values: str | None) -> Stanza:
    return Stanza.of(MINIMAL | {name.replace("_", "-") if name in DASHED else name: v for name, v in values.items()})


DASHED = ("network_timeout", "tcp_user_timeout")


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("password", PASSWORDS + WITH_QUOTES)
def test_passwords_read_back(form: Form, password: str) -> None:
    written = stanza(binddn="cn=replica,dc=example,dc=com", credentials=password, type="refreshAndPersist")
    read = Stanza.parse(written.render(form).text.replace("\n", ""), form)
    assert read == written and read.credentials == Secret(password)


@pytest.mark.parametrize("form", Form)
@given(password=st.one_of(TEXT, AWKWARD), name=TEXT, last=st.booleans())
def test_whatever_is_written_reads_back(form: Form, password: str, name: str, last: bool) -> None:
    values = MINIMAL | {"binddn": f"cn=x{dn.escape(name.encode())},dc=com", "filter": f"(cn={filter_escape(name)})"}
    values = values | {"credentials": password} if last else {"credentials": password} | values
    written = Stanza.of(values)
    try:
        text = written.render(form).text
    except StanzaRefused as refused:
        assert form is Form.CN_CONFIG and '"' in password, refused
        return
    read = Stanza.parse(text.replace("\n", ""), form)
    assert read.credentials == Secret(password)
    assert dn.parse(read.binddn) == dn.parse(written.binddn)
    assert read.filter in (written.filter, written.filter.replace('"', "\\22"))
    assert '"' in name or read == written


def test_a_filter_and_a_dn_are_respelled_where_cn_config_cannot_hold_their_quotes() -> None:
    written = stanza(filter='(cn=a " b)', binddn='cn=a \\" b,dc=c', credentials="x")
    read = Stanza.parse(written.render(Form.CN_CONFIG).text, Form.CN_CONFIG)
    assert (read.filter, read.binddn) == (r"(cn=a \22 b)", r"cn=a \22 b,dc=c")
    assert Stanza.parse(written.render(Form.SLAPD_CONF).text.replace("\n", ""), Form.SLAPD_CONF) == written


def test_every_keyword_can_be_written_and_read() -> None:
    samples = {
        Syntax.RID: "7",
        Syntax.URI: "ldaps://h:636",
        Syntax.DN: "ou=a\\2c b,dc=c",
        Syntax.INTERVAL: "00:00:10:00",
        Syntax.RETRY: "5 12 60 +",
        Syntax.FILTER: "(&(a=b)(c=d e))",
        Syntax.LIST: "*,+",
        Syntax.FLAG: None,
        Syntax.LIMIT: "unlimited",
        Syntax.NUMBER: "10",
        Syntax.KEEPALIVE: "240:10:30",
        Syntax.TLS_VERSION: "3.3",
        Syntax.AUTHZID: "dn:cn=x",
    }
    values = {k.name: k.words[0] if k.words else samples.get(k.syntax, "some text") for k in KEYWORDS.values()}
    del values["attrsonly"], values["updatedn"]
    whole = Stanza.of(values)
    for form in Form:
        assert Stanza.parse(whole.render(form).text.replace("\n", ""), form) == whole


def test_it_is_printed_without_its_password() -> None:
    secret = stanza(credentials="geheim")
    assert "geheim" not in repr(secret) and "geheim" not in repr(secret.render(Form.CN_CONFIG))


@pytest.mark.parametrize(
    "line",
    [
        "credentials=my geheim",
        "credential=geheim",
        'binddn="cn=x credentials=geheim',
        "geheim",
        "provider=ldap://h credentials=geheim, rid=1",
    ],
)
def test_broken_stanzas_do_not_leak_the_password_either(line: str) -> None:
    read = Stanza.parse(line, Form.SLAPD_CONF)
    with pytest.raises(StanzaRefused) as caught:
        read.render(Form.SLAPD_CONF)
    assert "geheim" not in str(caught.value) and not any("geheim" in str(each) for each in read.complaints())
    assert line.startswith("binddn") or "geheim" not in repr(read)


def test_keywords_match_without_case_and_by_alias_and_keep_what_was_written() -> None:
    read = Stanza.parse("RID=1 Uri=ldap://h SEARCHBASE=dc=x", Form.SLAPD_CONF)
    assert (read.rid, read.provider, read.searchbase) == (1, "ldap://h", "dc=x")
    assert read.all("provider")[0].written == "Uri"
    assert read == Stanza.parse("rid=1 provider=ldap://h searchbase=dc=x", Form.SLAPD_CONF)


def test_the_last_one_counts_but_attribute_lists_add_up() -> None:
    read = Stanza.parse('rid=1 rid=2 attrs=cn,sn attrs="mail uid" exattrs=x exattrs=y', Form.SLAPD_CONF)
    assert read.rid == 2 and read.attrs == ("cn", "sn", "mail", "uid") and read.exattrs == ("x", "y")


def test_defaults_are_those_of_slapd() -> None:
    empty = Stanza()
    assert (empty.rid, empty.provider, empty.credentials, empty.retry) == (None, "", None, None)
    assert (empty.type, empty.interval, empty.scope, empty.filter) == (
        "refreshOnly",
        timedelta(days=1),
        Scope.SUB,
        "(objectClass=*)",
    )
    assert (empty.bindmethod, empty.starttls, empty.delta, empty.persistent) == ("simple", "no", False, False)
    assert empty.replication_scope == ReplicationScope("")


def test_replication_scope() -> None:
    read = stanza(scope="children", filter="uid=*", attrs="cn", exattrs="sn", suffixmassage="dc=local", attrsonly=None)
    assert read.replication_scope == ReplicationScope(
        "dc=example,dc=com", Scope.SUBORD, "(uid=*)", ("cn",), ("sn",), True, "dc=local"
    )


def test_setting_and_removing() -> None:
    read = Stanza.parse("rid=1 retry=a rid=1 rid=1", Form.SLAPD_CONF).with_value("rid", "5")
    assert [each.text for each in read.parameters] == ["a", "5"] and read.without("retry").parameters[0].text == "5"
    assert read.with_value("credentials", "x").credentials == Secret("x")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00:10:00", 600), ("600", 600), ("10m", 600), ("1d2h3m4s", 93784), ("00:24:60:60", 90060), ("1h30", 3630)],
)
def test_interval(text: str, seconds: int) -> None:
    assert stanza(interval=text).interval == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["00:10:00", "10:00", "junk", "00:25:00:00", "-5", "", "m10"])
def test_bad_interval(text: str) -> None:
    assert any(each.keyword == "interval" for each in stanza(interval=text).complaints())


def test_retry() -> None:
    assert stanza(retry="5 12 60 +").retry == (RetryStep(5, 12), RetryStep(60, None))
    assert stanza(retry="60,+ whatever more").retry == (RetryStep(60, None),)
    assert stanza(retry="").retry == ()


# facts of slaptest runs: keyword, value, versions that take it as it is meant
ALL = "2.2 2.3 2.4 2.5 2.6 2.7"
VERDICTS = [
    ("rid", "1000", ""),
    ("rid", "-1", ""),
    ("rid", "0x10", ""),
    ("provider", "p.example.com", ""),
    ("provider", "ldap://a ldap://b", ""),
    ("provider", "http://a", ""),
    ("provider", "ldapi://%2Frun%2Fldapi", ALL),
    ("updatedn", "cn=x", "2.2"),
    ("interval", "600", "2.3 2.4 2.5 2.6 2.7"),
    ("retry", "60", ""),
    ("retry", "60 0", ""),
    ("retry", "1m +", ""),
    ("retry", "", ""),
    ("retry", "0 +", ""),
    ("retry", "undefined", "2.4 2.5 2.6 2.7"),
    ("retry", "60,+", ALL),
    ("scope", "subord", "2.4 2.5 2.6 2.7"),
    ("scope", "children", "2.3 2.4 2.5 2.6 2.7"),
    ("scope", "sub", ALL),
    ("filter", "(cn=x", ""),
    ("filter", "cn=x", ALL),
    ("sizelimit", "none", ""),
    ("sizelimit", "unlimited", ALL),
    ("manageDSAit", "on", ""),
    ("schemachecking", "no", ""),
    ("schemachecking", "off", ALL),
    ("starttls", "on", ""),
    ("starttls", "no", "2.3 2.4 2.5 2.6 2.7"),
    ("starttls", "critical", ALL),
    ("tls_reqcert", "bogus", ""),
    ("tls_reqcert", "demand", "2.4 2.5 2.6 2.7"),
    ("tls_protocol_min", "1.2", ""),
    ("tls_protocol_min", "3.3", "2.4 2.5 2.6 2.7"),
    ("syncdata", "foo", ""),
    ("syncdata", "accesslog", "2.3 2.4 2.5 2.6 2.7"),
    ("binddn", "replica", ""),
    ("bindmethod", "gssapi", ""),
    ("bindmethod", "none", "2.3 2.4 2.5 2.6 2.7"),
    ("type", "dirSync", "2.5 2.6 2.7"),
    ("type", "refreshOnlyXX", ""),
    ("authzid", "name", "2.2 2.3"),
    ("authzid", "u:name", ALL),
    ("keepalive", "240", ""),
    ("keepalive", "240::", "2.4 2.5 2.6 2.7"),
    ("lazycommit", None, "2.5 2.6 2.7"),
    ("attrsonly", None, "2.2 2.3"),
    ("tcp-user-timeout", "1s", ""),
]


@pytest.mark.parametrize(("name", "value", "taken"), VERDICTS)
def test_what_each_version_takes(name: str, value: str | None, taken: str) -> None:
    one = Stanza.of(MINIMAL).with_value(name, value)
    good = [str(version) for version in BRANCHES if not one.complaints(version)]
    assert " ".join(good) == taken


def test_a_release_inside_a_branch_can_be_too_old() -> None:
    assert find("keepalive").standing(Version(2, 4, 21)) is Standing.REFUSED  # type: ignore[union-attr]
    assert not stanza(keepalive="1:2:3").complaints(Version.parse("2.4"))
    assert stanza(tcp_user_timeout="5").complaints(Version.parse("2.5.4"))


def test_comfort_is_dropped_for_an_old_version_and_named() -> None:
    rendering = stanza(keepalive="240:10:30", retry="60 +").render(Form.SLAPD_CONF, Version.parse("2.3"))
    assert [each.keyword for each in rendering.dropped] == ["keepalive"] and "keepalive" not in rendering.text
    assert "silently ignored" in rendering.dropped[0].reason and 'retry="60 +"' in rendering.text


@pytest.mark.parametrize("name", ["tls_cacert", "suffixmassage", "syncdata"])
def test_what_protects_or_selects_is_never_dropped(name: str) -> None:
    value = "accesslog" if name == "syncdata" else "dc=x"
    with pytest.raises(StanzaRefused, match=name):
        Stanza.of(MINIMAL | {name: value}).render(Form.SLAPD_CONF, Version.parse("2.2"))


@pytest.mark.parametrize("missing", ["rid", "provider", "searchbase"])
def test_a_stanza_without_the_essential_is_refused(missing: str) -> None:
    with pytest.raises(StanzaRefused, match=f"{missing} is missing"):
        Stanza.of(MINIMAL).without(missing).render(Form.CN_CONFIG)


def test_refusals_come_together_and_2_2_has_no_cn_config() -> None:
    with pytest.raises(StanzaRefused) as caught:
        stanza(starttls="on", retry="60").render(Form.CN_CONFIG, Version.parse("2.2"))
    assert [each.keyword for each in caught.value.complaints] == ["starttls", "retry", ""]


def test_slapd_conf_text_is_one_directive_with_continuation_lines() -> None:
    rendering = stanza(credentials="a b")
    assert rendering.render(Form.SLAPD_CONF).text.splitlines() == [
        "syncrepl rid=001",
        "    provider=ldap://p.example.com",
        '    searchbase="dc=example,dc=com"',
        "    bindmethod=simple",
        '    credentials="a b"',
    ]
    assert isinstance(rendering.render(Form.CN_CONFIG), Rendering)


def test_a_parameter_is_what_the_word_says() -> None:
    assert Parameter.from_word("lazycommit") == Parameter("lazycommit")
    assert Parameter.from_word("retyr=5").keyword == "retyr"
    assert Parameter.from_word("#comment").keyword == ""


@given(st.text(max_size=40), st.sampled_from(list(Form)))
def test_no_text_crashes_the_reader(text: str, form: Form) -> None:
    Stanza.parse(text, form).complaints()
