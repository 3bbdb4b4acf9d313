"""The configuration as text: what is written reads back as what was meant, in both forms, and no secret goes astray."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ldaprepl.domain import cnconfig, ldif, slapdconf
from ldaprepl.domain.blueprint import Blueprint, Schemas
from ldaprepl.domain.config import Configuration, Section
from ldaprepl.domain.consumerplan import Manner, Mode, plan
from ldaprepl.domain.provider import Access, Method
from ldaprepl.domain.providerplan import ProviderNeeds, provider_part, provider_server
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.serverplan import Target, consumer, mirror, written_by_sync
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form
from ldaprepl.errors import UsageError
from ldaprepl.report.blueprint import render

SUFFIX = "o=A \\+ b\\, c,c=de"
REPLICA = f"cn=re\\\\plica \\22x\\22,{SUFFIX}"
ACCESS = Access("ldap://a.example.com", Method.SIMPLE, REPLICA, Secret("geheim # \\x"), starttls=True)
SCOPE = ReplicationScope(SUFFIX)
DATABASE = "olcDatabase={3}mdb,cn=config"
V24, V25, V26 = Version(2, 4), Version(2, 5), Version(2, 6)
TARGET = Target(SUFFIX, V25, whole=True)
NEEDS = ProviderNeeds(SUFFIX, delta=True)
DELTA = Manner(Mode.DELTA, logbase="cn=accesslog")
FORMS = pytest.mark.parametrize("form", list(Form))


def read(blueprint: Blueprint, form: Form, version: Version = V25) -> Configuration:
    text = render(blueprint, form, version, whole=True, database=DATABASE)
    return slapdconf.read(text, "c") if form is Form.SLAPD_CONF else cnconfig.read(text, "c")


def database(configuration: Configuration, suffix: str) -> Section:
    (found,) = [each for each in configuration.databases if suffix in each.suffixes]
    return found


@FORMS
def test_a_whole_consumer(form: Form) -> None:
    plain = plan(ACCESS, SCOPE, 7, DELTA)
    found = read(consumer(plain, ACCESS, TARGET), form)
    section = database(found, SUFFIX)
    assert section.stanzas == (plain.stanza,)
    assert section.first("rootdn") == f"cn=admin,{SUFFIX}" and section.first("updateref") == ACCESS.uri
    assert [setting.value for setting in section.all("index")] == ["objectClass eq", "entryUUID eq", "entryCSN eq"]
    assert section.first("maxsize") and section.first("directory") == "/var/lib/ldap" and not section.overlays


@FORMS
def test_a_cascade_has_limits_and_access_above_the_other_rules(form: Form) -> None:
    found = read(consumer(plan(ACCESS, SCOPE), ACCESS, replace(TARGET, provides=True)), form)
    section = database(found, SUFFIX)
    assert section.overlays == ("syncprov",) and "syncprov" in text_of_modules(found)
    assert section.all("limits")[0].words == (f"dn.exact={REPLICA}", "size=unlimited", "time=unlimited")
    rules = [setting.words for setting in section.all("access")]
    assert rules[0] == ("to", "*", "by", f"dn.exact={REPLICA}", "read", "by", "*", "break") and len(rules) == 3


def text_of_modules(found: Configuration) -> str:
    return " ".join(setting.value for setting in found.sections[0].all("moduleload"))


@FORMS
@pytest.mark.parametrize(("version", "word"), [(V24, "mirrormode"), (V26, "multiprovider")])
def test_a_mirror_has_both_stanzas_and_both_numbers(form: Form, version: Version, word: str) -> None:
    plans = (plan(ACCESS, SCOPE), plan(replace(ACCESS, uri="ldap://b.example.com"), SCOPE, 2))
    found = read(mirror(plans, ACCESS, replace(TARGET, version=version)), form, version)
    section = database(found, SUFFIX)
    assert section.stanzas == tuple(each.stanza for each in plans) and not section.all("updateref")
    ids = [setting.words for setting in found.sections[0].all("serverid")]
    assert ids == [("1", "ldap://a.example.com"), ("2", "ldap://b.example.com")]
    names = [setting.name for setting in section.settings]
    assert "syncprov" in section.overlays and section.first("multiprovider") + section.first("mirrormode") == "TRUE"
    if form is Form.SLAPD_CONF:  # 2.4 to 2.6 refuse it in front of the stanzas
        assert names.index(word) > max(at for at, name in enumerate(names) if name == "syncrepl")


@FORMS
def test_a_delta_provider(form: Form) -> None:
    found = read(provider_server(ACCESS, NEEDS), form)
    log, main = database(found, "cn=accesslog"), database(found, SUFFIX)
    assert found.databases.index(log) < found.databases.index(main)
    assert (log.first("syncprov-nopresent"), log.first("syncprov-reloadhint")) == ("TRUE", "TRUE")
    assert not main.all("syncprov-nopresent") and main.overlays == ("syncprov", "accesslog")
    assert main.all("syncprov-checkpoint")[0].words == ("100", "10") and main.first("logdb") == "cn=accesslog"
    assert main.all("logpurge")[0].words == ("07+00:00", "01+00:00")
    for section in (log, main):
        assert section.all("limits")[0].words[0] == f"dn.exact={REPLICA}"
        assert section.all("access")[0].words[3] == f"dn.exact={REPLICA}"


def test_the_provider_s_part_as_changes_is_ldif_that_touches_the_named_database_only() -> None:
    text = render(provider_part(ACCESS, NEEDS), Form.CN_CONFIG, V25, whole=False, database=DATABASE)
    records = list(ldif.records(text.splitlines()))
    names = {record.dn for record in records if ("changetype", b"modify") in record.pairs}
    assert names == {DATABASE}
    added = [record.dn for record in records if ("changetype", b"add") in record.pairs]
    assert added == [
        "cn=module,cn=config", "olcDatabase={4}mdb,cn=config", "olcOverlay={0}syncprov,olcDatabase={4}mdb,cn=config",
        f"olcOverlay=syncprov,{DATABASE}", f"olcOverlay=accesslog,{DATABASE}",
    ]  # fmt: skip


@FORMS
def test_a_name_with_quotes_is_spelled_without_them(form: Form) -> None:
    odd = replace(ACCESS, dn='cn=the \\" replica,dc=x')
    found = read(consumer(plan(odd, SCOPE), odd, replace(TARGET, provides=True)), form)
    assert database(found, SUFFIX).all("limits")[0].words[0] in (
        'dn.exact=cn=the \\" replica,dc=x', "dn.exact=cn=the \\22 replica,dc=x"
    )  # fmt: skip


def test_a_syncprov_that_is_there_is_not_written_again() -> None:
    text = render(provider_part(ACCESS, ProviderNeeds(SUFFIX, present=True)), Form.SLAPD_CONF, V25, whole=False,
                  database=DATABASE)  # fmt: skip
    assert "\noverlay" not in text and "moduleload" not in text and "\nlimits " in text


@FORMS
def test_the_consumer_of_sync_has_no_stanza_and_one_writer(form: Form) -> None:
    writer = f"cn=sync,{SUFFIX}"
    section = database(read(written_by_sync(writer, ACCESS.uri, ACCESS, TARGET), form), SUFFIX)
    assert not section.stanzas and section.first("updatedn") == writer
    assert section.all("access")[0].words[3:5] == (f"dn.exact={writer}", "write")
    alone = database(read(written_by_sync("", ACCESS.uri, ACCESS, TARGET), form), SUFFIX)
    assert alone.first("updatedn") == alone.first("rootdn") and not alone.all("limits")


@FORMS
@pytest.mark.parametrize("whole", [True, False])
def test_the_password_stands_in_the_stanza_and_nowhere_else(form: Form, whole: bool) -> None:
    made = consumer(plan(ACCESS, SCOPE), ACCESS, replace(TARGET, whole=whole, provides=True))
    text = render(made, form, V25, whole=whole, database=DATABASE)
    assert text.count("geheim") == 1 and "geheim" not in repr(made) and made.secret and "chmod 600" in text
    part = provider_part(ACCESS, NEEDS)
    assert not part.secret and "geheim" not in render(part, form, V25, whole=False, database=DATABASE)


def test_no_comment_swallows_a_line() -> None:
    made = mirror((plan(ACCESS, SCOPE), plan(ACCESS, SCOPE, 2)), ACCESS, TARGET)
    text = render(made, Form.SLAPD_CONF, V25, whole=True, database=DATABASE)
    assert not slapdconf.read(text, "c").remarks
    assert text.count("# retry: ") == 1  # said once, not for each stanza


def test_own_schema_is_taken_over_word_by_word() -> None:
    own = Schemas(("core",), ("( 1.2.3 NAME 'x'\n  SUP name )",), ("( 1.2.4 NAME 'y' SUP top AUXILIARY MAY x )",))
    made = consumer(plan(ACCESS, SCOPE), ACCESS, replace(TARGET, schemas=own))
    conf = render(made, Form.SLAPD_CONF, V25, whole=True, database=DATABASE)
    assert "\nattributetype ( 1.2.3 NAME 'x' SUP name )\nobjectclass ( 1.2.4 " in conf and "cosine" not in conf
    text = render(made, Form.CN_CONFIG, V25, whole=True, database=DATABASE)
    assert "\nolcAttributeTypes: ( 1.2.3 NAME 'x' SUP name )\nolcObjectClasses: ( 1.2.4 " in text


@pytest.mark.parametrize("method", [Method.ANONYMOUS, Method.EXTERNAL])
def test_limits_and_access_need_somebody(method: Method) -> None:
    with pytest.raises(UsageError, match="DN of the replica identity"):
        provider_part(replace(ACCESS, method=method), NEEDS)
