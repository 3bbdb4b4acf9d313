"""A blueprint as text: slapd.conf, or LDIF of cn=config; a whole server, or a part to be added to one.

Each line that a reader would wonder about has its reason above it. In slapd.conf a comment must not stand inside a
directive, so those of a stanza stand above it. A whole server in LDIF is for `slapadd -n 0`; a part is for `ldapmodify
-c` at the running server: every record is one change, and what is there already is refused and left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ldaprepl.domain import cnconfig, ldif, slapdconf
from ldaprepl.domain.blueprint import Blueprint, Database, Line, Overlay, Word
from ldaprepl.domain.consumerplan import ConsumerPlan
from ldaprepl.domain.stanza import Rendering
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form, Unwritable, comment, quote
from ldaprepl.report.values import printable

_RAW: Final = frozenset({"suffix", "rootdn", "directory", "updateref", "updatedn", "logdb"})
"""One value each, which cn=config takes as it stands."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/@%+*=,-]+")  # reads the same without quotes in both forms
_ORDERED: Final = frozenset({"limits", "access"})
_EXTERNAL: Final = "gidNumber=0+uidNumber=0,cn=peercred,cn=external,cn=auth"


def render(blueprint: Blueprint, form: Form, version: Version, *, whole: bool, database: str) -> str:
    """The text. `database` is the DN of the data database in cn=config, for a part in LDIF.

    Raises `StanzaRefused` or `Unwritable` for what the form cannot hold. The text may hold passwords.
    """
    if form is Form.SLAPD_CONF:
        return "".join(_conf(blueprint, version, whole))
    return "".join(_config(blueprint, version) if whole else _changes(blueprint, version, database))


# --- slapd.conf


def _conf(blueprint: Blueprint, version: Version, whole: bool) -> Iterator[str]:
    yield _heading(blueprint)
    yield from _conf_global(blueprint, whole)
    for database in blueprint.databases:
        yield "\n"
        if database.new:
            yield slapdconf.directive("database", "mdb") + slapdconf.directive("suffix", database.suffix)
        else:
            yield comment(
                f"Into the section of the database {printable(database.suffix)}: limits and access above the other "
                "ones, the rest after rootdn, overlays last."
            )
        yield from (_conf_line(line) for line in database.lines)
        if database.rootpw:
            yield slapdconf.directive("rootpw", database.rootpw.reveal())
        for plan, why in _explained(database.plans):
            rendering = plan.stanza.render(Form.SLAPD_CONF, version)
            yield why + _dropped(rendering) + rendering.text
        yield from (_conf_line(line) for line in database.after)
        for overlay in database.overlays:
            yield _why(overlay.why) + slapdconf.directive("overlay", overlay.name)
            yield from (_conf_line(line) for line in overlay.lines)


def _conf_global(blueprint: Blueprint, whole: bool) -> Iterator[str]:
    if whole:
        yield from (
            slapdconf.directive("include", f"{blueprint.places.schema}/{name}.schema")
            for name in blueprint.schemas.files
        )
        yield from (f"attributetype {_one_line(text)}\n" for text in blueprint.schemas.attribute_types)
        yield from (f"objectclass {_one_line(text)}\n" for text in blueprint.schemas.object_classes)
        yield from map(_conf_line, _options(blueprint))
    elif blueprint.modules or blueprint.lines:
        yield "\n" + comment("Into the global part, above the first database:")
    if blueprint.modules and blueprint.places.modules:
        yield comment("modulepath, moduleload: leave them out where slapd has these built in.")
        yield slapdconf.directive("modulepath", blueprint.places.modules) if whole else ""
        yield from (slapdconf.directive("moduleload", name) for name in blueprint.modules)
    yield from (_conf_line(line) for line in blueprint.lines)


def _conf_line(line: Line) -> str:
    return f"{_why(line.why)}{' '.join((line.name, *_words(line, Form.SLAPD_CONF)))}\n"


# --- cn=config, whole


