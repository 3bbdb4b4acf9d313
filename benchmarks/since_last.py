"""`ldaprepl verify --since-last` against the comparison of everything, in one run, on two private servers.

A native consumer follows its provider; 100 entries are changed, added and deleted; then the contenders take turns, each
a whole process that begins with the same state file: everything, the changes with the number of entries (both servers
have cn=Monitor) or with a list (neither has), and what parts of it cost alone: a list of all identities, an empty
Python, the program's own start.

    python benchmarks/since_last.py [--entries 200000] [--runs 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path

import ldap
from measure import Cost, measured
from verify import load, median

from ldaprepl.domain.sample import directory, stamped
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.slaptool import write_private

CHANGES = 100
BUDGET = 0.05  # of the comparison of everything
_SETTLED = 120.0  # seconds that the consumer gets


def conf(*lines: str, monitor: bool) -> SlapdConf:
    """A server that tells how many entries it has, or does not."""
    database = Database(nosync=True, lines=(*lines, "overlay syncprov", "syncprov-sessionlog 1000"))
    return SlapdConf(database, modules=("syncprov",), lines=("database monitor",) if monitor else ())


def stanza(provider: Slapd) -> str:
    """A persistent consumer."""
    return (
        f'syncrepl rid=001 provider={provider.ldap_uri} type=refreshAndPersist retry="1 +"'
        f' searchbase="{provider.conf.database.suffix}" bindmethod=simple binddn="{provider.rootdn}"'
        f' credentials="{provider.rootpw.reveal()}"'
    )


def context(server: Slapd) -> list[bytes]:
    """Its contextCSN."""
    found = ldap.initialize(server.ldap_uri).search_s(
        server.conf.database.suffix, ldap.SCOPE_BASE, attrlist=["contextCSN"]
    )
    return list(found[0][1].get("contextCSN", []))


def settle(provider: Slapd, consumer: Slapd) -> None:
    """Wait until the consumer has everything."""
    deadline = time.monotonic() + _SETTLED
    while not context(consumer) or context(consumer) != context(provider):
        if time.monotonic() > deadline:
            raise RuntimeError("the consumer does not follow")
        time.sleep(0.1)


def change(provider: Slapd) -> None:
    """Half modifies, a quarter adds, a quarter deletes."""
    connection = ldap.initialize(provider.ldap_uri)
    connection.simple_bind_s(provider.rootdn, provider.rootpw.reveal())
    people = [
        dn for dn, _ in connection.search_s(provider.conf.database.suffix, ldap.SCOPE_SUBTREE, "(uid=*)", ["1.1"])
    ]
    for number, dn in enumerate(people[:: max(1, len(people) // CHANGES)][:CHANGES]):
        if number % 4 == 3:
            connection.delete_s(dn)
        elif number % 4 == 2:
            unit = f"ou=new {number},{provider.conf.database.suffix}"
            connection.add_s(unit, [("objectClass", [b"organizationalUnit"]), ("ou", [b"new %d" % number])])
        else:
            connection.modify_s(dn, [(ldap.MOD_REPLACE, "description", [b"changed"])])


def measure(count: int, runs: int, monitor: bool) -> dict[str, Cost]:
    """Medians of every contender."""
    with Slapd(conf(monitor=monitor)) as provider, Slapd(conf(stanza(provider), monitor=monitor)) as consumer:
        load(provider, stamped(directory(count)))
        load(consumer, stamped(directory(count)))
        connection = ldap.initialize(provider.ldap_uri)
        connection.simple_bind_s(provider.rootdn, provider.rootpw.reveal())
        connection.modify_s(provider.conf.database.suffix, [(ldap.MOD_REPLACE, "description", [b"first"])])
        settle(provider, consumer)
        files = [provider.folder / name for name in ("provider.pw", "consumer.pw")]
        for file, server in zip(files, (provider, consumer), strict=True):
            write_private(file, server.rootpw.reveal())
        state, kept = provider.folder / "state", provider.folder / "kept"
        whole = [sys.executable, "-m", "ldaprepl", "verify", "--provider", provider.ldap_uri]
        whole += ["--consumer", consumer.ldap_uri, "-b", provider.conf.database.suffix, "-D", provider.rootdn]
        whole += ["-y", str(files[0]), "--consumer-password-file", str(files[1]), "--quiet"]
        remembering = [*whole, "--state", str(state)]
        costs = measured([remembering])
        if costs.exit_code:
            raise RuntimeError(f"the servers were not equal before: exit code {costs.exit_code}")
        change(provider)
        settle(provider, consumer)
        shutil.copy(state, kept)
        asked = ["-D", provider.rootdn, "-b", provider.conf.database.suffix, "entryUUID"]
        reading = [
            ["ldapsearch", "-LLL", "-x", "-H", server.ldap_uri, "-y", str(file), *asked]
            for server, file in zip((provider, consumer), files, strict=True)
        ]
        name = "--since-last, counted" if monitor else "--since-last, listed"
        contenders = {
            "everything": [whole],
            "everything, --state": [remembering],
            name: [[*remembering, "--since-last"]],
            "2 x ldapsearch entryUUID": reading,
            "verify --help": [[*whole[:4], "--help"]],
            "python -c pass": [[sys.executable, "-c", "pass"]],
        }
        held: dict[str, list[Cost]] = {each: [] for each in contenders}
        for turn in range(runs + 1):  # the first turn warms the page cache and is not counted
            for each, commands in contenders.items():
                shutil.copy(kept, state)
                cost = measured(commands)
                if cost.exit_code:
                    raise RuntimeError(f"{each} ended with {cost.exit_code}")
                if turn:
                    held[each].append(cost)
        return {each: median(found) for each, found in held.items()}


def show(costs: dict[str, Cost]) -> None:
    """One table."""
    reference = costs["everything"].wall
    print(f"\n{'':<26} {'wall s':>8} {'cpu s':>8} {'peak MiB':>9} {'of everything':>14}")
    for name, cost in costs.items():
        print(f"{name:<26} {cost.wall:8.3f} {cost.cpu:8.3f} {cost.memory:9.1f} {cost.wall / reference:14.1%}")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "since_last.json")
    options = parser.parse_args()
    results = {}
    for monitor in (True, False):
        results[f"monitor {monitor}"] = costs = measure(options.entries, options.runs, monitor)
        show(costs)
    counted = results["monitor True"]
    print(f"\n{options.entries:,} entries a side, {CHANGES} changes, medians of {options.runs} runs")
    print(f"  counted: {counted['--since-last, counted'].wall / counted['everything'].wall:.1%}, budget {BUDGET:.0%}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    document = {"entries": options.entries, "runs": options.runs}
    document["costs"] = {case: {name: asdict(c) for name, c in costs.items()} for case, costs in results.items()}
    options.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
