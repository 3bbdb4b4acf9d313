"""A state file is replaced in each run, so it must never be a file of somebody else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ldaprepl.errors import UsageError
from ldaprepl.wire.lock import locked

ROOT = Path(__file__).parents[2]
WITHOUT_ROOM = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from ldaprepl.errors import LdapreplError
from ldaprepl.wire.lock import replace
resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4))
try:
    replace(Path(sys.argv[2]), "too long")
except LdapreplError as error:
    print(error.message)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize(
    "content", [b"root:x:0:0:root:/root:/bin/sh\n", b"[]", b"{'a': 1}", b"\x00\x01", b"dn: cn=config\n"]
)
def test_a_file_of_somebody_else_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "passwd"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="no state file"), locked(file):
        pytest.fail("it would have been replaced")
    assert file.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["passwd"]


@pytest.mark.parametrize("content", [None, b"", bytes(4096), b'{\n  "schema": 1,', b"{", b'{"schema": 1}\n'])
def test_ours_is_taken_also_when_it_was_cut(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "state").write_bytes(content)
    with locked(tmp_path / "state"):
        pass


def test_the_memory_of_another_command_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "state").write_text('{\n "schema": 1,\n "command": "verify",\n "pairs": {}\n}\n')
    with pytest.raises(UsageError, match="state file of verify"), locked(tmp_path / "state", "check"):
        pytest.fail("it would have been replaced")
    with locked(tmp_path / "state", "verify"):
        pass


def test_a_folder_or_a_device_is_no_state_file(tmp_path: Path) -> None:
    for place in (tmp_path, Path("/dev/null")):
        with pytest.raises(UsageError), locked(place):
            pass


@pytest.mark.parametrize("before", [None, "old"])
def test_a_save_for_which_there_is_no_room_leaves_all_as_it_was(tmp_path: Path, before: str | None) -> None:
    """The system itself refuses to write more; that is no wrong usage."""
    state = tmp_path / "state"
    if before:
        state.write_text(before)
    command = [sys.executable, "-c", WITHOUT_ROOM, ROOT, state]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, f"the state file {state} cannot be used (File too large)\n"), (
        done.stderr
    )
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == ([("state", before)] if before else [])