def _config(blueprint: Blueprint, version: Version) -> Iterator[str]:
    yield _heading(blueprint)
    yield "dn: cn=config\nobjectClass: olcGlobal\ncn: config\n"
    yield from (_attribute(line) for line in (*_options(blueprint), *blueprint.lines))
    yield "\n"
    if blueprint.modules and blueprint.places.modules:
        yield comment("Leave this entry out where slapd has these built in.")
        yield "dn: cn=module{0},cn=config\nobjectClass: olcModuleList\ncn: module{0}\n"
        yield ldif.line("olcModulePath", blueprint.places.modules)
        yield from (f"olcModuleLoad: {name}\n" for name in blueprint.modules)
        yield "\n"
    yield "dn: cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: schema\n\n"
    yield from (f"include: file://{blueprint.places.schema}/{name}.ldif\n\n" for name in blueprint.schemas.files)
    schemas = blueprint.schemas
    if schemas.attribute_types or schemas.object_classes:
        yield "dn: cn=site,cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: site\n"
        yield from (ldif.line("olcAttributeTypes", _one_line(text)) for text in schemas.attribute_types)
        yield from (ldif.line("olcObjectClasses", _one_line(text)) for text in schemas.object_classes)
        yield "\n"
    yield "dn: olcDatabase={-1}frontend,cn=config\nobjectClass: olcDatabaseConfig\nobjectClass: olcFrontendConfig\n"
    yield "olcDatabase: {-1}frontend\n\n"
    yield comment("Root of this machine may change the configuration, through ldapi:/// with SASL EXTERNAL.")
    yield "dn: olcDatabase={0}config,cn=config\nobjectClass: olcDatabaseConfig\nolcDatabase: {0}config\n"
    yield f'olcAccess: {{0}}to * by dn.exact="{_EXTERNAL}" manage by * none\n\n'
    for number, database in enumerate(blueprint.databases, 1):
        yield from _new_database(database, f"{{{number}}}mdb", version)


def _new_database(database: Database, name: str, version: Version, change: str = "") -> Iterator[str]:
    dn = f"olcDatabase={name},cn=config"
    yield f"dn: {dn}\n{change}objectClass: olcDatabaseConfig\nobjectClass: olcMdbConfig\nolcDatabase: {name}\n"
    yield ldif.line("olcSuffix", database.suffix)
    counts: dict[str, int] = {}
    for line in database.lines:
        index = counts.get(line.name, 0)
        counts[line.name] = index + 1
        yield _attribute(line, index if line.name in _ORDERED else None)
    if database.rootpw:
        yield ldif.line("olcRootPW", database.rootpw.reveal())
    for number, (plan, why) in enumerate(_explained(database.plans)):
        rendering = plan.stanza.render(Form.CN_CONFIG, version)
        yield why + _dropped(rendering) + cnconfig.attribute("olcSyncrepl", rendering.words, number)
    yield from (_attribute(line) for line in database.after)
    yield "\n"
    for number, overlay in enumerate(database.overlays):
        yield _overlay(overlay, f"{{{number}}}", dn, change)


# --- cn=config, changes


def _changes(blueprint: Blueprint, version: Version, database: str) -> Iterator[str]:
    yield _heading(blueprint)
    yield comment(
        f"For ldapmodify -c, once: slapd refuses most of what is there already, but would take a second accesslog or a "
        f"second database (--apply looks first). Correct the DN of the database if it is not {database}."
    )
    yield "\n"
    if blueprint.modules and blueprint.places.modules:
        yield comment("Leave this record out where slapd has these built in.")
        yield "dn: cn=module,cn=config\nchangetype: add\nobjectClass: olcModuleList\ncn: module\n"
        yield ldif.line("olcModulePath", blueprint.places.modules)
        yield "".join(f"olcModuleLoad: {name}\n" for name in blueprint.modules) + "\n"
    if blueprint.lines:
        yield _modify("cn=config", [(line.why, line.name, _attribute(line, bare=True)) for line in blueprint.lines])
    for each in blueprint.databases:
        if each.new:
            name = _next_to(database)
            yield comment(f"{name}: the number after the last database that is there.")
            yield from _new_database(each, name, version, "changetype: add\n")
        else:
            yield from _additions(each, database, version)


