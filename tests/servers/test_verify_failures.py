"""The fears: an error that reads like a divergence or like success, a traceback, a password in the open.

Whatever goes wrong has its own sentence and its exit code, and not one entry is called missing for it.
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from verifying import (
    ADMIN,
    PATIENCE,
    REPLICA,
    SECRET,
    Relay,
    Run,
    SlapdFactory,
    checked,
    command,
    conf,
    environment,
    filled,
    nobody,
    password_file,
    replica,
    rubbish,
    verify,
)

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.sample import SUFFIX, directory, stamped
from ldaprepl.wire.slapdproc import Slapd

SAMPLE = 3000
MIDDLE = 600_000  # bytes: somewhere in the middle of the sample


def sample(count: int = SAMPLE) -> list[Entry]:
    return list(stamped([*directory(count - 1), replica()]))


@pytest.fixture(scope="module")
def provider(slapd_module: SlapdFactory) -> Slapd:
    return filled(slapd_module(conf("overlay syncprov", modules=("syncprov",))), sample())


@pytest.fixture(scope="module")
def consumer(slapd_module: SlapdFactory) -> Slapd:
    """As the provider, but for one entry; slapd's own size limit of 500 holds for all but its administrator."""
    changed = [*sample()[:-2], *sample()[-1:]]
    return filled(slapd_module(conf(sizelimit="")), changed)


def assert_undecided(run: Run, *words: str, number: int = 0) -> None:
    """Exit 3, the reason in the report, and nothing else in it."""
    assert run.code == 3
    report = run.report
    assert report["verdict"] == "undecided"
    consumer = report["consumers"][number]
    assert consumer["verdict"] == "undecided"
    assert consumer["findings"] == []
    for word in words:
        assert word in consumer["problem"]["text"] + " " + consumer["problem"]["cure"]
    assert "\n" not in consumer["problem"]["text"]
    assert consumer["problem"]["cure"]


def test_a_size_limit_names_who_was_limited_and_the_line_that_lifts_it(provider: Slapd, consumer: Slapd) -> None:
    run = verify(provider, consumer, bind=REPLICA)
    line = f'limits dn.exact="{REPLICA}" size=unlimited time=unlimited'
    assert_undecided(run, "after 500 entries", "size limit", consumer.ldap_uri, REPLICA, line)
    other_way = verify(consumer, provider, bind=REPLICA)
    assert_undecided(other_way, "after 500 entries", consumer.ldap_uri, line)


def test_that_line_lifts_it(slapd: SlapdFactory, provider: Slapd) -> None:
    line = f'limits dn.exact="{REPLICA}" size=unlimited time=unlimited'
    lifted = filled(slapd(conf(line, sizelimit="")), sample())
    assert verify(provider, lifted, bind=REPLICA).code == 0


def test_a_wrong_password(provider: Slapd, consumer: Slapd) -> None:
    run = verify(provider, consumer, env={"LDAPREPL_PASSWORD": "wrong sesame"})
    assert_undecided(run, ADMIN, "49 invalidCredentials", "password is wrong")
    assert "wrong sesame" not in run.out + run.err
    run = verify(provider, consumer, env={"LDAPREPL_CONSUMER_PASSWORD": "wrong sesame"})
    assert_undecided(run, consumer.ldap_uri, "49 invalidCredentials")


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_a_base_that_one_side_does_not_have(slapd: SlapdFactory, provider: Slapd, side: str) -> None:
    base = f"ou=Sales,ou=people,{SUFFIX}"
    small = filled(slapd(conf()), sample(4))
    pair = (small, provider) if side == "provider" else (provider, small)
    assert_undecided(verify(*pair, base=base), base, small.ldap_uri, "--base")


def test_a_base_that_is_no_dn_or_elsewhere(provider: Slapd, consumer: Slapd) -> None:
    assert verify(provider, consumer, base="no dn at all").code == 2  # no server need be asked
    assert_undecided(verify(provider, consumer, base="no=dn,at+all=x"), "34 invalidDNSyntax")
    assert_undecided(verify(provider, consumer, base="dc=example,dc=org"), "dc=example,dc=org", "--base")


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_a_server_that_is_killed_in_mid_read(slapd: SlapdFactory, provider: Slapd, side: str) -> None:
    victim = filled(slapd(conf()), sample())

    def die() -> None:
        victim.pause()
        victim.kill()

    with Relay(victim, MIDDLE, die, cut=True) as relay:
        pair = (relay.uri, provider) if side == "provider" else (provider, relay.uri)
        run = verify(*pair)
    assert_undecided(run, relay.uri, "before the answer was complete", "log")
    assert 0 < min(run.consumer["entries"]["provider"], run.consumer["entries"]["consumer"]) < SAMPLE


