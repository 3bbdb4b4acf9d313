"""The state file: one run at a time, all or nothing, bound to what the cookie is bound to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ldaprepl.domain.plan import Refusal
from ldaprepl.domain.tree import Node, Tree
from ldaprepl.errors import AlreadyRunning, UsageError
from ldaprepl.wire.statefile import open_state

PAIR = {"provider": "ldap://a", "consumer": "ldap://b"}
NODES = {"1": Node("", b"dc=lab", "dc=lab", "c1"), "2": Node("1", b"ou=a", "ou=a", "c2")}


def fill(folder: Path) -> None:
    with open_state(folder, PAIR, {"filter": "x"}) as state:
        state.finish(NODES, [Refusal("3", "cn=x", "why")], {"cookie": "csn=1", "clean": "yes"})


def test_what_was_saved_is_there_next_time(tmp_path: Path) -> None:
    fill(tmp_path)
    with open_state(tmp_path, PAIR, {"filter": "x"}) as state:
        assert state.clean and state.fact("cookie") == "csn=1" and state.refused() == [Refusal("3", "cn=x", "why")]
        tree = Tree(state)
        assert len(tree) == 2 and tree.dn("2") == "ou=a,dc=lab"
        assert tree.at("1", b"ou=a") == "2" and tree.children("1") == ["2"] and tree.at("1", b"ou=b") is None


@pytest.mark.parametrize("binding", [{"filter": "y"}, {"filter": "x", "identity": "cn=other"}])
def test_another_binding_forgets_everything_and_says_so(tmp_path: Path, binding: dict[str, str]) -> None:
    fill(tmp_path)
    with open_state(tmp_path, PAIR, binding) as state:
        assert state.count() == 0 and state.fact("cookie") == "" and not state.clean and state.refused() == []
        assert "changed" in state.notes[0]


def test_a_run_that_dies_in_the_middle_leaves_its_mark_and_the_old_cookie(tmp_path: Path) -> None:
    fill(tmp_path)
    code = (
        "import os, sys, pathlib; from ldaprepl.wire.statefile import open_state\n"
        f"with open_state(pathlib.Path(sys.argv[1]), {json.dumps(PAIR)}, {{'filter': 'x'}}) as state:\n"
        "    state.begin(); os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, env=os.environ).returncode == 9
    with open_state(tmp_path, PAIR, {"filter": "x"}) as state:  # the lock died with the process
        assert not state.clean and state.fact("cookie") == "csn=1" and state.count() == 2


def test_a_failed_save_saves_nothing(tmp_path: Path) -> None:
    fill(tmp_path)
    with open_state(tmp_path, PAIR, {"filter": "x"}) as state:
        with pytest.raises(AttributeError):
            state.finish({"1": None}, ["no refusal"], {"cookie": "csn=2"})  # type: ignore[list-item]  # on purpose
        assert state.count() == 2 and state.fact("cookie") == "csn=1"


def test_two_at_once(tmp_path: Path) -> None:
    with open_state(tmp_path, PAIR, {}):
        with pytest.raises(AlreadyRunning), open_state(tmp_path, PAIR, {}):
            pass
        with open_state(tmp_path, {**PAIR, "consumer": "ldap://c"}, {}):
            pass  # another pair is no rival


def test_the_folder_and_the_file_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    fill(folder)
    (file,) = folder.glob("*.sqlite")
    assert folder.stat().st_mode & 0o777 == 0o700 and file.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_used_is_a_usage_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UsageError), open_state(file / "below", PAIR, {}):
        pass
