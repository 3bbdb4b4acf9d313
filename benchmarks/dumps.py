"""`ldaprepl verify --ldif` beside a comparison of two dicts that python-ldap's ldif module has read, on made-up dumps.

Cases: both dumps the same, the consumer's in random order, 1 % of its entries differing, and both packed by gzip (which
the peer does not read). Every contender is a whole process; wall and CPU seconds and peak memory are the kernel's own
(wait4); the contenders take turns and the medians are shown. Ratios are within the run.

    python benchmarks/dumps.py [--entries 200000] [--runs 3] [--no-peer]
"""

from __future__ import annotations

import argparse
import gzip
import random
import statistics
import sys
import tempfile
from pathlib import Path

from measure import Cost, measured

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.sample import directory, stamped

CASES = ("same order", "random order", "1 % differing", "gzip")


def write(folder: Path, count: int) -> Path:
    """The provider's dump and the consumers', each named after its case."""
    texts = [entry_text(entry) for entry in stamped(directory(count))]
    provider = folder / "provider.ldif"
    provider.write_text("".join(texts))
    (folder / "same order").write_text("".join(texts))
    (folder / "gzip").write_bytes(gzip.compress("".join(texts).encode(), 6))
    changed = texts[:]
    for number, entry in enumerate(stamped(directory(count))):
        if number % 100 == 50:
            changed[number] = entry_text(Entry(entry.dn, {**entry.attributes, "description": (b"changed",)}))
    (folder / "1 % differing").write_text("".join(changed))
    random.Random(7).shuffle(texts)
    (folder / "random order").write_text("".join(texts))
    return provider


def show(case: str, costs: dict[str, list[Cost]]) -> None:
    """One table of medians."""
    print(f"\n{case:<24} {'wall s':>8} {'cpu s':>8} {'peak MiB':>9}  exit")
    walls = {}
    for name, held in costs.items():
        figures = [statistics.median(getattr(cost, key) for cost in held) for key in ("wall", "cpu", "memory")]
        walls[name] = figures[0]
        print(f"{name:<24} {figures[0]:8.2f} {figures[1]:8.2f} {figures[2]:9.1f}  {held[-1].exit_code}")
    if len(walls) == 2:
        ours, peer = walls.values()
        print(f"{'ratio':<24} {ours / peer:8.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-peer", action="store_true", help="leave the slow peer out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ldaprepl-") as name:
        folder = Path(name)
        provider = str(write(folder, options.entries))
        for case in CASES:
            files = [provider, str(folder / case)]
            commands = {"ldaprepl verify --ldif": [sys.executable, "-m", "ldaprepl", "verify", "-q", "--ldif", *files]}
            if not options.no_peer and case != "gzip":
                commands["python-ldap ldif, dicts"] = [
                    sys.executable, str(Path(__file__).parent / "peer_ldif.py"), *files,
                ]  # fmt: skip
            costs: dict[str, list[Cost]] = {contender: [] for contender in commands}
            for _ in range(options.runs):
                for contender, command in commands.items():
                    costs[contender].append(measured([command]))
            show(case, costs)


if __name__ == "__main__":
    main()
