"""Reading a server's configuration, wherever it is kept, as a `Source` for the linter.

slapd.conf with its includes, a slapd.d folder, LDIF of cn=config or of changes to it, or the live cn=config of a
running server. What a file looks like inside is for `domain.slapdconf` and `domain.cnconfig`; here files are opened,
their modes looked at, and connections made.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ldaprepl.domain import cnconfig, slapdconf
from ldaprepl.domain.config import SectionKind
from ldaprepl.domain.lint_source import Source
from ldaprepl.domain.version import Version
from ldaprepl.domain.versionguess import Certainty, guess
from ldaprepl.errors import ServerUnavailable, UsageError
from ldaprepl.protocol import results
from ldaprepl.wire.endpoint import Endpoint
from ldaprepl.wire.stream import Stream, open_stream

_URL: Final = re.compile(r"ldap[si]?://", re.IGNORECASE)
_LDIF: Final = re.compile(r"\s*(?:#[^\n]*\n|version:[^\n]*\n|\s)*dn::?\s", re.IGNORECASE)
_GLOBAL_DIRECTIVES: Final = frozenset(
    ("include", "moduleload", "modulepath", "serverid", "pidfile", "argsfile", "loglevel", "access", "limits",
     "attributetype", "attributetypes", "objectclass", "objectclasses", "tlscacertificatefile", "syncprov-checkpoint",
     "syncprov-sessionlog", "overlay", "suffix", "rootdn", "index", "updatedn", "updateref", "multiprovider",
     "mirrormode", "configdir")
)  # fmt: skip
_FILE_KEYWORDS: Final = ("tls_cacert", "tls_cert", "tls_key")


def is_live(name: str) -> bool:
    """Whether a source is a running server."""
    return _URL.match(name) is not None


@dataclass(frozen=True, slots=True)
class ConfigReader:
    """Reads sources by name (`lint.Sources`).

    `version` is what they are judged for; None: a live server says it itself, else the newest. `endpoint` makes the
    endpoint of a live source from its URI.
    """

    endpoint: Callable[[str], Endpoint]
    version: Version | None = None
    listeners: tuple[str, ...] = ()

    def read(self, name: str) -> Source:
        """One source. Raises `UsageError` for a file that cannot be read, `ServerUnavailable` for a server."""
        if is_live(name):
            source = self._live(name)
        else:
            path = Path(name)
            source = _folder(path, name) if path.is_dir() else _file(path, name)
            _must_configure(source)
            source = replace(source, absent=frozenset(_absent(source)))
        if self.version is not None:
            source = replace(source, version=self.version, assumed=False)
        return replace(source, listeners=self.listeners)

    def _live(self, uri: str) -> Source:
        with open_stream(self.endpoint(uri)) as stream:
            answer = stream.search("cn=config", "sub", attributes=("*",))
            if not any(entry.dn.lower() == "cn=config" for entry in answer.entries):
                raise ServerUnavailable(
                    f"{uri} does not show cn=config to {stream.endpoint.bind} ({results.name_of(answer.result.code)})",
                    "Ask as root over ldapi:/// with SASL EXTERNAL, or lint the folder (slapcat -n 0 makes one LDIF).",
                )
            if answer.result.code != results.SUCCESS:
                raise ServerUnavailable(f"{uri} did not send all of cn=config ({results.name_of(answer.result.code)})")
            configuration = cnconfig.from_entries(((entry.dn, entry.attributes) for entry in answer.entries), uri)
            version = _running(stream)
        if version is None:
            return Source(uri, configuration)
        return Source(uri, configuration, version=version, assumed=False)


def _running(stream: Stream) -> Version | None:
    """The server's version where it can be told for sure."""
    root = stream.search("", attributes=("*", "+")).entries
    monitor = stream.search("cn=Monitor", attributes=("monitoredInfo",)).entries
    types = stream.search("cn=Subschema", filter="(objectClass=subschema)", attributes=("attributeTypes",)).entries
    value = monitor[0].first("monitoredInfo") if monitor else None
    found = guess(
        root[0] if root else None,
        types[0].values("attributeTypes") if types else (),
        value.decode("utf-8", "replace") if value else "",
    )
    return found.version if found.certainty in (Certainty.EXACT, Certainty.BRANCH) else None


def _file(path: Path, name: str) -> Source:
    text = _text(path)
    texts, paths = {name: text}, {name: path}

    def include(wanted: str) -> str | None:
        for candidate in (Path(wanted), path.parent / wanted):
            try:
                content = _decoded(candidate)
            except OSError:
                continue
            texts[wanted], paths[wanted] = content, candidate
            return content
        return None

    if path.suffix.lower() == ".ldif" or _LDIF.match(text):
        try:
            configuration = cnconfig.read(text, name, include)
        except ValueError as problem:
            raise UsageError(str(problem), "Is it LDIF of cn=config (slapcat -n 0)?") from None
        return Source(name, configuration, texts, open_to=_open_to(paths))
    configuration = slapdconf.read(text, name, include)
    return Source(name, configuration, texts, open_to=_open_to(paths))


def _folder(path: Path, name: str) -> Source:
    files: dict[str, Path] = {}
    try:
        for found in sorted(path.rglob("*.ldif")):
            files[found.relative_to(path).as_posix()] = found
    except OSError as error:
        raise UsageError(f"{name} cannot be read ({error.strerror})") from None
    if "cn=config.ldif" not in files:
        hint = "slapd.d holds the file cn=config.ldif and the folder cn=config; perhaps it can only be read by root."
        raise UsageError(f"{name} is no slapd.d folder that can be read", hint)
    texts = {inside: _text(file) for inside, file in files.items()}
    shown = {f"{name.rstrip('/')}/{inside}": file for inside, file in files.items()}
    return Source(name, cnconfig.read_folder(texts), texts, folder=name.rstrip("/"), open_to=_open_to(shown))


def _must_configure(source: Source) -> None:
    """A file of something else has no findings, and must not look clean for it. Raises `UsageError`."""
    sections = source.configuration.sections
    held = {setting.name for section in sections for setting in section.settings}
    whole = any(section.kind is not SectionKind.GLOBAL for section in sections)
    if not whole and not held & _GLOBAL_DIRECTIVES and not list(source.configuration.stanzas):
        raise UsageError(f"{source.name} holds no configuration of slapd", "Is it the right file?")


def _text(path: Path) -> str:
    try:
        return _decoded(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror})", "Run as root, or as the user that slapd runs as."
        ) from None


def _decoded(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _open_to(paths: Mapping[str, Path]) -> dict[str, str]:
    """Who else may read each file: only "everybody" is told, as slapd's own group is a good group."""
    found = {}
    for name, path in paths.items():
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if mode & stat.S_IROTH and all(above.stat().st_mode & stat.S_IXOTH for above in path.absolute().parents):
            found[name] = f"everybody (mode {stat.S_IMODE(mode):04o})"
    return found


def _absent(source: Source) -> Iterator[str]:
    """TLS files of the stanzas that are not there, though their folder is: on another machine that would be missing."""
    for spot in source.spots:
        for keyword in _FILE_KEYWORDS:
            name = spot.text(keyword)
            if name.startswith("/") and Path(name).parent.is_dir() and not Path(name).exists():
                yield name
