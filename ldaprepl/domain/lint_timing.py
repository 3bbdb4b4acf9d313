"""LR201 to LR250: when the consumer asks, and what it does after a failure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from ldaprepl.domain import syncvalues
from ldaprepl.domain.keywords import KEYWORDS, Standing
from ldaprepl.domain.lint import Hit, Rule, Severity, per_database, per_stanza
from ldaprepl.domain.lint_source import Database, Spot
from ldaprepl.domain.plural import counted
from ldaprepl.domain.version import Version

_V23 = Version(2, 3)
_RETRY: Final = 'retry="5 12 60 +"'
_LONG: Final = timedelta(hours=1)
_LOOPBACK: Final = ("ldapi:", "ldap://127.", "ldaps://127.", "ldap://localhost", "ldaps://localhost", "ldap://[::1]")


def persistent(spot: Spot) -> bool:
    """type=refreshAndPersist, as slapd reads it."""
    return spot.text("type").lower().startswith("refreshandpersist")


def _no_retry(spot: Spot) -> Iterator[Hit]:
    if spot.has("retry") or KEYWORDS["retry"].standing(spot.version) is not Standing.KNOWN:
        return
    if spot.version <= _V23:
        yield Hit(
            spot.place,
            f"{spot.label} has no retry, so {spot.version.branch} gives up at the first failure",
            severity=Severity.ERROR,
        )
    else:
        poll = "" if persistent(spot) else "; a failed poll waits for retry too, not for interval"
        yield Hit(spot.place, f"{spot.label} has no retry, so a failure is followed by an hour of waiting{poll}")


def _steps(spot: Spot) -> tuple[syncvalues.RetryStep, ...] | None:
    """The retry list; None where it is absent or wrong, which other rules tell."""
    if not spot.has("retry"):
        return None
    try:
        return syncvalues.retry(spot.text("retry"))
    except ValueError:
        return None


def _finite(spot: Spot) -> Iterator[Hit]:
    steps = _steps(spot)
    if steps and all(step.count is not None for step in steps):
        seconds = sum(step.seconds * (step.count or 0) for step in steps)
        cure = " ".join(f"{step.seconds} {step.count}" for step in steps)
        yield Hit(
            spot.at("retry"),
            f"after {spoken(timedelta(seconds=seconds))} without the provider {spot.label} gives up",
            f'retry="{cure} 60 +"',
        )


def _hasty(spot: Spot) -> Iterator[Hit]:
    steps = _steps(spot)
    if steps == ():
        yield Hit(spot.at("retry"), "retry is empty: the consumer gives up at the first failure")
    elif steps and any(step.seconds == 0 for step in steps):
        yield Hit(
            spot.at("retry"),
            "retry with 0 seconds tries again without a pause",
            happens="The consumer tries about once a second without end, and a conversion to cn=config writes the value"
            ' back as retry="", which means: give up at the first failure.',
        )


def _fields(spot: Spot) -> Iterator[Hit]:
    text = spot.text("interval")
    if not spot.has("interval") or persistent(spot):
        return
    try:
        syncvalues.interval(text)
    except ValueError as reason:
        parts = text.split(":")
        padded = ":".join(["00"] * (4 - len(parts)) + parts) if 1 < len(parts) < 4 else ""
        yield Hit(spot.at("interval"), str(reason), f"interval={padded}" if padded else "")
        return
    if spot.version < Version(2, 3, 0) and ":" not in text:
        yield Hit(spot.at("interval"), f"2.2 does not take interval={text}", "interval=00:00:10:00")


def _interval(spot: Spot) -> timedelta | None:
    """The interval in effect, where it is right and has an effect."""
    if persistent(spot):
        return None
    try:
        return spot.stanza.interval
    except ValueError:
        return None


def _spelled_out(spot: Spot) -> Iterator[Hit]:
    every = _interval(spot)
    if every and ":" in spot.text("interval"):
        yield Hit(spot.at("interval"), f"interval={spot.text('interval')} is every {spoken(every)}", "nothing to do")


def _zero(spot: Spot) -> Iterator[Hit]:
    if _interval(spot) == timedelta() and spot.has("interval"):
        yield Hit(spot.at("interval"), f"{spot.label} polls without a pause")


def _useless_interval(spot: Spot) -> Iterator[Hit]:
    if spot.has("interval") and persistent(spot):
        yield Hit(spot.at("interval"), "interval has no effect with type=refreshAndPersist")


def _stale(spot: Spot) -> Iterator[Hit]:
    every = _interval(spot)
    if every is not None and every >= _LONG and not spot.text("type").lower().startswith("dirsync"):
        default = "" if spot.has("interval") else ", the default"
        yield Hit(spot.at("interval", "type"), f"{spot.label} asks every {spoken(every)}{default}")


def _firewall(spot: Spot) -> Iterator[Hit]:
    if not persistent(spot) or KEYWORDS["keepalive"].standing(spot.version) is not Standing.KNOWN:
        return
    held = spot.text("keepalive") not in ("", "0:0:0", "::")
    timeout = spot.text("tcp-user-timeout") not in ("", "0")
    if not held and not timeout and not spot.text("provider").lower().startswith(_LOOPBACK):
        yield Hit(spot.place, f"{spot.label} holds a connection open for ever and nothing watches it")


def _idle(database: Database) -> Iterator[Hit]:
    top = database.source.top.all("idletimeout")
    if database.provides and top and top[-1].value not in ("0", ""):
        yield Hit(database.source.at(top[-1].place), f"idletimeout {top[-1].value} does not end a consumer's search")


def _polling(spot: Spot) -> Iterator[Hit]:
    if not persistent(spot) and not spot.text("type").lower().startswith("dirsync"):
        every = _interval(spot)
        period = f" every {spoken(every)}" if every else ""
        word = "type=refreshOnly" if spot.has("type") else "without type, as with type=refreshOnly,"
        yield Hit(spot.at("type"), f"{word} polls{period}")


def spoken(time: timedelta) -> str:
    """`10 minutes`, `1 day 2 hours`."""
    rest = int(time.total_seconds())
    words = []
    for name, seconds in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, rest = divmod(rest, seconds)
        if count:
            words.append(f"{counted(count, name)}")
    return " ".join(words) or "0 seconds"


RULES: Final = (
    Rule(
        "LR201",
        Severity.WARNING,
        "no retry",
        '2.2 and 2.3 give up for good at the first failure ("quitting"), also when polling; only a restart helps. 2.4'
        " to 2.7 try again after an hour.",
        _RETRY,
        per_stanza(_no_retry),
    ),
    Rule(
        "LR202",
        Severity.WARNING,
        "a retry list that ends",
        'After the last count slapd logs "rc N quitting" and never tries again; the copy grows stale until a restart.',
        _RETRY,
        per_stanza(_finite),
    ),
    Rule(
        "LR203",
        Severity.WARNING,
        "an empty retry, or one of 0 seconds",
        "The consumer gives up at the first failure and needs a restart.",
        _RETRY,
        per_stanza(_hasty),
    ),
    Rule(
        "LR204",
        Severity.ERROR,
        "interval is not dd:hh:mm:ss",
        "slapd refuses the stanza: with colons all four fields are needed, days first.",
        "interval=00:00:10:00",
        per_stanza(_fields),
    ),
    Rule(
        "LR205",
        Severity.INFO,
        "interval in words",
        "The fields are days:hours:minutes:seconds, counted from the end of one poll to the start of the next. They are"
        " often read as hours first.",
        "interval=00:00:10:00 is ten minutes, interval=00:10:00:00 ten hours",
        per_stanza(_spelled_out),
    ),
    Rule(
        "LR206",
        Severity.WARNING,
        "interval is 0",
        "The consumer polls again at once, several times a second, and keeps the provider busy.",
        "interval=00:00:05:00",
        per_stanza(_zero),
    ),
    Rule(
        "LR207",
        Severity.INFO,
        "interval with refreshAndPersist",
        "It is ignored, and lost when slaptest converts the file.",
        "remove interval",
        per_stanza(_useless_interval),
    ),
    Rule(
        "LR208",
        Severity.WARNING,
        "polling rarely",
        "Changes, and deletes above all, arrive late.",
        f"type=refreshAndPersist {_RETRY}",
        per_stanza(_stale),
    ),
    Rule(
        "LR209",
        Severity.WARNING,
        "a persistent search without keepalive",
        "A firewall or router that forgets the connection leaves both sides waiting: no change arrives any more, and no"
        " message says so.",
        "keepalive=240:10:30",
        per_stanza(_firewall),
    ),
    Rule(
        "LR210",
        Severity.INFO,
        "idletimeout on a provider",
        "slapd counts a persistent search as activity and does not cut it, so consumers need no exception.",
        "nothing to do",
        per_database(_idle),
    ),
    Rule(
        "LR250",
        Severity.INFO,
        "refreshOnly",
        "Legal and simple, but a change waits for the next poll. refreshAndPersist needs nothing more at the provider"
        " and sends each change at once.",
        f"type=refreshAndPersist {_RETRY}",
        per_stanza(_polling),
    ),
)
