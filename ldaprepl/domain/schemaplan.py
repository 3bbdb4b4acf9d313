"""Which schema a consumer needs, judged by what the provider publishes (cn=Subschema, RFC 4512).

A consumer stops at the first entry whose schema it lacks. What comes with slapd is named by its file, what an overlay
brings by its module, and what the site has defined itself is taken over word by word. Who belongs where is told by the
OID: the arcs of the standard files are fixed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ldaprepl.domain.blueprint import Schemas
from ldaprepl.domain.schema import Parts, is_operational, read_description
from ldaprepl.domain.version import Version

_OID: Final = re.compile(r"[\d.]+")
_BUILT_IN: Final = (
    "2.5.", "0.9.2342.19200300.100.", "1.3.6.1.4.1.4203.1.", "1.3.6.1.4.1.4203.666.1.", "1.3.6.1.4.1.4203.666.3.",
    "1.3.6.1.4.1.4203.666.11.", "1.3.6.1.4.1.1466.", "1.3.6.1.1.3.", "1.3.6.1.1.16.", "1.3.6.1.1.20", "1.3.6.1.1.22",
    "1.3.6.1.4.1.250.", "1.2.840.113549.1.9.", "2.16.840.1.113730.3.1.34", "2.16.840.1.113730.3.2.6",
    "1.3.6.1.4.1.453.16.2.", "1.3.6.1.4.1.42.2.27.8.1.",
)  # fmt: skip
"""Core, and what slapd holds itself. Arcs end with a dot, single OIDs do not."""

# file, a class or attribute that only it defines, its arcs beyond the above; in the order in which they must be read
_FILES: Final = (
    ("core", "", ()),
    ("cosine", "account", ()),
    ("inetorgperson", "inetorgperson", ("2.16.840.1.113730.3.1.", "2.16.840.1.113730.3.2.2")),
    ("nis", "posixaccount", ("1.3.6.1.1.1.",)),
    ("misc", "inetlocalmailrecipient",
     ("2.16.840.1.113730.3.1.", "2.16.840.1.113730.3.2.147", "1.3.6.1.4.1.42.2.27.2.")),
    ("dyngroup", "groupofurls", ("2.16.840.1.113730.3.2.33", "2.16.840.1.113730.3.1.198", "1.2.826.0.1.3458854.")),
    ("java", "javacontainer", ("1.3.6.1.4.1.42.2.27.4.",)),
    ("corba", "corbacontainer", ("1.3.6.1.4.1.42.2.27.4.",)),
    ("duaconf", "duaconfigprofile", ("1.3.6.1.4.1.11.1.3.1.",)),
    ("collective", "c-l", ()),
    ("openldap", "openldapperson", ()),
    ("pmi", "pmiuser", ("1.2.826.0.1.3344810.",)),
)  # fmt: skip
_OVERLAYS: Final = (
    ("ppolicy", "pwdpolicy", ("1.3.6.1.4.1.42.2.27.8.", "1.3.6.1.4.1.4754.")),
    ("memberof", "memberof", ("1.2.840.113556.1.2.102",)),
)
_V25: Final = Version(2, 5, 0)


@dataclass(frozen=True, slots=True)
class SchemaPlan:
    """Files and own definitions, and the modules that bring the schema of overlays."""

    schemas: Schemas
    modules: tuple[str, ...] = ()


def schema_plan(
    attribute_types: Iterable[bytes], object_classes: Iterable[bytes], version: Version, options: tuple[str, ...] = ()
) -> SchemaPlan:
    """What a consumer of this version needs; `options` are the provider's tagging options. Operational attributes of
    unknown overlays are left out: no file may define them.
    """
    types, classes = (
        [(text, read_description(text, [])) for text in (value.decode("utf-8", "replace") for value in values)]
        for values in (attribute_types, object_classes)
    )
    by_name = {name.lower(): parts for _, parts in (*types, *classes) for name in parts.get("NAME", ())[:1]}
    files = [each for each in _FILES if not each[1] or each[1] in by_name]
    if "AUXILIARY" in by_name.get("posixgroup", {}):  # RFC 2307bis: the same OIDs, other classes
        files = [each for each in files if each[0] != "nis"]
    overlays = [each for each in _OVERLAYS if each[1] in by_name]
    standard = (*_BUILT_IN, *(arc for _, _, arcs in (*files, *overlays) for arc in arcs))
    names = [name for name, _, _ in files]
    modules = [name for name, _, _ in overlays]
    if version < _V25 and "ppolicy" in modules:  # 2.5 moved it from a file into the module
        modules.remove("ppolicy")
        names.append("ppolicy")
    own_types = tuple(text for text, parts in types if _own(parts, standard) and not is_operational(parts))
    own_classes = tuple(text for text, parts in classes if _own(parts, standard))
    return SchemaPlan(Schemas(tuple(names), own_types, own_classes, options), tuple(modules))


def _own(parts: Parts, standard: tuple[str, ...]) -> bool:
    (oid,) = parts.get("OID") or ("",)
    if not _OID.fullmatch(oid):
        return False
    return not any(oid.startswith(arc) if arc.endswith(".") else oid == arc for arc in standard)