def test_a_server_that_dies_before_the_second_look(slapd: SlapdFactory, provider: Slapd) -> None:
    """Suspects are there already, and must not turn into findings."""
    victim = filled(slapd(conf()), sample(200))
    with Relay(victim, 1 << 30) as relay:
        assert verify(victim, relay.uri).code == 0
    with Relay(victim, relay.passed + 20_000, cut=True) as relay:
        run = verify(provider, relay.uri)
    assert_undecided(run, relay.uri)
    assert run.consumer["entries"]["consumer"] == 200


def test_a_server_that_falls_silent_while_others_go_on(provider: Slapd, slapd: SlapdFactory) -> None:
    copy = filled(slapd(conf()), sample())
    with Relay(copy, MIDDLE) as relay:
        run = verify(provider, [copy, relay.uri], "--timeout", "3")
    assert_undecided(run, relay.uri, "sent nothing for 3 s", "--timeout", number=1)
    assert run.report["consumers"][0]["verdict"] == "equal"


def test_a_server_that_cannot_be_reached(provider: Slapd) -> None:
    with nobody() as away:
        run = verify(provider, away)
        assert_undecided(run, away, "cannot be reached", "Connection refused")
        run = verify(away, [provider, provider])
        assert_undecided(run, away, "cannot be reached")
        assert_undecided(run, away, "cannot be reached", number=1)
    assert_undecided(verify(provider, "ldap://host.invalid"), "ldap://host.invalid cannot be reached")


@pytest.mark.parametrize("bind", [ADMIN, None], ids=["bound", "anonymous"])
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        bytes(64),
        b"\xff" * 400,
        b"0\x84\x7f\xff\xff\xff" + b"x" * 100,
        bytes.fromhex("300a020102") + b"zzzzzzz",
        bytes.fromhex("300c02010161070c010004000400"),
        b"",
    ],
    ids=["http", "ssh", "zeros", "ones", "huge", "letters", "odd tag", "nothing"],
)
def test_a_server_that_talks_rubbish(provider: Slapd, answer: bytes, bind: str | None) -> None:
    with rubbish(answer) as listener:
        odd = f"ldap://127.0.0.1:{listener.getsockname()[1]}"
        assert_undecided(verify(provider, odd, bind=bind), odd)


def test_an_identity_that_may_search_but_not_read(slapd: SlapdFactory, provider: Slapd) -> None:
    """The search ends well, and without a single entry. A verifier that believes it calls everything missing; and
    with two of that kind it calls nothing equal to nothing."""
    blind = filled(slapd(conf(f'access to dn.subtree="{SUFFIX}" by anonymous auth by * search')), sample())
    assert_undecided(verify(provider, blind, bind=REPLICA), blind.ldap_uri, "no entry at all")
    assert_undecided(verify(blind, provider, bind=REPLICA), "no entry at all")
    assert_undecided(verify(blind, blind, bind=REPLICA), "no entry at all")


def test_an_identity_that_is_refused_a_part(slapd: SlapdFactory, provider: Slapd) -> None:
    """Sales is there, and not shown: the server says so when it is asked for one entry of it."""
    hidden = f'access to dn.subtree="ou=Sales,ou=people,{SUFFIX}" by * disclose'
    partly = filled(slapd(conf(hidden, "access to * by * read")), sample())
    run = verify(provider, partly, bind=REPLICA)
    assert_undecided(run, partly.ldap_uri, REPLICA, "50 insufficientAccessRights", "read access")


def test_a_schema_that_is_not_shown(slapd: SlapdFactory, provider: Slapd) -> None:
    settings = conf()
    closed = ('access to dn.base="cn=Subschema" by * none', "access to * by * read")
    mute = filled(slapd(type(settings)(settings.database, lines=(*settings.lines, *closed))), sample(50))
    assert_undecided(verify(mute, mute), "does not show its schema", "--bytewise")
    assert verify(mute, mute, "--bytewise").code == 0
    assert verify(mute, mute, "--bytewise", "--attrs", "descripton").code == 0, "nobody can tell"


