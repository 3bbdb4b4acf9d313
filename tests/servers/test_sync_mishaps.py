"""What goes wrong in daily use: a run that is ended in its middle, full disks, wrong passwords, read-only servers. Each
is one clear sentence, and the next run finishes the work."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ldap
import pytest
from synclab import BASE, UPDATEDN, Lab, add_person, consumer_conf, make_room, provider_conf, seed
from test_sync_cli import options, state
from verifying import PATIENCE, Gate

from ldaprepl.cli.main import run
from ldaprepl.wire.slapdconf import Database, SlapdConf

MANY = 1000
SEEN = 100  # entries that are there when the run is ended


@pytest.fixture
def lab(slapd, tmp_path: Path) -> Lab:  # type: ignore[no-untyped-def]  # the fixture's type is in conftest
    """The consumer flushes every write, as by default: a run takes long enough to be met in its middle."""
    made = Lab(slapd(provider_conf()).start(), slapd(SlapdConf(Database(lines=UPDATEDN))).start(), tmp_path)
    seed(made.admin(), people=MANY)
    return made


@pytest.fixture
def gate(lab: Lab) -> Iterator[Gate]:
    """The way to the consumer. It shuts in the middle of the run, however fast the disk is."""
    with Gate(lab.consumer, lambda: under_way(lab)) as made:
        yield made


def words(lab: Lab, tmp_path: Path, gate: Gate | None = None) -> list[str]:
    """The command and its options; by the gate, if there is one."""
    given = ["sync", *options(lab, tmp_path), *state(tmp_path)]
    return [gate.uri if gate and word == lab.consumer.ldap_uri else word for word in given]


def begin(arguments: list[str], limit: int | None = None) -> subprocess.Popen[str]:
    """`ldaprepl` in a process of its own; `limit`: bytes a file may have."""

    def confine() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "ldaprepl", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, preexec_fn=confine)  # noqa: PLW1509


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)


def under_way(lab: Lab) -> bool:
    try:
        return bool(
            lab.admin(lab.consumer).search_s(f"uid=p{SEEN},ou=people,{BASE}", ldap.SCOPE_BASE, attrlist=["1.1"])
        )
    except (ldap.NO_SUCH_OBJECT, ldap.SERVER_DOWN):
        return False


def assert_finished_by_the_next(lab: Lab, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0
    assert "cut off" in capsys.readouterr().out
    lab.assert_equal()


@pytest.mark.parametrize(
    "end",
    [
        (signal.SIGINT, 130, "interrupted; what was done so far stays"),
        (signal.SIGTERM, 143, "ended by SIGTERM"),
        (signal.SIGKILL, -9, ""),
    ],
    ids=["SIGINT", "SIGTERM", "SIGKILL"],
)
def test_a_run_is_ended_in_its_middle(
    lab: Lab, gate: Gate, tmp_path: Path, capsys: pytest.CaptureFixture[str], end: tuple[int, int, str]
) -> None:
    """At once: libldap's lock, held when the signal comes, must not hold up the end."""
    number, code, why = end
    arguments = words(lab, tmp_path, gate)
    process = begin(arguments)
    assert gate.reached.wait(PATIENCE)
    meanwhile = run(arguments)
    process.send_signal(number)
    said, _ = process.communicate(timeout=PATIENCE)
    gate.finish()
    assert meanwhile == 3
    assert "another sync of this pair is running" in capsys.readouterr().err
    assert process.returncode == code
    assert why in said and "Traceback" not in said
    assert_finished_by_the_next(lab, arguments, capsys)


