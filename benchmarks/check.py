"""`ldaprepl check` side by side with its peers, whole processes in turn, on two private servers of this machine.

Peers: `ldapsearch` of the same two contextCSN values (one after the other), the method of the usual Perl plugin (where
Net::LDAP is installed), a bare start of Python, and one that imports click. The budget is twice the ldapsearch plus the
bare start. Wall and CPU are the kernel's own (wait4); the best and the median of the turns are shown. Bytecode is
cached, as it is in any installation.

    python benchmarks/check.py [--runs 30] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from measure import Cost, measured

from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

SUFFIX = "dc=example,dc=com"
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Figures:
    """Milliseconds: the best and the median wall, the best CPU."""

    best: float
    median: float
    cpu: float

    @classmethod
    def of(cls, costs: list[Cost]) -> Figures:
        walls = [cost.wall * 1000 for cost in costs]
        return cls(min(walls), statistics.median(walls), min(cost.cpu for cost in costs) * 1000)


def server(stamp: str) -> Slapd:
    """One with syncprov and a contextCSN."""
    conf = SlapdConf(Database(lines=("overlay syncprov",)), modules=("syncprov",), server_id=1)
    held = Slapd(conf)
    held.load(
        [f"dn: {SUFFIX}\nobjectClass: organization\nobjectClass: dcObject\no: x\ndc: example\ncontextCSN: {stamp}\n\n"]
    )
    return held.start()


def contenders(provider: str, consumer: str) -> dict[str, list[str]]:
    """Each is one command; ldapsearch runs twice in one shell."""
    search = " && ".join(
        f"ldapsearch -x -LLL -o ldif-wrap=no -H {uri} -s base -b {SUFFIX} contextCSN" for uri in (provider, consumer)
    )
    check = [sys.executable, "-m", "ldaprepl", "check"]
    commands = {
        "python, bare start": [sys.executable, "-c", "pass"],
        "python, import click": [sys.executable, "-c", "import click"],
        "2 x ldapsearch": ["sh", "-c", search],
        "ldaprepl check": [*check, "--provider", provider, "--consumer", consumer, "-b", SUFFIX],
    }
    perl = ["perl", str(_HERE / "peer_perl_check.pl"), SUFFIX, provider, consumer]
    if subprocess.run(perl, capture_output=True, check=False).returncode == 0:
        commands["perl plugin's method"] = perl
    else:
        print("Net::LDAP is not installed: the Perl plugin's method is left out (Debian: libnet-ldap-perl)")
    return commands


def measure(runs: int) -> dict[str, Figures]:
    """Every contender once a turn; the first turn warms the caches and is not counted."""
    stamp = f"{datetime.now(UTC):%Y%m%d%H%M%S.%f}Z#000000#001#000000"
    costs: dict[str, list[Cost]] = {}
    with server(stamp) as provider, server(stamp) as consumer:
        commands = contenders(provider.ldap_uri, consumer.ldap_uri)
        for turn in range(runs + 1):
            for name, command in commands.items():
                cost = measured([command])
                if cost.exit_code:
                    raise RuntimeError(f"{name} ended with {cost.exit_code}")
                if turn:
                    costs.setdefault(name, []).append(cost)
    return {name: Figures.of(held) for name, held in costs.items()}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--json", type=Path, default=_HERE / "results" / "check.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ldaprepl-") as bytecode:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = bytecode
        figures = measure(options.runs)
    ours, search, bare = (figures[n] for n in ("ldaprepl check", "2 x ldapsearch", "python, bare start"))
    click, perl = figures["python, import click"], figures.get("perl plugin's method")
    print(f"{'':<22} {'best ms':>8} {'median ms':>10} {'cpu ms':>8}")
    for name, held in figures.items():
        print(f"{name:<22} {held.best:8.1f} {held.median:10.1f} {held.cpu:8.1f}")
    ratios = {
        "budget, ms: 2 x (2 x ldapsearch) + bare start, of the best": 2 * search.best + bare.best,
        "check / budget, of the best": ours.best / (2 * search.best + bare.best),
        "check / budget, of the medians": ours.median / (2 * search.median + bare.median),
        "the same with the start of click taken as given, of the best": ours.best / (2 * search.best + click.best),
        "check / perl plugin's method, of the best": ours.best / perl.best if perl else 0.0,
    }
    for name, value in ratios.items():
        print(f"  {name}: {value:.2f}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    document = {"runs": options.runs, "ratios": ratios, "contenders": {n: asdict(f) for n, f in figures.items()}}
    options.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
