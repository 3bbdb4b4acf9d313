"""A thousand writes a second while verify runs, and a native consumer that follows: behind perhaps, diverged never.

`LDAPREPL_STORM_RUNS` says how often; a few times in every run of the tests, more by hand.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from collections.abc import Iterator
from typing import Any, Self

import ldap
import pytest
from driftlab import Drift, provider_conf, stanza
from replication import with_admin
from synclab import add_person, add_unit
from verifying import SlapdFactory, conf, filled

from ldaprepl.domain.sample import SUFFIX, Stamps, directory, stamped
from ldaprepl.wire.slapdproc import Slapd

RUNS = int(os.environ.get("LDAPREPL_STORM_RUNS", "3"))
RATE = 1000.0  # writes a second
WRITERS = 2


def writes(admin: Any, top: str, chance: random.Random) -> Iterator[None]:
    """Of every sort, for ever: on old entries and new ones, and containers change their names, too."""
    admin.add_s(top, [("objectClass", [b"organizationalUnit"]), ("ou", [b"storm"])])
    homes = [f"ou=h{number},{top}" for number in range(3)]
    for home in homes:
        add_unit(admin, home)
    live: list[tuple[str, int]] = []  # RDN, home
    for number in itertools.count():
        roll = chance.random()
        if roll < 0.25 or len(live) < 20:
            home = chance.randrange(len(homes))
            add_person(admin, f"uid=n{number},{homes[home]}")
            live.append((f"uid=n{number}", home))
        elif roll < 0.7:
            rdn, home = chance.choice(live)
            admin.modify_s(f"{rdn},{homes[home]}", [(ldap.MOD_REPLACE, "description", [b"%d" % number])])
        elif roll < 0.9 or len(live) > 3000:
            rdn, home = live.pop(chance.randrange(len(live)))
            admin.delete_s(f"{rdn},{homes[home]}")
        elif roll < 0.99:
            rdn, home = live.pop(chance.randrange(len(live)))
            other = chance.randrange(len(homes))
            admin.rename_s(f"{rdn},{homes[home]}", f"uid=r{number}", homes[other])
            live.append((f"uid=r{number}", other))
        else:
            home = chance.randrange(len(homes))
            admin.rename_s(homes[home], f"ou=h{home}-{number}")
            homes[home] = f"ou=h{home}-{number},{top}"
        yield


class Storm:
    """Writers at a steady pace, or as fast as the machine can, until the block ends."""

    def __init__(self, provider: Slapd, seed: int) -> None:
        self._stop = threading.Event()
        self.writes = [0] * WRITERS
        self.failed: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._run, args=(number, provider, random.Random(f"{seed} {number}")))
            for number in range(WRITERS)
        ]

    def _run(self, number: int, provider: Slapd, chance: random.Random) -> None:
        began = time.monotonic()
        try:
            for done, _ in enumerate(writes(with_admin(provider), f"ou=storm {number},{SUFFIX}", chance), 1):
                self.writes[number] = done
                early = began + done * WRITERS / RATE - time.monotonic()
                if self._stop.wait(early) if early > 0 else self._stop.is_set():
                    return
        except ldap.LDAPError as error:
            self.failed.append(error)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self.failed


@pytest.fixture
def pair(slapd: SlapdFactory) -> Drift:
    provider = filled(slapd(provider_conf("overlay syncprov", "syncprov-sessionlog 100000")), sample())
    pair = Drift(provider, slapd(conf(stanza(provider))).start())
    pair.together()
    return pair


def sample() -> Iterator[Any]:
    return stamped(directory(5000), Stamps(sid=1))


def test_a_storm_is_never_a_divergence(pair: Drift) -> None:
    with Storm(pair.provider, 1) as storm:
        for number in range(RUNS):
            before = sum(storm.writes)
            run = pair.verify("--settle", ("2", "10", "0")[number % 3])
            lasting = [finding for finding in run.findings if finding["state"] == "lasting"]
            assert run.code in (0, 4), lasting
            assert not lasting
            assert sum(storm.writes) > before + 50, "the storm went on"

    pair.together()
    assert pair.verify().code == 0
