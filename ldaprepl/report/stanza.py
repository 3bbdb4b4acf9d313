"""The consumer's part as text, in both forms of slapd's configuration, and what was found at the provider.

Comments stand above the stanza: in slapd.conf a comment inside would swallow the rest of it. The LDIF is a change
record for a running consumer; it can be applied by ldapmodify. Both hold the password in clear.
"""

from __future__ import annotations

from ldaprepl.domain import cnconfig, ldif, slapdconf
from ldaprepl.domain.consumerplan import ConsumerPlan
from ldaprepl.domain.plural import counted
from ldaprepl.domain.provider import Finding, ProviderProfile, Sync
from ldaprepl.domain.stanza import Rendering
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form, comment
from ldaprepl.report.values import printable

ANY_DATABASE = "olcDatabase={1}mdb,cn=config"


def render_plan(plan: ConsumerPlan, form: Form, version: Version, database: str = ANY_DATABASE) -> str:
    """The text for the consumer. `database` is the DN of its database in cn=config (LDIF only).

    Raises `StanzaRefused` when the stanza cannot be written in that form for that version.
    """
    rendering = plan.stanza.render(form, version)
    if form is Form.SLAPD_CONF:
        update = slapdconf.directive("updateref", plan.updateref) if plan.updateref else ""
        place = "Into the section of the consumer's database, after its rootdn; the file is for slapd only (chmod 600)."
        return comment(_heading(plan, rendering, place)) + rendering.text + update
    place = f"For ldapmodify at the consumer. Correct the DN of the database if it is not {database}."
    lines = [comment(_heading(plan, rendering, place)), ldif.line("dn", database), "changetype: modify\n"]
    lines += ["add: olcSyncrepl\n", cnconfig.attribute("olcSyncrepl", rendering.words), "-\n"]
    if plan.updateref:
        lines += ["replace: olcUpdateRef\n", ldif.line("olcUpdateRef", plan.updateref), "-\n"]
    return "".join(lines) + "\n"


def render_profile(profile: ProviderProfile) -> str:
    """What was found, for a terminal: one line about the server, then each finding with its cure."""
    server = f"{profile.uri}: {profile.server}"
    if profile.server.evidence:
        server += f" (from {profile.server.evidence})"
    parts = [server]
    if profile.sync is Sync.OFFERED:
        parts.append("offers sync")
    if profile.context_csn:
        parts.append(f"contextCSN {' '.join(profile.context_csn.texts())}")
    if profile.entries is not None:
        parts.append(f"{counted(profile.entries)} in scope")
    lines = ["; ".join(parts)]
    for finding in profile.findings:
        lines += _finding(finding)
    return "".join(printable(line) + "\n" for line in lines)


def _finding(finding: Finding) -> list[str]:
    lines = [f"{finding.severity.value}: {finding.text}"]
    return [*lines, f"  {finding.cure}"] if finding.cure else lines


def _heading(plan: ConsumerPlan, rendering: Rendering, place: str) -> str:
    lines = [f"Consumer of {printable(plan.stanza.provider)}, by ldaprepl init-consumer.", place]
    lines += [f"{reason.keyword}: {reason.text}" for reason in plan.reasons]
    if plan.updateref:
        lines.append("updateref: where clients are sent that want to write here.")
    lines += [f"left out: {dropped.reason}" for dropped in rendering.dropped]
    return "\n".join(lines)
