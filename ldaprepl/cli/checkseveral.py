"""`check` and `status` of several replicas in one run: each has its verdict, and the worst is the exit code.

A replica that cannot be looked at (a missing password file, a stanza that cannot be followed) is UNKNOWN, with the
reason, and keeps no other from being looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from ldaprepl.cli.checking import Looked, look
from ldaprepl.cli.given import Given
from ldaprepl.cli.output import emit
from ldaprepl.cli.pairing import Pairing
from ldaprepl.domain.health import Status, worst
from ldaprepl.errors import LdapreplError
from ldaprepl.report import several
from ldaprepl.report.several import Unseen


def run(pairings: Sequence[Pairing], given: Given) -> int:
    """Check them one after the other; the Nagios status."""
    seen: list[Looked | Unseen] = []
    mails: list[str] = []

    def say(looked: Looked, _: Given) -> None:
        if looked.mail and given["output"] is None:
            emit(looked.mail, None)  # before it is remembered that this was told
        elif looked.mail:
            mails.append(looked.mail)

    for pairing in pairings:
        try:
            if pairing.problem:
                raise pairing.problem
            seen.append(look(pairing, say))
        except LdapreplError as error:
            seen.append(Unseen(pairing.name, error.message, error.cure))
    status = worst(Status.UNKNOWN if isinstance(each, Unseen) else each.health.status for each in seen)
    if not given["cron"]:
        emit(_rendered(seen, status, given), given["output"])
        return status
    mails += [several.unseen_mail(each) for each in seen if isinstance(each, Unseen)]
    if mails:
        emit("\n".join(mails), given["output"])
    return status


def _rendered(seen: Sequence[Looked | Unseen], status: Status, given: Given) -> str:
    views = [each if isinstance(each, Unseen) else (each.name, each.health, each.policy) for each in seen]
    match given["format_"]:
        case "nagios":
            return several.render_nagios(views, status, verbose=given["verbose"])
        case "prometheus":
            return several.render_prometheus(views)
        case "json":
            return several.render_json(views, status)
        case _:
            return several.render_text(views)
