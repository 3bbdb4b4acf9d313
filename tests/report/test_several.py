"""The fear: of several replicas, the one that could not be looked at paints on the terminal of whoever reads of it."""

from __future__ import annotations

import pytest

from ldaprepl.domain.health import Status
from ldaprepl.report import several
from ldaprepl.report.several import Unseen

HOSTILE = Unseen("main", "ldap://a refused to bind (\x1b[31mgo|away\x1b[0m\r\u202e)", "Ask \x1b[2J why.")


@pytest.mark.parametrize("shown", [
    several.render_nagios([HOSTILE], Status.UNKNOWN, verbose=True),
    several.render_text([HOSTILE]),
    several.render_tables([HOSTILE]),
    several.render_json([HOSTILE], Status.UNKNOWN),
    several.render_prometheus([HOSTILE]),
    several.unseen_mail(HOSTILE),
])  # fmt: skip
def test_what_a_server_said_does_nothing(shown: str) -> None:
    assert "main" in shown
    assert not any(char in shown for char in "\x1b\r\u202e")
