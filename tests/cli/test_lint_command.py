"""`ldaprepl lint` from the outside: what it reads, what it writes, how it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ldaprepl.cli.main import run
from ldaprepl.domain.lint_table import TABLE, TOPICS
from ldaprepl.report.lint import document

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "slapd-conf" / "2006-consumer.conf"
SECRET = "kept-to-itself"
STANZA = f"""\
syncrepl rid=001
  provider=ldap://p.example.com
  type=refreshAndPersist
  retry="5 12 60 +"
  searchbase="dc=example,dc=com"
  bindmethod=simple
  binddn="cn=replica,dc=example,dc=com"
  credentials="{SECRET}"
  starttls=critical
  tls_cacert=/no/such/folder/ca.pem
  keepalive=240:10:30
"""
CONF = f"""\
moduleload back_mdb
database mdb
suffix "dc=example,dc=com"
rootdn "cn=admin,dc=example,dc=com"
maxsize 1073741824
index entryUUID,entryCSN eq
{STANZA}updateref ldap://p.example.com
"""
TREE = f"""\
dn: cn=config
objectClass: olcGlobal
cn: config

dn: olcDatabase={{1}}mdb,cn=config
objectClass: olcMdbConfig
olcDatabase: {{1}}mdb
olcSuffix: dc=example,dc=com
olcRootDN: cn=admin,dc=example,dc=com
olcDbMaxSize: 1073741824
olcDbIndex: entryUUID,entryCSN eq
olcSyncrepl: {STANZA.removeprefix("syncrepl ")}olcUpdateRef: ldap://p.example.com
"""


def write(path: Path, text: str, mode: int = 0o600) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def lint(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and standard output; the secret is never in anything."""
    code = run(["lint", *arguments])
    shown = capsys.readouterr()
    assert SECRET not in shown.out + shown.err
    return code, shown.out


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """The codes, through JSON."""
    code, out = lint(capsys, *arguments, "--format", "json")
    codes = [finding["code"] for finding in json.loads(out)["findings"]]
    assert code == (1 if any(TABLE[each].severity.rank >= 2 for each in codes) else 0)
    return codes


def test_a_good_configuration_in_every_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    included = write(tmp_path / "stanza.conf", STANZA)
    tree, _, database = TREE.partition("\n\n")
    folder = tmp_path / "slapd.d"
    write(folder / "cn=config.ldif", tree + "\n")
    write(folder / "cn=config" / "olcDatabase={1}mdb.ldif", database.replace("},cn=config", "}", 1))
    sources = [
        write(tmp_path / "slapd.conf", CONF),
        write(tmp_path / "with-include.conf", CONF.replace(STANZA, f"include {included}\n")),
        write(tmp_path / "config.ldif", TREE),
        str(folder),
    ]
    for source in sources:
        assert found(capsys, source) == [], source
    assert "nothing found" in lint(capsys, sources[0])[1]


def test_a_fault_in_every_shape_has_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = STANZA.replace("starttls=critical", "starttls=yes")
    included = write(tmp_path / "stanza.conf", bad)
    folder = tmp_path / "slapd.d"
    tree, _, database = TREE.replace("critical", "yes").partition("\n\n")
    write(folder / "cn=config.ldif", tree + "\n")
    inside = write(folder / "cn=config" / "olcDatabase={1}mdb.ldif", database.replace("},cn=config", "}", 1))
    places = {
        write(tmp_path / "slapd.conf", CONF.replace(STANZA, bad)): f"{tmp_path}/slapd.conf:15",
        write(tmp_path / "with-include.conf", CONF.replace(STANZA, f"include {included}\n")): f"{included}:9",
        write(tmp_path / "config.ldif", TREE.replace("critical", "yes")): f"{tmp_path}/config.ldif:20",
        str(folder): f"{inside}:16",
    }
    for source, place in places.items():
        code, out = lint(capsys, source)
        assert code == 1 and out.startswith(f"{place}: security LR502: "), out


def test_sources_are_judged_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    consumer = write(tmp_path / "consumer.conf", CONF)
    provider = write(tmp_path / "provider.conf", CONF.replace(STANZA, "").replace("updateref", "#"))
    assert found(capsys, provider) == [] and found(capsys, consumer, provider) == ["LR601", "LR603"]


def test_the_stanza_of_2006_point_by_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SAMPLE.read_text()
    private = write(tmp_path / "2006.conf", text)
    usual = ["LR201", "LR450", "LR501", "LR250", "LR205", "LR301", "LR550"]
    assert found(capsys, private) == usual
    assert found(capsys, write(tmp_path / "open.conf", text, 0o644))[-1] in ("LR512", "LR550")
    printed = found(capsys, write(tmp_path / "printed.conf", text.replace("\n    ", "\n")))
    assert set(printed) == {*usual, "LR101"}  # as the page has it, not indented: and all the rest is still seen
    assert "credentials=password" in text
    _, out = lint(capsys, private, "--openldap", "2.3")
    assert "gives up at the first failure" in out and "error LR201" in out and "every 10 minutes" in out


