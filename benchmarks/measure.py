"""Runs commands, all at once, and prints what they cost: the kernel's own figures (wait4).

A process of its own, because a child's peak memory begins with that of the process that spawned it: this one is small.

    echo '[["ldapsearch", ...], ...]' | python measure.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Cost:
    """Seconds of wall and CPU (summed), MiB at the peak of the largest, worst exit code."""

    wall: float
    cpu: float
    memory: float
    exit_code: int


def measured(commands: list[list[str]]) -> Cost:
    """What `commands` cost, started together, in a small process that does nothing else."""
    done = subprocess.run(
        [sys.executable, "-S", "-E", __file__], input=json.dumps(commands), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Cost(**json.loads(done.stdout))


def _run(commands: list[list[str]]) -> Cost:
    null = os.open(os.devnull, os.O_WRONLY)
    started = time.monotonic()
    actions = [(os.POSIX_SPAWN_DUP2, null, 1)]
    pids = [os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions) for argv in commands]
    ends = [os.wait4(pid, 0) for pid in pids]
    wall = time.monotonic() - started
    usages = [usage for _, _, usage in ends]
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    memory = max(usage.ru_maxrss for usage in usages) / 1024
    return Cost(wall, cpu, memory, max(os.waitstatus_to_exitcode(status) for _, status, _ in ends))


if __name__ == "__main__":
    print(json.dumps(asdict(_run(json.load(sys.stdin)))))
