"""`ldaprepl verify` side by side with its peers, in one run, on two private servers of this machine.

Cases: both servers in the same order, the consumer in random order, and 1 % of the entries differing. Peers: two
parallel `ldapsearch -LLL` into /dev/null (what merely reading costs) and a comparison of two dicts with python-ldap.
Every contender is a whole process; wall and CPU seconds and peak memory are the kernel's own (wait4); the contenders
take turns and the medians are shown. Ratios are within the run; absolute figures belong to the machine.

    python benchmarks/verify.py [--entries 200000] [--runs 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from measure import Cost, measured

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.sample import directory, stamped
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.slaptool import write_private

HEAD = 11  # entries that must come first: the suffix and the units
BUDGET_WALL = 1.0  # of the two ldapsearch
BUDGET_DIFFERING = 1.3  # of the equal case
CASES = ("same order", "random order", "1 % differing")
_BATCH = 1000


def consumer_entries(count: int, case: str) -> Iterator[Entry]:
    """The consumer's data: the provider's in another order, or with one entry in a hundred changed."""
    entries = stamped(directory(count))
    if case == "random order":
        yield from islice(entries, HEAD)
        rest = list(entries)
        random.Random(7).shuffle(rest)
        yield from rest
        return
    for number, entry in enumerate(entries):
        if case == "1 % differing" and number >= HEAD and number % 100 == 0:
            yield Entry(entry.dn, {**entry.attributes, "description": (b"changed on the consumer",)})
        else:
            yield entry


def load(server: Slapd, entries: Iterator[Entry]) -> None:
    """Fill a stopped server and start it."""
    server.load("".join(map(entry_text, batch)) for batch in iter(lambda: list(islice(entries, _BATCH)), []))
    server.start()


def contenders(provider: Slapd, consumer: Slapd, folder: Path) -> dict[str, list[list[str]]]:
    """Each contender's commands. Passwords go through files."""
    files = []
    for name, server in (("provider", provider), ("consumer", consumer)):
        files.append(folder / name)
        write_private(files[-1], server.rootpw.reveal())
    here = Path(__file__).parent
    dn, base = provider.rootdn, provider.conf.database.suffix
    reading = [
        ["ldapsearch", "-LLL", "-x", "-H", server.ldap_uri, "-D", dn, "-y", str(file), "-b", base, "*", "+"]
        for server, file in zip((provider, consumer), files, strict=True)
    ]
    verify = [sys.executable, "-m", "ldaprepl", "verify", "--provider", provider.ldap_uri]
    verify += ["--consumer", consumer.ldap_uri, "-b", base, "-D", dn, "-y", str(files[0])]
    verify += ["--consumer-password-file", str(files[1]), "--quiet", "--settle", "0"]
    plain = [sys.executable, str(here / "peer_dict.py"), base, dn]
    plain += [provider.ldap_uri, str(files[0]), consumer.ldap_uri, str(files[1])]
    return {"ldaprepl verify": [verify], "2 x ldapsearch": reading, "python-ldap dicts": [plain]}


def measure(count: int, runs: int, peers: bool) -> dict[str, dict[str, Cost]]:
    """Medians of every case and contender."""
    results: dict[str, dict[str, Cost]] = {}
    conf = SlapdConf(database=Database(nosync=True, lines=("overlay syncprov",)), modules=("syncprov",))
    with Slapd(conf) as provider:
        load(provider, stamped(directory(count)))
        for case in CASES:
            with Slapd(conf) as consumer:
                load(consumer, consumer_entries(count, case))
                commands = contenders(provider, consumer, provider.folder)
                if not peers:
                    commands.pop("python-ldap dicts")
                costs: dict[str, list[Cost]] = {name: [] for name in commands}
                for turn in range(runs + 1):  # the first turn warms the page cache and is not counted
                    for name, command in commands.items():
                        cost = measured(command)
                        if turn:
                            costs[name].append(cost)
                results[case] = {name: median(held) for name, held in costs.items()}
                show(case, results[case])
    return results


def median(costs: list[Cost]) -> Cost:
    """The median of each figure."""
    wall, cpu, memory = (statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "memory"))
    return Cost(wall, cpu, memory, costs[-1].exit_code)


def show(case: str, costs: dict[str, Cost]) -> None:
    """One table."""
    reference = costs["2 x ldapsearch"].wall
    print(f"\n{case:<20} {'wall s':>8} {'cpu s':>8} {'peak MiB':>9} {'x ldapsearch':>13}  exit")
    for name, cost in costs.items():
        ratio = cost.wall / reference
        print(f"{name:<20} {cost.wall:8.2f} {cost.cpu:8.2f} {cost.memory:9.1f} {ratio:13.2f}  {cost.exit_code}")


def verdict(results: dict[str, dict[str, Cost]]) -> dict[str, float]:
    """The ratios that have a budget."""
    ours = {case: costs["ldaprepl verify"] for case, costs in results.items()}
    equal = ours["same order"].wall
    return {
        "wall, same order / 2 x ldapsearch": equal / results["same order"]["2 x ldapsearch"].wall,
        "wall, 1 % differing / same order": ours["1 % differing"].wall / equal,
        "peak MiB, same order": ours["same order"].memory,
        "peak MiB, random order": ours["random order"].memory,
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-dicts", action="store_true", help="leave the python-ldap comparison out (it is slow)")
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "verify.json")
    options = parser.parse_args()
    results = measure(options.entries, options.runs, not options.no_dicts)
    ratios = verdict(results)
    print(f"\n{options.entries:,} entries a side, medians of {options.runs} runs")
    for name, value in ratios.items():
        print(f"  {name}: {value:.2f}")
    print(f"  budgets: {BUDGET_WALL} x ldapsearch; {BUDGET_DIFFERING} x the equal case")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    document = {"entries": options.entries, "runs": options.runs, "ratios": ratios}
    document["cases"] = {case: {name: asdict(c) for name, c in costs.items()} for case, costs in results.items()}
    options.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
