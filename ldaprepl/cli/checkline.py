"""A plain `ldaprepl check` command line, read without click.

Only what stands in scheduled checks is known here; for anything else (`--help`, a slip, a rare option) `read` gives up
and click reads the line, so every message comes from there. The tests hold both readings and the defaults together.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ldaprepl.domain import duration
from ldaprepl.domain.scope import MATCH_ALL

DEFAULTS: dict[str, Any] = {
    "providers": (), "consumers": (), "stanza": None, "base": "",
    "profile": None, "config": None, "all_": False,
    "bind_dn": None, "password_file": None, "prompt": False, "sasl": None, "authzid": "",
    "consumer_bind_dn": None, "consumer_password_file": None, "consumer_sasl": None,
    "starttls": None, "cacert": None, "cert": None, "key": None, "tls_reqcert": "demand", "allow_cleartext": False,
    "timeout": 10.0,
    "scope": "sub", "filter": MATCH_ALL, "attrs": (), "exattrs": (), "suffixmassage": "",
    "warning": 60.0, "critical": 300.0, "certificate_warning": 14 * 86400.0, "certificate_critical": 3 * 86400.0,
    "skew": 30.0, "severity": (), "recheck": 1.0, "state": None, "cron": False,
    "sample": None, "canary": None, "canary_wait": 30.0,
    "format_": "nagios", "output": None, "quiet": False, "verbose": False, "debug_dump": None,
}  # fmt: skip
_FLAGS = {
    "--cron": ("cron", True),
    "-q": ("quiet", True),
    "--quiet": ("quiet", True),
    "--starttls": ("starttls", True),
    "--no-starttls": ("starttls", False),
    "--allow-cleartext": ("allow_cleartext", True),
}
_MANY = {"--provider": "providers", "--consumer": "consumers", "--severity": "severity"}
_TEXTS = {"-b": "base", "--base": "base", "-D": "bind_dn", "--bind-dn": "bind_dn",
          "--consumer-bind-dn": "consumer_bind_dn",
          "--stanza": "stanza", "--filter": "filter", "--suffixmassage": "suffixmassage"}  # fmt: skip
_FILES = {"-y": "password_file", "--password-file": "password_file",
          "--consumer-password-file": "consumer_password_file",
          "--cacert": "cacert", "--cert": "cert", "--key": "key", "--state": "state",
          "-o": "output", "--output": "output"}  # fmt: skip
_TIMES = {
    "-w": "warning",
    "--warning": "warning",
    "-c": "critical",
    "--critical": "critical",
    "--skew": "skew",
    "--recheck": "recheck",
}
_CHOICES = {
    "--format": ("format_", ("nagios", "text", "json", "prometheus")),
    "--sasl": ("sasl", ("EXTERNAL",)),
    "--consumer-sasl": ("consumer_sasl", ("EXTERNAL",)),
}


def read(arguments: Sequence[str]) -> dict[str, Any] | None:
    """The options as click would give them; None where click had better read them itself."""
    given = dict(DEFAULTS)
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in _FLAGS:
            if equals:
                return None
            key, meaning = _FLAGS[name]
            given[key] = meaning
            continue
        if not equals:
            value = next(words, "")
        if not value or value.startswith("-") or not _take(given, name, value):
            return None
    return given


def _take(given: dict[str, Any], name: str, value: str) -> bool:
    """Set one option that has a value; False if it is not known here, or not well."""
    if name in _TEXTS:
        given[_TEXTS[name]] = value
    elif name in _MANY:
        given[_MANY[name]] += (value,)
    elif name in _FILES:
        file = Path(value)
        given[_FILES[name]] = file
        return not file.is_dir()
    elif name in _TIMES:
        try:
            given[_TIMES[name]] = duration.parse(value)
        except ValueError:
            return False
    elif name in _CHOICES:
        key, choices = _CHOICES[name]
        given[key] = value
        return value in choices
    else:
        return False
    return True
