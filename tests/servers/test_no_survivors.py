"""The fear: slapd processes and folders full of data left behind on somebody's machine, however we end."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ldaprepl.wire.slapdinstall import Installation
from ldaprepl.wire.slapdproc import Slapd

SlapdFactory = Callable[..., Slapd]
ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds; only a test that fails waits so long


def gone(pid: int, folder: Path) -> bool:
    """Before long, neither process nor folder is there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}").exists() and not folder.exists():
            return True
        time.sleep(0.02)
    return False


def running(script: str) -> tuple[subprocess.Popen[str], int, Path]:
    """A Python process of its own that has started a server: the process, the server's pid and folder."""
    code = (
        "import os, signal, sys, threading, time\n"
        "from ldaprepl.wire.slapdproc import Slapd\n"
        "def report(server):\n"
        "    print(server.pid, server.folder, flush=True)\n"
        f"{script}\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout
    pid, folder = child.stdout.readline().split()  # written once the server answers; some scripts end right after
    return child, int(pid), Path(folder)


def test_close_and_the_end_of_with(installation: Installation) -> None:
    with Slapd(installation=installation) as server:
        pid = server.start().pid
    assert gone(pid, server.folder)
    server.close()


def test_an_exception(installation: Installation) -> None:
    with pytest.raises(RuntimeError), Slapd(installation=installation) as server:
        pid = server.start().pid
        raise RuntimeError
    assert gone(pid, server.folder)


def test_a_server_that_never_started_leaves_no_folder(installation: Installation) -> None:
    with Slapd(installation=installation) as server:
        assert server.folder.is_dir()
    assert not server.folder.exists()


def test_a_forgotten_server(installation: Installation) -> None:
    server = Slapd(installation=installation).start()
    pid, folder = server.pid, server.folder
    del server
    gc.collect()
    assert gone(pid, folder)


def test_a_paused_server(installation: Installation) -> None:
    with Slapd(installation=installation) as server:
        pid = server.start().pid
        server.pause()
    assert gone(pid, server.folder)


SLEEPING = "server = Slapd().start()\nreport(server)\ntime.sleep(300)"
PAUSED = "server = Slapd().start()\nreport(server)\nserver.pause()\ntime.sleep(300)"
IN_A_THREAD = (
    "def work():\n"
    "    global server\n"
    "    server = Slapd().start()\n"
    "thread = threading.Thread(target=work)\n"
    "thread.start()\n"
    "thread.join()\n"  # PR_SET_PDEATHSIG would have killed slapd here
    "report(server)\n"
    "time.sleep(300)"
)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("script", [SLEEPING, PAUSED, IN_A_THREAD], ids=["running", "paused", "thread"])
def test_a_killed_parent(installation: Installation, script: str, signum: int) -> None:
    child, pid, folder = running(script)
    with child:
        child.send_signal(signum)
        assert gone(pid, folder)


def test_a_parent_killed_while_its_server_is_stopped(installation: Installation) -> None:
    """Between load and start there is no slapd, but there may be gigabytes."""
    child, _, folder = running(
        "server = Slapd().start(); report(server); server.stop(); print(1, flush=True); time.sleep(300)"
    )
    with child:
        assert child.stdout and child.stdout.readline() == "1\n"
        assert folder.exists()
        child.kill()
        child.wait()
        assert gone(child.pid, folder)


ENDS = {
    "falls off the end": "server = Slapd().start(); report(server)",
    "sys.exit": "server = Slapd().start(); report(server); sys.exit(5)",
    "os._exit": "server = Slapd().start(); report(server); os._exit(0)",
    "crash": "server = Slapd().start(); report(server); os.abort()",
    "error": "server = Slapd().start(); report(server); 1 / 0",
    "error in with": "with Slapd() as server:\n    report(server.start()); 1 / 0",
    "many": "servers = [Slapd().start() for _ in range(3)]; report(servers[0]); os._exit(0)",
}


@pytest.mark.parametrize("script", ENDS.values(), ids=ENDS)
def test_a_parent_that_ends_in_its_own_way(installation: Installation, script: str) -> None:
    child, pid, folder = running(script)
    with child:
        assert gone(pid, folder)


def test_a_forked_child_does_not_stop_its_parents_server(installation: Installation) -> None:
    forking = (
        "server = Slapd().start(); report(server)\n"
        "if os.fork() == 0:\n"
        "    sys.exit(0)\n"  # runs the child's copies of all finalizers
        "os.wait()\n"
        "print(server.running, os.path.exists(server.folder), flush=True)\n"
        "sys.stdin.read()"
    )
    child, pid, folder = running(forking)
    with child:
        assert child.stdout and child.stdout.readline() == "True True\n"
        assert Path(f"/proc/{pid}").exists()
        child.communicate("")
        assert gone(pid, folder)


def test_ctrl_c_on_the_terminal_reaches_us_first(installation: Installation) -> None:
    """A signal to our process group must not take the server away while we still tidy up."""
    script = (
        "os.setpgid(0, 0)\n"
        "server = Slapd().start()\n"
        "try:\n"
        "    report(server)\n"
        "    time.sleep(300)\n"
        "except KeyboardInterrupt:\n"
        "    print(server.running, os.path.exists(f'/proc/{server.pid}'), flush=True)"
    )
    child, pid, folder = running(script)
    with child:
        os.killpg(child.pid, signal.SIGINT)
        assert child.stdout and child.stdout.readline() == "True True\n"
        assert gone(pid, folder)


def test_the_guard_shrugs_off_polite_signals(slapd: SlapdFactory) -> None:
    server = slapd().start()
    guard = int(Path(f"/proc/{server.pid}/stat").read_text().split(") ")[1].split()[1])
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(guard, signum)
    server.pause()
    server.resume()
    assert server.running