def test_the_consumer_is_killed(lab: Lab, gate: Gate, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = words(lab, tmp_path, gate)
    process = begin(arguments)
    assert gate.reached.wait(PATIENCE)
    lab.consumer.kill()
    gate.open()
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert gate.uri in said and "the next run" in said
    lab.consumer.start()
    assert_finished_by_the_next(lab, arguments, capsys)


def test_the_disk_of_the_state_is_full(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything is written, nothing can be remembered: said, and the state is not taken for damaged."""
    process = begin(words(lab, tmp_path), limit=60_000)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert "the state file" in said and "cannot be used" in said and "a bug" not in said
    assert not list((tmp_path / "state").glob("*.damaged"))
    assert_finished_by_the_next(lab, words(lab, tmp_path), capsys)


def test_the_consumers_database_is_full(slapd, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    """One sentence, and not a thousand entries that are said to be to blame; with room the next run goes on."""
    small = SlapdConf(Database(lines=UPDATEDN, nosync=True, maxsize=600_000), live_config=True)
    made = Lab(slapd(provider_conf()).start(), slapd(small).start(), tmp_path)
    seed(made.admin(), people=MANY)
    assert run(words(made, tmp_path)) == 3
    out, err = capsys.readouterr()
    assert "has no room for 'uid=p" in err and "olcDbMaxSize" in err
    assert "refused" not in out
    make_room(made.consumer)
    assert_finished_by_the_next(made, words(made, tmp_path), capsys)


@pytest.mark.parametrize("whose", ["provider", "consumer"])
def test_a_wrong_password(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str], whose: str) -> None:
    common = options(lab, tmp_path)
    (tmp_path / f"{whose}.pw").write_text("wrong")
    assert run(["sync", *common, *state(tmp_path)]) == 3
    server = lab.provider if whose == "provider" else lab.consumer
    assert f"{server.ldap_uri} does not let {server.rootdn} in: wrong password" in capsys.readouterr().err


def test_slips_of_the_pen(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = options(lab, tmp_path)
    blocked = tmp_path / "a file"
    blocked.write_text("")

    def said(code: int, *arguments: str) -> str:
        assert run(["sync", *common, *state(tmp_path), *arguments]) == code
        return capsys.readouterr().err

    assert "is not a DN" in said(2, "-b", "rubbish")
    assert "search filter" in said(2, "--filter", "(uid=x")
    assert "cannot be used" in said(2, "--state", str(blocked / "below"))
    assert "has no database for 'dc=else' (it has: dc=example,dc=com)" in said(1, "-b", "dc=else")
    assert "has no entry 'ou=nowhere,dc=example,dc=com', or hides it" in said(3, "-b", f"ou=nowhere,{BASE}")
    assert "does not let rubbish in (Invalid DN syntax" in said(3, "-D", "rubbish")


def test_a_consumer_that_is_read_only(slapd, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    made = Lab(slapd(provider_conf()).start(), slapd(consumer_conf(("readonly on",))).start(), tmp_path)
    seed(made.admin())
    assert run(["sync", *options(made, tmp_path), *state(tmp_path)]) == 1
    assert "takes no changes" in capsys.readouterr().err


def test_weeks_of_every(slapd, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """One line for each run, no growth, and SIGTERM between two runs is an ordinary end."""
    lab = Lab(slapd(provider_conf()).start(), slapd(consumer_conf()).start(), tmp_path)
    master = lab.admin()
    seed(master, people=50)
    log = tmp_path / "log"
    command = [sys.executable, "-m", "ldaprepl", "sync", *options(lab, tmp_path), *state(tmp_path), "--every", "20ms"]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output, text=True) as process:

        def lines() -> list[str]:
            return [line for line in log.read_text().splitlines() if not line.startswith("note: one final newline")]

        def memory() -> int:
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")

        try:
            until(lambda: len(lines()) > 20, process)
            before = memory()
            for number in range(40):
                there = len(lines())
                add_person(master, f"uid=w{number},ou=people,{BASE}")
                until(lambda there=there: len(lines()) > there + 1, process)  # type: ignore[misc]  # bound at once
            assert memory() - before < 4 << 20
            process.send_signal(signal.SIGSTOP)
            master.delete_s(f"uid=w0,ou=people,{BASE}")
            process.send_signal(signal.SIGCONT)
            until(lambda: any("1 deleted" in line for line in lines()), process)
        finally:
            process.terminate()
        assert process.wait(PATIENCE) in (0, 143)
    assert all(line.startswith(("up to date: ldap", "done: ldap")) for line in lines()[:-1])


def test_sigterm_between_two_runs_is_an_ordinary_end(slapd, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    lab = Lab(slapd(provider_conf()).start(), slapd(consumer_conf()).start(), tmp_path)
    seed(lab.admin())
    with begin([*words(lab, tmp_path), "--every", "1h"]) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("done:"):
            assert process.poll() is None
        lab.assert_equal()
        until(lambda: at_rest(process.pid), process)  # it has said so; now it goes there
        process.terminate()
    assert process.returncode == 0


def at_rest(pid: int) -> bool:
    """It sleeps, and has not worked for a while."""

    def seen() -> tuple[str, ...]:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        return fields[0], *fields[11:13]  # its state, and the time it has worked: proc(5)

    first = seen()
    time.sleep(0.2)
    return first[0] == "S" and seen() == first