def test_one_broken_consumer_leaves_the_others_their_verdict(
    slapd: SlapdFactory, provider: Slapd, consumer: Slapd
) -> None:
    equal = filled(slapd(conf()), sample())
    with nobody() as away, Relay(equal, MIDDLE, cut=True) as relay:
        run = verify(provider, [away, equal, relay.uri, consumer])
    verdicts = [one["verdict"] for one in run.report["consumers"]]
    assert verdicts == ["undecided", "equal", "undecided", "diverged"]
    assert [one["uri"] for one in run.report["consumers"]] == [away, equal.ldap_uri, relay.uri, consumer.ldap_uri]
    assert [finding["kind"] for finding in run.report["consumers"][3]["findings"]] == ["missing"]
    assert run.report["verdict"] == "undecided"
    assert run.code == 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "there is nothing to look at"),
        (["--provider", "ldap://127.0.0.1", "--consumer", "ldap://127.0.0.1"], "--base"),
        (["--provider", "http://x", "--consumer", "ldap://127.0.0.1", "-b", "dc=x"], "is not an LDAP URL"),
        ([*command("ldap://127.0.0.1", "ldap://127.0.0.1")[4:], "--filter", "(cn=x"], "search filter"),
        ([*command("ldap://127.0.0.1", "ldap://127.0.0.1")[4:], "--format", "yaml"], "yaml"),
        ([*command("ldap://127.0.0.1", "ldap://127.0.0.1")[4:], "-y", "/no/such/file"], "/no/such/file"),
        ([*command("ldap://127.0.0.1", "ldap://127.0.0.1")[4:], "-o", "/no/such/folder/x"], "/no/such/folder/x"),
        ([*command("ldap://192.0.2.1", "ldap://127.0.0.1")[4:], "--no-starttls"], "in the clear"),
        (["--password", "x"], "--password"),
    ],
)
def test_wrong_usage_is_two(words: list[str], sentence: str) -> None:
    done = subprocess.run([*command("", "")[:4], *words], capture_output=True, env=environment(), check=False)
    run = checked(done.returncode, done.stdout, done.stderr)
    assert run.code == 2
    assert sentence in run.err
    assert run.out == ""


def test_attributes_that_nobody_knows(provider: Slapd, consumer: Slapd) -> None:
    """A misspelt name would be compared as nothing with nothing."""
    run = verify(provider, consumer, "-a", "telephoneNumbr")
    assert run.code == 2
    assert "telephoneNumbr" in run.err
    run = verify(provider, consumer, "-a", "telephoneNumbr", "-a", "cn", "-x", "mial")
    assert run.code == 1
    assert {note for note in run.consumer["notes"] if "schema" in note} == {
        "the provider's schema has no attribute telephoneNumbr",
        "the provider's schema has no attribute mial",
    }


# -- signals, pipes, terminals, files ----------------------------------------------------------------------------------


@pytest.fixture
def stuck(provider: Slapd, tmp_path: Path) -> Iterator[Any]:
    """A run that waits in mid-read, started with a password file."""
    with Relay(provider, MIDDLE) as relay:
        words = [*command(provider.ldap_uri, relay.uri), "-y", str(password_file(tmp_path))]
        variables = environment({"TMPDIR": str(tmp_path)})
        del variables["LDAPREPL_PASSWORD"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=variables) as process:
            try:
                assert relay.reached.wait(PATIENCE)
                yield process
            finally:
                process.kill()


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "SIGTERM"), (signal.SIGHUP, 129, "SIGHUP")],
)
def test_a_signal_ends_it_with_one_line(stuck: subprocess.Popen[bytes], number: int, code: int, word: str) -> None:
    stuck.send_signal(number)
    out, err = stuck.communicate(timeout=PATIENCE)
    run = checked(stuck.returncode, out, err)
    assert run.code == code
    assert run.out == ""
    assert len(run.err.replace("note:", "").strip().splitlines()) <= 2
    assert word in run.err