def test_a_file_that_everybody_can_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_folder = Path("/tmp") / f"ldaprepl-test-{os.getpid()}"
    path = open_folder / "slapd.conf"
    try:
        write(path, CONF, 0o644)
        open_folder.chmod(0o755)
        assert found(capsys, str(path)) == ["LR512"]
        open_folder.chmod(0o700)
        assert found(capsys, str(path)) == []
    finally:
        path.unlink()
        open_folder.rmdir()


def test_a_missing_ca_file_is_told_only_where_its_folder_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = CONF.replace("/no/such/folder/ca.pem", str(tmp_path / "ca.pem"))
    conf = write(tmp_path / "slapd.conf", text)
    assert found(capsys, conf) == ["LR504"]
    write(tmp_path / "ca.pem", "")
    assert found(capsys, conf) == []


def test_fail_on_disable_and_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = write(tmp_path / "slapd.conf", CONF.replace('  retry="5 12 60 +"\n', ""))
    assert lint(capsys, conf)[0] == 0
    assert lint(capsys, conf, "--fail-on", "warning")[0] == 1
    assert lint(capsys, conf, "--fail-on", "warning", "--disable", "lr201")[0] == 0
    assert lint(capsys, conf, "--openldap", "2.3")[0] == 1
    assert lint(capsys, conf, "--openldap", "2.3", "--fail-on", "never")[0] == 0
    assert "judged for OpenLDAP 2.3\n" in lint(capsys, conf, "--openldap", "2.3")[1]


def test_listeners(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = write(tmp_path / "slapd.conf", CONF)
    assert "LR415" in found(capsys, conf, "--listen", "ldap://p.example.com")
    assert run(["lint", conf, conf + "x", "--listen", "ldap://p"]) == 2


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = lint(capsys, "--explain", "LR201")
    assert code == 0 and out.startswith("LR201: no retry\n") and 'retry="5 12 60 +"' in out
    assert run(["lint", "--explain", "LR999"]) == 2


def test_the_list_of_rules_is_not_stale() -> None:
    """`ldaprepl lint --explain all -o docs/lint.md` writes it anew."""
    assert (ROOT / "docs" / "lint.md").read_text() == document(TABLE, TOPICS)


def test_sarif_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = write(tmp_path / "slapd.conf", CONF.replace("critical", "yes"))
    target = tmp_path / "lint.sarif"
    code, out = lint(capsys, conf, "--format", "sarif", "-o", str(target))
    assert code == 1 and not out and SECRET not in target.read_text()
    (result,) = json.loads(target.read_text())["runs"][0]["results"]
    assert result["ruleId"] == "LR502" and result["level"] == "error"
    where = result["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == f"file://{conf}" and where["region"] == {"startLine": 15}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["/no/such/slapd.conf"],
        ["{folder}"],
        ["{ldif}"],
        ["{conf}", "--openldap", "3.1"],
        ["{conf}", "--openldap", "new"],
        ["{conf}", "--disable", "LR000"],
        ["{conf}", "--fail-on", "much"],
        ["http://example.com"],
    ],
)
def test_wrong_usage_is_2(tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    names = {
        "folder": str(tmp_path / "empty"),
        "ldif": write(tmp_path / "x.ldif", "no ldif\n"),
        "conf": write(tmp_path / "slapd.conf", CONF),
    }
    assert run(["lint", *(argument.format(**names) for argument in arguments)]) == 2
    assert SECRET not in "".join(capsys.readouterr())


def test_a_server_that_is_not_there_is_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = write(tmp_path / "slapd.conf", CONF.replace("ldap://p.example.com", "ldap://127.0.0.1:9"))
    assert run(["lint", f"ldapi://{str(tmp_path).replace('/', '%2F')}%2Fldapi"]) == 3
    assert run(["lint", conf, "--provider", "ldap://127.0.0.1:9", "--no-starttls"]) == 3
    out = capsys.readouterr().out
    assert "not asked: ldap://127.0.0.1:9 cannot be reached" in out and SECRET not in out


def test_the_password_of_a_stanza_goes_to_its_own_provider_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = write(tmp_path / "slapd.conf", CONF)
    assert run(["lint", conf, "--provider", "ldap://127.0.0.1:9"]) == 2
    assert "not sent there" in capsys.readouterr().err


def test_bytes_that_are_no_text_do_not_stop_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "slapd.conf"
    path.write_bytes(CONF.replace("cn=replica", "cn=r\udce4plica").encode("utf-8", "surrogateescape"))
    path.chmod(0o600)
    for form in ("text", "json", "sarif"):
        assert lint(capsys, str(path), "--format", form)[0] in (0, 1)


def test_a_file_of_something_else_does_not_look_clean(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for number, text in enumerate(("127.0.0.1 localhost\n", "", "dn: dc=x\nobjectClass: domain\ndc: x\n")):
        file = tmp_path / str(number)
        file.write_text(text)
        assert run(["lint", str(file)]) == 2
        assert "holds no configuration of slapd" in capfd.readouterr().err
