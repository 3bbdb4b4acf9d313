"""The fears: a server called ready that is not, a port taken, a password shown, a failure without a reason."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tls import Authority

from ldaprepl.domain.ldif import entries, entry_text
from ldaprepl.domain.sample import directory, stamped
from ldaprepl.errors import LdapreplError, ServerUnavailable, UsageError
from ldaprepl.wire import slapdinstall
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdinstall import Installation, find_installation
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.slaptool import slaptest

SlapdFactory = Callable[..., Slapd]
SUFFIX = "dc=example,dc=com"
TOP = f"dn: {SUFFIX}\nobjectClass: domain\ndc: example\n\n"


def search(uri: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["ldapsearch", "-x", "-LLL", "-o", "nettimeout=60", "-H", uri, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def as_admin(server: Slapd, command: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    password = server.folder / "password"
    password.write_text(server.rootpw.reveal())
    return subprocess.run(
        [command, "-x", "-H", server.ldapi_uri, "-D", server.rootdn, "-y", password, *arguments],
        capture_output=True,
        text=True,
        input=text,
        check=False,
    )


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_it_answers_on_all_its_addresses_when_start_returns(slapd: SlapdFactory, authority: Authority) -> None:
    server = slapd(SlapdConf(lines=authority.slapd_lines()), ldaps=True)
    server.load([TOP])
    server.start()
    for uri in (server.ldap_uri, server.ldaps_uri, server.ldapi_uri):
        done = search(uri, "-b", SUFFIX, "-s", "base", "dc", LDAPTLS_CACERT=str(authority.certificate))
        assert done.stdout == f"dn: {SUFFIX}\ndc: example\n\n", done.stderr


def test_only_loopback_listens(slapd: SlapdFactory) -> None:
    assert slapd().ldap_uri.startswith("ldap://127.0.0.1:")
    assert slapd(tcp=False).start().ldap_uri == ""


def test_the_port_is_kept_for_it(slapd: SlapdFactory) -> None:
    server = slapd()
    port = int(server.ldap_uri.rpartition(":")[2])
    for _ in range(2):
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        server.start().stop()


def test_a_port_that_was_taken_all_the_same_is_said(slapd: SlapdFactory) -> None:
    server = slapd()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int(server.ldap_uri.rpartition(":")[2])))
        other.listen()
        with pytest.raises(ServerUnavailable, match="in use"):
            server.start()
    server.start()


def test_a_configuration_error_is_told_in_slapds_words(slapd: SlapdFactory) -> None:
    server = slapd("database nonsense\n")
    with pytest.raises(ServerUnavailable, match=r"slapd\.conf: line 1: .*nonsense"):
        server.start()
    assert not server.running
    server.configure(SlapdConf())
    server.start()
    server.stop()
    server.configure("other rubbish\n")
    with pytest.raises(ServerUnavailable) as caught:
        server.start()
    assert "nonsense" not in str(caught.value), "words of an earlier start"


def test_what_needs_a_stopped_server_says_so(server: Slapd) -> None:
    for call in (
        server.start,
        server.convert,
        server.wipe,
        lambda: server.configure(SlapdConf()),
        lambda: server.configure_ldif(""),
        lambda: server.load([TOP]),
        lambda: server.modify_offline(""),
    ):
        with pytest.raises(UsageError, match="while it runs"):
            call()
    server.stop()
    with pytest.raises(UsageError, match="does not run"):
        _ = server.pid


def test_stop_pause_kill_and_restart(slapd: SlapdFactory) -> None:
    server = slapd()
    server.load([TOP])
    first = server.start().pid
    assert exists(first) and server.running
    server.pause()
    assert "T" in Path(f"/proc/{first}/stat").read_text().split(") ")[1][:1]
    server.resume()
    assert search(server.ldap_uri, "-b", SUFFIX, "-s", "base").returncode == 0
    server.pause()
    server.stop()
    assert not exists(first) and not server.running
    second = server.start().pid
    assert second != first and "slapd starting" in server.log_tail()
    server.kill()
    assert not exists(second) and not server.running
    server.start().restart()
    assert search(server.ldap_uri, "-b", SUFFIX, "-s", "base").returncode == 0, "the data outlived the crash"
    for _ in range(2):
        server.stop()
        server.kill()
        server.pause()


def test_a_slapd_that_ends_by_itself_is_noticed(server: Slapd) -> None:
    os.kill(server.pid, 9)
    deadline = time.monotonic() + 120
    while server.running and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not server.running
    server.start()


def test_the_password_stays_secret(slapd: SlapdFactory) -> None:
    server = slapd(debug="any", conf=SlapdConf(database=Database(suffix=SUFFIX), others=(Database(suffix="o=other"),)))
    server.load([TOP])
    server.start()
    assert as_admin(server, "ldapwhoami").stdout.strip() == f"dn:{server.rootdn}"
    secrets = [database.rootpw.reveal() for database in (server.conf.database, *server.conf.others)]
    assert len(set(secrets)) == 2
    parent = int(Path(f"/proc/{server.pid}/stat").read_text().split(") ")[1].split()[1])
    for secret in secrets:
        for pid in (server.pid, parent):
            assert secret not in Path(f"/proc/{pid}/cmdline").read_text()
        assert secret not in repr(server) + repr(server.conf) + server.log_tail(10**6)
    server.stop()
    server.configure(server.conf)
    with pytest.raises(LdapreplError) as caught:
        server.load([f"dn: cn={secrets[0]},dc=elsewhere\nobjectClass: person\n\n"])
    assert secrets[0] not in str(caught.value)


def test_files_are_for_the_owner_only(slapd: SlapdFactory) -> None:
    server = slapd()
    server.load([TOP])
    server.start()
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    for name in ("slapd.conf", "slapd.log"):
        assert stat.S_IMODE((server.folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((server.folder / "db0").stat().st_mode) == 0o700


def test_a_long_temporary_folder_leaves_room_for_the_socket(
    slapd: SlapdFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    server = slapd().start()
    assert not server.folder.is_relative_to(long) and not list(long.iterdir())


def test_load_and_dump_from_text_and_file(slapd: SlapdFactory, tmp_path: Path) -> None:
    wanted = list(stamped(directory(200)))
    path = tmp_path / "people.ldif"
    path.write_text("".join(map(entry_text, wanted)))
    server = slapd()
    server.load(path)
    assert list(entries(server.dump().splitlines())) == wanted
    server.wipe()
    with pytest.raises(LdapreplError, match="slapcat"):
        server.dump()
    text = path.read_text()
    server.load((text[at : at + 1000] for at in range(0, len(text), 1000)), quick=False)
    server.start()
    assert list(entries(server.dump().splitlines())) == wanted


def test_context_csn_and_server_id(slapd: SlapdFactory) -> None:
    server = slapd()
    server.load([TOP])
    assert "contextCSN" not in server.dump()
    server.wipe()
    server.load([TOP], write_csn=True, server_id=0x2A)
    top = next(entries(server.dump().splitlines()))
    assert top.values("contextCSN") == top.values("entryCSN")
    assert b"#02a#" in top.values("entryCSN")[0]


def test_slapadds_complaint_is_passed_on_however_much_is_left_to_read(slapd: SlapdFactory) -> None:
    server = slapd()
    rest = (entry_text(entry) for entry in directory(20_000))
    with pytest.raises(LdapreplError, match=r"slapadd.*line 1.*dc=elsewhere"):
        server.load(["dn: o=x,dc=elsewhere\nobjectClass: organization\no: x\n\n", *rest], quick=False)


def test_an_error_in_the_entries_is_passed_on(slapd: SlapdFactory) -> None:
    def broken() -> Iterator[str]:
        yield TOP
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        slapd().load(broken())


def test_an_offline_change_is_seen_after_the_start(slapd: SlapdFactory) -> None:
    server = slapd()
    server.load([TOP])
    server.modify_offline(f"dn: {SUFFIX}\nchangetype: modify\nadd: description\ndescription: offline\n\n")
    server.start()
    assert "description: offline" in search(server.ldapi_uri, "-b", SUFFIX, "-s", "base").stdout
    server.stop()
    with pytest.raises(LdapreplError, match="slapmodify"):
        server.modify_offline("dn: o=nowhere\nchangetype: delete\n\n")


def test_the_size_limit_is_slapds_own_when_asked_for(slapd: SlapdFactory) -> None:
    for limit, code, held in (("unlimited", 0, 600), ("", 4, 500), ("7", 4, 7)):
        server = slapd(SlapdConf(database=Database(sizelimit=limit)))
        server.load(map(entry_text, directory(600)))
        server.start()
        done = search(server.ldapi_uri, "-b", SUFFIX, "1.1")
        assert (done.returncode, done.stdout.count("dn: ")) == (code, held)


def test_several_databases(slapd: SlapdFactory) -> None:
    log = Database(suffix="cn=log", lines=("index reqStart eq",))
    main = Database(lines=("overlay syncprov", "overlay accesslog", "logdb cn=log", "logops writes", "logsuccess TRUE"))
    server = slapd(SlapdConf(database=main, others=(log,), modules=("syncprov", "accesslog"), server_id=3))
    server.load([TOP])
    server.start()
    assert as_admin(server, "ldapdelete", SUFFIX).returncode == 0
    assert server.dump() == "" and "auditDelete" in server.dump(suffix="cn=log")
    assert "#003#" in server.dump(suffix="cn=log")


def external(server: Slapd, command: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [command, "-Q", "-Y", "EXTERNAL", "-H", server.ldapi_uri, *arguments],
        capture_output=True,
        text=True,
        input=text,
        check=False,
    )


CHANGE = "dn: cn=config\nchangetype: modify\nreplace: olcSizeLimit\nolcSizeLimit: 42\n\n"


@pytest.mark.parametrize("converted", [False, True])
def test_cn_config_can_be_changed_live(slapd: SlapdFactory, converted: bool) -> None:
    server = slapd(SlapdConf(live_config=True))
    if converted:
        server.convert()
    server.load([TOP])
    server.start()
    done = external(server, "ldapmodify", text=CHANGE)
    assert done.returncode == 0, done.stderr
    server.restart()
    kept = "olcSizeLimit: 42" in external(server, "ldapsearch", "-LLL", "-b", "cn=config", "-s", "base").stdout
    assert kept == converted
    assert search(server.ldapi_uri, "-b", SUFFIX, "-s", "base").returncode == 0


def test_cn_config_is_closed_by_default(server: Slapd) -> None:
    assert external(server, "ldapmodify", text=CHANGE).returncode != 0


def test_a_server_from_ldif_of_cn_config(slapd: SlapdFactory, installation: Installation) -> None:
    server = slapd()
    modules = f"olcModulePath: {installation.module_dir}\nolcModuleLoad: back_mdb\n"
    modules = f"dn: cn=module{{0}},cn=config\nobjectClass: olcModuleList\ncn: module{{0}}\n{modules}\n"
    server.configure_ldif(
        "dn: cn=config\nobjectClass: olcGlobal\ncn: config\n\n"
        + (modules if installation.module("back_mdb") else "")
        + f"dn: cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: schema\n\n"
        f"include: file://{installation.schema_dir}/core.ldif\n\n"
        f"include: file://{installation.schema_dir}/cosine.ldif\n\n"
        "dn: olcDatabase={1}mdb,cn=config\nobjectClass: olcMdbConfig\nolcDatabase: {1}mdb\n"
        f"olcSuffix: {SUFFIX}\nolcDbDirectory: {server.folder}/main\n\n"
    )
    server.load([TOP])
    server.start()
    assert search(server.ldap_uri, "-b", SUFFIX, "-s", "base").returncode == 0
    server.stop()
    with pytest.raises(LdapreplError, match="slapadd"):
        server.configure_ldif("dn: cn=config\nobjectClass: olcGlobal\ncn: config\nolcNonsense: 1\n\n")


def test_slapd_conf_text_is_taken_as_it_stands(slapd: SlapdFactory, installation: Installation) -> None:
    server = slapd()
    load = f"modulepath {installation.module_dir}\nmoduleload back_mdb\n" if installation.module("back_mdb") else ""
    server.configure(
        f"include {installation.schema('core')}\ninclude {installation.schema('cosine')}\n{load}"
        f'database mdb\nsuffix "{SUFFIX}"\ndirectory "{server.folder}/here"\n'
    )
    server.load([TOP])
    assert search(server.start().ldap_uri, "-b", SUFFIX, "-s", "base").returncode == 0


def test_awkward_words_survive_slapd_conf(slapd: SlapdFactory) -> None:
    suffix = r"o=back\\slash \"quoted\" \#1"
    server = slapd(SlapdConf(database=Database(suffix=suffix)))
    server.load([f'dn: {suffix}\nobjectClass: organization\no: back\\slash "quoted" #1\n\n'])
    server.start()
    assert as_admin(server, "ldapsearch", "-LLL", "-b", suffix, "1.1").returncode == 0


def test_slaptest_judges_text(installation: Installation) -> None:
    assert slaptest(f"include {installation.schema('core')}\n", installation)[0]
    good, words = slaptest("sizelimit 1\nnonsense 1\n", installation)
    assert not good and "slapd.conf: line 2: unknown directive <nonsense>" in words and "/tmp" not in words


def test_a_missing_slapd_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ServerUnavailable, match=r"no program at /no/such/slapd\. Install"):
        find_installation("/no/such/slapd")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(slapdinstall, "_PROGRAM_DIRS", ())
    with pytest.raises(ServerUnavailable, match="not installed on this machine"):
        find_installation()
    with pytest.raises(ServerUnavailable, match="is not OpenLDAP's slapd"):
        find_installation("/bin/true")


def test_a_program_that_cannot_run_is_said(slapd: SlapdFactory, installation: Installation, tmp_path: Path) -> None:
    broken = tmp_path / "slapd"
    broken.write_text("not a program")
    broken.chmod(0o700)
    with Slapd(installation=replace(installation, program=broken)) as server:
        for call in (server.start, lambda: server.load([TOP])):
            with pytest.raises(ServerUnavailable, match=rf"cannot run {broken}.*TMPDIR"):
                call()
        assert not server.running


def test_a_missing_module_or_schema_is_said_before_the_start(slapd: SlapdFactory) -> None:
    with pytest.raises(ServerUnavailable, match="module nonsense is not in"):
        slapd(SlapdConf(modules=("nonsense",)))
    with pytest.raises(ServerUnavailable, match="schema nonsense is not in"):
        slapd(SlapdConf(schemas=("core", "nonsense")))


def test_a_static_build_loads_no_module(slapd: SlapdFactory, installation: Installation) -> None:
    static = replace(installation, static=frozenset({"mdb", "syncprov"}), module_dir=None)
    assert static.module("back_mdb") is None and static.module("syncprov") is None
    with pytest.raises(ServerUnavailable, match="module accesslog is not on this machine"):
        static.module("accesslog")
    assert {"config", "ldif"} <= installation.static


def test_where_apparmor_confines_slapd_a_private_copy_runs(
    slapd: SlapdFactory, installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = installation.program.resolve()
    if program != Path("/usr/sbin/slapd"):
        pytest.skip("AppArmor's profile is for /usr/sbin/slapd")
    assert Path(f"/proc/{slapd().start().pid}/exe").readlink() == program
    profile = tmp_path / "usr.sbin.slapd"
    profile.touch()
    monkeypatch.setattr(slapdinstall, "_APPARMOR_PROFILE", profile)
    server = slapd()
    server.load([TOP])
    server.start()
    assert Path(f"/proc/{server.pid}/exe").readlink().is_relative_to(server.folder)
    assert SUFFIX in server.dump()