def _additions(database: Database, dn: str, version: Version) -> Iterator[str]:
    counts: dict[str, int] = {}
    for line in database.lines:
        index = counts.get(line.name, 0)
        counts[line.name] = index + 1
        text = _attribute(line, index if line.name in _ORDERED else None, bare=True)
        yield _modify(dn, [(line.why, line.name, text)])
    stanzas = []
    for plan, why in _explained(database.plans):
        rendering = plan.stanza.render(Form.CN_CONFIG, version)
        text = why + _dropped(rendering) + cnconfig.attribute("olcSyncrepl", rendering.words)
        stanzas.append(("", "syncrepl", text))
    # in one change: a consumer without updateref answers writers with an error, and with it but no stanza cannot start
    after = [(line.why, line.name, _attribute(line, bare=True)) for line in database.after]
    if stanzas or after:
        yield _modify(dn, [*stanzas, *after])
    yield from (_overlay(overlay, "", dn, "changetype: add\n") for overlay in database.overlays)


def _modify(dn: str, values: list[tuple[str, str, str]]) -> str:
    """One change record: reason, name and attribute line of each value; values of one name are added together."""
    parts = [ldif.line("dn", dn), "changetype: modify\n"]
    for name in dict.fromkeys(name for _, name, _ in values):
        parts.append(f"{'replace' if name in _SINGLE else 'add'}: {cnconfig.olc(name)}\n")
        parts += [_why(why) + text for why, each, text in values if each == name]
        parts.append("-\n")
    return "".join(parts) + "\n"


_SINGLE: Final = frozenset({"multiprovider", "mirrormode"})  # not updatedn: slapd 2.5 cannot replace what is not there


def _next_to(database: str) -> str:
    """`{2}mdb` for a database that is {1}."""
    number = database.partition("{")[2].partition("}")[0]
    return f"{{{int(number) + 1 if number.isdigit() else 2}}}mdb"


# --- both


def _options(blueprint: Blueprint) -> tuple[Line, ...]:
    options = blueprint.schemas.options
    why = "those of the provider: a consumer stops at the first attribute with an option that it does not know"
    return (Line.of("attributeoptions", *options, why=why),) if options else ()


def _overlay(overlay: Overlay, index: str, database: str, change: str) -> str:
    name = f"{index}{overlay.name}"
    head = f"dn: olcOverlay={name},{database}\n{change}objectClass: olcOverlayConfig\n"
    head += f"objectClass: {cnconfig.OVERLAYS[overlay.name]}\nolcOverlay: {name}\n"
    return _why(overlay.why) + head + "".join(_attribute(line) for line in overlay.lines) + "\n"


def _attribute(line: Line, index: int | None = None, *, bare: bool = False) -> str:
    """The line as an attribute of cn=config; `bare` without its reason."""
    why = "" if bare else _why(line.why)
    if line.name in _RAW:
        return why + ldif.line(cnconfig.olc(line.name), str(line.words[0]))
    prefix = "" if index is None else f"{{{index}}}"
    return why + ldif.line(cnconfig.olc(line.name), prefix + " ".join(_words(line, Form.CN_CONFIG)))


def _words(line: Line, form: Form) -> Iterator[str]:
    return (_word(word, form) for word in line.words)


def _word(word: Word, form: Form) -> str:
    if isinstance(word, tuple):
        key, name = word
        try:
            return quote(name, form, key)
        except Unwritable:  # a DN can be spelled without the quote (RFC 4514, section 2.4)
            return quote(name.replace('\\"', "\\22"), form, key)
    return word if _PLAIN.fullmatch(word) else quote(word, form)


def _heading(blueprint: Blueprint) -> str:
    lines = [printable(line) for line in blueprint.heading]
    if blueprint.secret:
        lines.append("Holds a password: for slapd only (chmod 600).")
    return comment("\n".join(lines))


def _explained(plans: tuple[ConsumerPlan, ...]) -> Iterator[tuple[ConsumerPlan, str]]:
    """Each plan with its reasons as comments; what was said above is not said again."""
    said: set[str] = set()
    for plan in plans:
        lines = [f"{reason.keyword}: {reason.text}" for reason in plan.reasons]
        yield plan, comment("\n".join(line for line in lines if line not in said))
        said |= set(lines)


def _dropped(rendering: Rendering) -> str:
    return comment("\n".join(f"left out: {dropped.reason}" for dropped in rendering.dropped))


def _why(text: str) -> str:
    return comment(text) if text else ""


def _one_line(definition: str) -> str:
    return " ".join(definition.split())
