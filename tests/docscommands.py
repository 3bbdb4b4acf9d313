"""The commands that the manual shows, taken out of its pages.

In a ```console block every line behind `$` is a command that anybody may type as it stands: tests run it. Elsewhere a
line that begins with `ldaprepl` is one too, with a remark behind two blanks; tests only let the program read it, unless
it has `...` in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page: Path, *, console: bool) -> Iterator[str]:
    """Command lines without the program's name, each in one line."""
    for kind, block in _BLOCK.findall(page.read_text()):
        if (kind == "console") is not console:
            continue
        for line in block.replace("\\\n", " ").splitlines():
            start = "$ ldaprepl " if console else "ldaprepl "
            if line.startswith(start) and " ..." not in line:
                yield re.split(r" {3,}| # ", line.removeprefix(start).strip())[0].strip()
