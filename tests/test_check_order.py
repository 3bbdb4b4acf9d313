"""The order in which `check` reads, which no real server can be made to show at will."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ldaprepl.check import Member, Options, Tools, check
from ldaprepl.domain.csn import Csn, CsnSet
from ldaprepl.domain.health import Criterion, Health, Lacking, Policy, Sight, Status, Trouble, Vitals
from ldaprepl.domain.judgement import Debt
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.errors import IncompleteRead

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
P, C = "ldap://p", "ldap://c"


def csn(ago: float, sid: int = 1) -> Csn:
    return Csn.parse(f"{NOW - timedelta(seconds=ago):%Y%m%d%H%M%S.%f}Z#000000#{sid:03x}#000000")


class Server:
    """A replica whose looks come from a function; it counts them."""

    def __init__(self, uri: str, look: Callable[[int], Sight]) -> None:
        self.uri = uri
        self.looks = 0
        self.asked: list[tuple[Csn | None, Csn]] = []
        self._look = look

    def look(self, base: str) -> Sight:
        self.looks += 1
        return self._look(self.looks)

    def lacking(self, scope: ReplicationScope, after: Csn | None, upto: Csn) -> Lacking:
        self.asked.append((after, upto))
        return Lacking(1, upto)

    def vitals(self) -> Vitals:
        return Vitals()

    def value(self, dn: str, name: str) -> tuple[bytes, ...] | None:
        return None

    def write(self, dn: str, name: str, values: tuple[bytes, ...]) -> None:
        raise AssertionError("check writes nothing")


class Clock:
    slept: list[float]

    def __init__(self) -> None:
        self.slept = []

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def checked(*members: Member, policy: Policy | None = None, debts: dict | None = None, clock: Clock | None = None):
    tools = Tools(lambda: NOW, clock or Clock(), lambda function, items: [function(item) for item in items])
    return check(members, Options(ReplicationScope("dc=x"), policy or Policy()), debts or {}, tools)


def seen(*csns: Csn) -> Sight:
    return Sight(CsnSet(csns), "dc=x")


def findings(health: Health) -> list[tuple[str, Criterion, Status]]:
    return [(server.uri, each.criterion, each.status) for server in health.servers for each in server.findings]


def test_a_provider_that_moves_between_all_looks_makes_nobody_behind_or_ahead() -> None:
    """Every look at any server sees a newer stamp than the look before; both sides always have all there is."""
    ticks = iter(range(1000, 0, -1))

    def latest(_: int) -> Sight:
        return seen(csn(next(ticks) / 1000))

    provider, consumer = Server(P, latest), Server(C, latest)
    health = checked(Member(provider, True), Member(consumer, False), policy=Policy(warning=0.0)).health
    assert findings(health) == []
    assert (provider.looks, consumer.looks) == (2, 1)  # the second look at the provider: the consumer had more


def test_two_servers_in_sync_cost_one_look_each() -> None:
    provider, consumer = Server(P, lambda _: seen(csn(5))), Server(C, lambda _: seen(csn(5)))
    checked(Member(provider, True), Member(consumer, False))
    assert (provider.looks, consumer.looks, provider.asked) == (1, 1, [])


def test_an_alarm_needs_a_second_look() -> None:
    clock = Clock()
    provider = Server(P, lambda _: seen(csn(500)))
    consumer = Server(C, lambda look: seen(csn(900 if look == 1 else 500)))
    assert findings(checked(Member(provider, True), Member(consumer, False), clock=clock).health) == []
    assert (clock.slept, provider.asked) == ([1.0], [(csn(900), csn(500))])


def test_an_alarm_that_stays_is_raised() -> None:
    provider, consumer = Server(P, lambda _: seen(csn(500))), Server(C, lambda _: seen(csn(900)))
    outcome = checked(Member(provider, True), Member(consumer, False))
    assert findings(outcome.health) == [(C, Criterion.LAG, Status.CRITICAL)]
    assert outcome.debts == {(C, 1): Debt(csn(500), NOW)}


def test_a_lag_within_the_limits_needs_no_second_look() -> None:
    clock = Clock()
    provider, consumer = Server(P, lambda _: seen(csn(5))), Server(C, lambda _: seen(csn(900)))
    assert findings(checked(Member(provider, True), Member(consumer, False), clock=clock).health) == [
        (C, Criterion.LAG, Status.OK)
    ]
    assert clock.slept == []


def test_what_a_server_owes_is_not_forgotten_while_it_is_down() -> None:
    gone = Sight(trouble=Trouble(Criterion.UNREACHABLE, "gone"))
    debts = {(C, 1): Debt(csn(900), NOW)}
    provider, consumer = Server(P, lambda _: seen(csn(5))), Server(C, lambda _: gone)
    assert checked(Member(provider, True), Member(consumer, False), debts=debts).debts == debts


def test_no_contextcsn_means_another_thing_on_each_side() -> None:
    none = Sight(trouble=Trouble(Criterion.UNFINISHED, "shows no contextCSN"))
    health = checked(Member(Server(P, lambda _: none), True), Member(Server(C, lambda _: none), False)).health
    assert findings(health) == [(P, Criterion.NO_CSN, Status.UNKNOWN), (C, Criterion.UNFINISHED, Status.CRITICAL)]


def test_a_provider_that_will_not_be_searched_leaves_a_bound() -> None:
    class Mute(Server):
        def lacking(self, scope: ReplicationScope, after: Csn | None, upto: Csn) -> Lacking:
            raise IncompleteRead("no")

    provider, consumer = Mute(P, lambda _: seen(csn(500))), Server(C, lambda _: seen(csn(900)))
    [_, server] = checked(Member(provider, True), Member(consumer, False)).health.servers
    assert (server.lag, server.changes, server.sids[0].exact) == (500.0, None, False)


def test_the_provider_that_is_furthest_is_asked_and_the_other_is_judged() -> None:
    first, second = Server(P, lambda _: seen(csn(5))), Server("ldap://q", lambda _: seen(csn(900)))
    health = checked(Member(first, True), Member(second, True)).health
    assert findings(health) == [("ldap://q", Criterion.LAG, Status.OK)]
    assert (first.asked, second.asked) == ([(csn(900), csn(5))], [])


def test_what_a_server_owes_is_not_forgotten_while_the_provider_is_down() -> None:
    """Nothing says that it was paid: when the provider is back, a week's lag must not have become a minute's."""
    gone = Sight(trouble=Trouble(Criterion.UNREACHABLE, "gone"))
    debts = {(C, 1): Debt(csn(900), NOW), (C, 2): Debt(csn(900, 2), NOW)}
    provider, consumer = Server(P, lambda _: gone), Server(C, lambda _: seen(csn(1000), csn(800, 2)))
    assert checked(Member(provider, True), Member(consumer, False), debts=debts).debts == {(C, 1): debts[C, 1]}
