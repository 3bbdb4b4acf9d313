"""Every rule of the linter in one table, by code. `docs/lint.md` is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ldaprepl.domain import (
    lint_cnconfig,
    lint_content,
    lint_database,
    lint_delta,
    lint_forms,
    lint_live,
    lint_multi,
    lint_pair,
    lint_provider,
    lint_stanza,
    lint_timing,
    lint_transport,
    lint_words,
)
from ldaprepl.domain.lint import Rule

TOPICS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "LR1": "Writing the stanza",
        "LR2": "Timing",
        "LR3": "What is copied",
        "LR4": "The consumer's database",
        "LR5": "Identity and transport",
        "LR6": "The provider",
        "LR7": "Delta-syncrepl",
        "LR8": "cn=config",
    }
)
"""What the first digit of a code stands for."""

_MODULES: Final = (
    lint_words,
    lint_forms,
    lint_stanza,
    lint_timing,
    lint_content,
    lint_database,
    lint_multi,
    lint_transport,
    lint_pair,
    lint_provider,
    lint_delta,
    lint_cnconfig,
    lint_live,
)

TABLE: Final[Mapping[str, Rule]] = MappingProxyType(
    {rule.code: rule for rule in sorted((rule for m in _MODULES for rule in m.RULES), key=lambda rule: rule.code)}
)
"""All rules by code."""