def test_the_password_is_not_in_the_process_list(stuck: subprocess.Popen[bytes], tmp_path: Path) -> None:
    seen = 0
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        seen += words.startswith(sys.executable.encode()) and str(tmp_path).encode() in words
        assert SECRET.encode() not in words
    assert seen == 1


def test_a_reader_who_has_gone_away_changes_nothing(provider: Slapd, consumer: Slapd) -> None:
    for other, code in ((provider, 0), (consumer, 1)):
        words = [*command(provider.ldap_uri, other.ldap_uri), "--format", "text"]
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, env=environment(), check=False)
        os.close(write)
        assert (done.returncode, done.stderr) == (code, b"")


def test_a_full_disk_and_a_closed_output_are_said_or_borne(provider: Slapd) -> None:
    words = command(provider.ldap_uri, provider.ldap_uri)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, env=environment(), check=False)
    run = checked(done.returncode, b"", done.stderr)
    assert run.code == 3, "nothing is wrong with the command"
    assert "No space left" in run.err
    shell = ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *words]
    done = subprocess.run(shell, stderr=subprocess.PIPE, env=environment(), check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_report_file_is_whole_or_the_old_one(
    stuck: subprocess.Popen[bytes], provider: Slapd, tmp_path: Path
) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    report = folder / "verify.json"
    report.write_text("old")
    report.chmod(0o640)
    run = verify(provider, provider, "-o", str(report))
    assert run.code == 0 and '"this consumer is the provider itself' in report.read_text()  # which proves nothing
    assert (run.code, run.out) == (0, "")
    assert '"verdict": "equal"' in report.read_text()
    assert report.stat().st_mode & 0o777 == 0o640
    assert list(folder.iterdir()) == [report], "nothing is left beside it"
    link = folder / "link"
    link.symlink_to(report)
    report.write_text("old")
    verify(provider, provider, "-o", str(link))
    assert link.is_symlink()
    assert "equal" in report.read_text()


def test_a_device_is_written_to_and_not_replaced(provider: Slapd, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    assert verify(provider, provider, "-o", str(pipe)).code == 0
    reader.join(PATIENCE)
    assert pipe.is_fifo()
    assert '"verdict": "equal"' in read[0]


def on_terminal(words: list[str], **more: str) -> str:
    """What it writes when both outputs are a terminal."""
    control, terminal = pty.openpty()
    with subprocess.Popen(words, stdout=terminal, stderr=terminal, env=environment({"TERM": "xterm", **more})) as run:
        os.close(terminal)
        written = b""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                data = os.read(control, 65536)
            except OSError:  # the other end has gone
                break
            written += data
        run.wait(PATIENCE)
    os.close(control)
    return written.decode()


def test_colour_and_progress_are_for_terminals_and_not_against_the_will(provider: Slapd, consumer: Slapd) -> None:
    words = [*command(provider.ldap_uri, consumer.ldap_uri), "--format", "text"]
    shown = on_terminal(words)
    assert "\x1b[1;31mDIVERGED\x1b[0m" in shown
    assert "entries, " in shown
    assert "/s" in shown, "the rate"
    plain = on_terminal([*words, "--quiet"], NO_COLOR="1")
    assert "\x1b" not in plain
    assert "DIVERGED" in plain
    piped = subprocess.run(words, capture_output=True, env=environment({"TERM": "xterm"}), check=False)
    assert b"\x1b" not in piped.stdout + piped.stderr


def test_no_locale_breaks_it(slapd: SlapdFactory) -> None:
    name = "Zoë 王"
    entries = list(stamped(directory(20)))
    changed = [*entries[:-1], Entry(entries[-1].dn, {**entries[-1].attributes, "description": (name.encode(),)})]
    pair = filled(slapd(conf()), entries), filled(slapd(conf()), changed)
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run = verify(*pair, "--filter", f"(|(description={name})(objectClass=*))", env=ascii_only)
    assert run.code == 1
    assert run.out.isascii()
    assert run.findings[0]["attributes"] == [{"name": "description", "provider": [], "consumer": [name]}]
    words = [*command(pair[0].ldap_uri, pair[1].ldap_uri), "--format", "text"]
    western = environment({"PYTHONIOENCODING": "latin-1"})
    done = subprocess.run(words, capture_output=True, env=western, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert '"Zoë \\u738b"' in done.stdout.decode("latin-1")
