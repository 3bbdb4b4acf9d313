"""The HTML report of two real servers, whose directory is all that is awkward: every planted fault is on the page."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ldaprepl.cli.main import run
from ldaprepl.domain.awkward import CONF_LINES, awkward
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.planting import plant
from ldaprepl.domain.sample import SUFFIX, stamped
from ldaprepl.errors import ExitCode
from ldaprepl.report.html_look import SCRIPT
from ldaprepl.report.values import printable
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

CONF = SlapdConf(lines=CONF_LINES, database=Database(nosync=True))


def test_every_fault_between_two_awkward_directories_is_on_the_page(
    slapd: Callable[..., Slapd], tmp_path: Path
) -> None:
    sample = list(stamped(awkward(600)))
    copy, planted = plant(sample, 12)
    servers = []
    for entries in (sample, copy):
        server = slapd(CONF)
        server.load(map(entry_text, entries))
        servers.append(server.start())
    provider, consumer = servers
    password = tmp_path / "password"
    password.write_text(provider.rootpw.reveal())
    other = tmp_path / "other"
    other.write_text(consumer.rootpw.reveal())
    report = tmp_path / "report.html"
    code = run(
        ["verify", "--provider", provider.ldapi_uri, "--consumer", consumer.ldapi_uri, "-b", SUFFIX, "--settle", "0",
         "-D", provider.rootdn, "-y", str(password), "--consumer-password-file", str(other),
         "--format", "html", "-o", str(report)]
    )  # fmt: skip
    assert code == ExitCode.FINDING
    page = report.read_text(encoding="utf-8")
    plain = page.replace("<wbr>", "").replace("<mark>", "").replace("</mark>", "")
    wanted = Counter(fault.kind.value for fault in planted)
    assert {kind: page.count(f'<tbody data-kind="{kind}"') for kind in wanted} == wanted
    for fault in planted:
        assert fault.uuid in page
    assert page.count("<script") == page.count("</script>") == 1 and SCRIPT in page
    assert any(html.escape(printable(fault.dn)) in plain for fault in planted)
    for secret in (b"{SSHA}", b"{CRYPT}", provider.rootpw.reveal().encode()):
        assert secret.decode() not in page
