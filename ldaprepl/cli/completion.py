"""`ldaprepl completion`, and what it completes beyond options: naming contexts for --base, asked of the server that
the line already names, and the beginnings of URLs.

click has the scripts and the answers for bash, zsh and fish. For bash we bring our own script: bash breaks words at
`=` and `:`, which DNs and URLs are full of, and click takes the pieces for words.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

from ldaprepl.cli.command import Command
from ldaprepl.errors import LdapreplError

VARIABLE: Final = "_LDAPREPL_COMPLETE"
_PATIENCE: Final = 2.0  # seconds that somebody who pressed Tab may wait for a server
_SCHEMES: Final = ("ldap://", "ldaps://", "ldapi:///")
_OWN_TREES: Final = ("cn=config", "cn=monitor")
_BASH: Final = """\
%(complete_func)s() {
    local kind value reply
    reply=$(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            open) COMPREPLY+=("$value"); compopt -o nospace ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done <<< "$reply"
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Bash(BashComplete):
    """Takes the whole line, and answers with what is to follow the last place where bash breaks words."""

    source_template = _BASH

    def source(self) -> str:
        return self.source_template % self.source_vars()  # without asking which bash is here: it may be for elsewhere

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get("COMP_LINE", "")
        words = split_arg_string(line)[1:]
        incomplete = words.pop() if words and not line[-1:].isspace() else ""
        return words, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        if item.type in ("dir", "file"):
            return f"{item.type},"
        line = os.environ.get("COMP_LINE", "")
        word = "" if line[-1:].isspace() else (split_arg_string(line) or [""])[-1]
        before, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        breaks = [char for char in "=:" if char in os.environ.get("COMP_WORDBREAKS", "=:")]
        skip = max((value.rfind(char) + 1 for char in breaks), default=0)
        prefix = "" if "=" in breaks else before + equals
        kind = "open" if item.value.endswith(("/", "=")) else "plain"
        return f"{kind},{prefix}{_quoted(item.value[skip:])}"


class _Fish(FishComplete):
    """A DN has commas too: only the first one ends what click puts before a value."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split -m1 ","')


def _quoted(value: str) -> str:
    return re.sub(r"([\s'\"\\$`;&|<>()*?#!\[\]{}~])", r"\\\1", value)


_SHELLS: Final[Mapping[str, type[ShellComplete]]] = {"bash": _Bash, "zsh": ZshComplete, "fish": _Fish}


def install() -> None:
    """Let click answer bash with ours."""
    add_completion_class(_Bash, "bash")


def attach(command: click.Command) -> None:
    """Give the options of a command, by their names, what is completed behind them."""
    for parameter in command.params:
        values = _VALUES.get(str(parameter.name))
        if values is not None:
            parameter._custom_shell_complete = values  # what the keyword shell_complete of an option sets


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(sorted(_SHELLS)))
def command(shell: str) -> int:
    """Write what makes a shell complete the commands, options, files and naming contexts of ldaprepl.

    \b
    ldaprepl completion bash > /etc/bash_completion.d/ldaprepl
    ldaprepl completion zsh > /usr/local/share/zsh/site-functions/_ldaprepl
    ldaprepl completion fish > ~/.config/fish/completions/ldaprepl.fish

    The Debian package brings them along. Pressing Tab after --base asks the server that the line already names for
    its naming contexts, anonymously; after --profile come the names of ldaprepl.toml.
    """
    from ldaprepl.cli.commands import cli

    click.echo(_SHELLS[shell](cli, {}, "ldaprepl", VARIABLE).source(), nl=False)
    return 0


# -- values ------------------------------------------------------------------------------------------------------------


def _bases(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Naming contexts of the first server on the line; nothing when it does not answer at once."""
    given: Mapping[str, Any] = context.params
    uris = [given.get("provider"), *(given.get("providers") or ()), given.get("consumer")]
    uris += list(given.get("consumers") or ())
    uri = next((uri for uri in uris if uri), None)
    try:
        found = _contexts(uri, given) if uri else []
    except Exception:  # whatever is wrong, it is no help to see it in the middle of a line
        return []
    return [CompletionItem(name) for name in found if name.lower().startswith(incomplete.lower())]


def _uris(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The beginnings of LDAP URLs."""
    return [CompletionItem(scheme) for scheme in _SCHEMES if scheme.startswith(incomplete)]


def _profiles(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of replicas in the configuration file that would be used."""
    from ldaprepl.cli.profiles import load

    try:
        found, _ = load(context.params)
    except LdapreplError:
        return []
    return [CompletionItem(name) for name in found.replicas if name.startswith(incomplete)]


def _sources(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files, folders, or the live configuration of this machine."""
    return [CompletionItem(incomplete, type="file"), *_uris(context, parameter, incomplete)]


_VALUES: Final = {
    "base": _bases, "provider": _uris, "providers": _uris, "consumer": _uris, "consumers": _uris, "mirror": _uris,
    "apply": _uris, "stanza": _sources, "sources": _sources,
    "profile": _profiles,
}  # fmt: skip


def _contexts(uri: str, given: Mapping[str, Any]) -> list[str]:
    from ldaprepl.wire.endpoint import Endpoint, Tls
    from ldaprepl.wire.plain import open_socket
    from ldaprepl.wire.stream import open_stream

    tls = Tls(given.get("starttls"), given.get("cacert"), verify=given.get("tls_reqcert") != "never")
    with open_stream(Endpoint(uri, tls=tls, timeout=_PATIENCE), open_socket) as stream:
        answer = stream.search("", attributes=("namingContexts",))
    names = [value.decode("utf-8", "replace") for entry in answer.entries for value in entry.values("namingContexts")]
    return [name for name in names if name and name.isprintable() and name.lower() not in _OWN_TREES]
