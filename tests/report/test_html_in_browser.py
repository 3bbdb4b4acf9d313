"""The HTML report in a real browser: values of a hostile directory run nothing, the page's own script works.

Headless Chromium, which is told to fetch nothing. Where Debian's package `chromium` is not installed these tests are
skipped, with the reason.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from page import ATTACKS, BASE, RAN, WRITTEN, Page, differs, hostile, one

from ldaprepl.domain.verdict import AttributeDifference, Cause, Finding, Kind, State
from ldaprepl.report.html import render_several, render_verify
from ldaprepl.report.html_look import POLICY
from ldaprepl.report.values import printable

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's package chromium is not installed")
Browse = Callable[..., Page]


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """What a page is once the browser has run it."""

    def run(html: str, *flags: str) -> Page:
        file = tmp_path / "report.html"
        file.write_text(html, encoding="utf-8")
        command = [
            str(CHROMIUM),
            *FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
            *flags,
            "--dump-dom",
            file.as_uri(),
        ]
        environment = {**os.environ, "TMPDIR": "/tmp"}  # its name is short: a socket lives in it
        done = subprocess.run(command, capture_output=True, timeout=300, check=False, env=environment)
        assert done.returncode == 0, done.stderr.decode()
        return Page.of(done.stdout.decode())

    return run


def ran(page: Page) -> bool:
    """Whether an attack left its trace."""
    return "data-ran" in page.elements[0].attributes


def by_id(page: Page, name: str) -> dict[str, str]:
    return next(e.attributes for e in page.elements if e.attributes.get("id") == name)


def with_script(html: str, script: str, policy: str = "") -> str:
    """The page with one more script at its end, and another policy."""
    return html.replace(POLICY, policy or POLICY).replace("</body>", f"<script>{script}</script></body>")


def test_a_hostile_directory_runs_nothing_and_is_shown(browse: Browse) -> None:
    page = browse(render_verify(hostile(), WRITTEN))
    assert not ran(page)
    assert "hidden" not in by_id(page, "tools")  # our own script did run
    assert len(page.all("script")) == 1
    assert not {e.name for e in page.elements} & {"img", "iframe", "object", "embed", "a"}
    rows = "".join(page.rows())
    for attack in ATTACKS:
        assert printable(attack) in rows


def test_a_script_that_came_in_all_the_same_does_not_run(browse: Browse) -> None:
    """The second wall: were an escape forgotten, the page's policy still holds."""
    html = render_verify(one(differs("mail", b"a", b"b")), WRITTEN)
    attack = f"{RAN}</script><img src=x onerror='{RAN}'><svg onload='{RAN}'></svg><script>{RAN}"
    assert ran(browse(with_script(html, attack, "default-src 'unsafe-inline'")))  # the attack itself is a good one
    assert not ran(browse(with_script(html, attack)))


def test_filter_and_sort(browse: Browse) -> None:
    mail = (AttributeDifference("mail", (b"ada@example.com",), ()),)
    lost, lag = Cause("lost-update", "older than the provider's", "Send it again"), Cause("lag", "not yet")
    findings = [
        Finding(Kind.MISSING, f"uid=zoe,ou=one,{BASE}", state=State.BEHIND, cause=lag),
        Finding(Kind.EXTRA, f"uid=bob,ou=two,{BASE}"),
        Finding(Kind.DIFFERS, f"uid=ada,ou=two,{BASE}", attributes=mail, cause=lost),
    ]
    html = render_verify(one(*findings), WRITTEN)
    policy = POLICY.replace("script-src ", "script-src 'unsafe-inline' ").replace("'sha256", "'x-sha256")
    steps = """
        document.querySelector("#findings th[data-sort=dn] button").click();
        const names = () => [...document.querySelectorAll("#findings tbody:not([hidden]) [data-key=dn]")]
          .map(name => name.textContent.slice(4, 7)).join(" ");
        const seen = [names()];
        const pick = document.querySelector("select[name=state]");
        pick.value = "lasting"; pick.dispatchEvent(new Event("change")); seen.push(names());
        document.querySelector("#findings th[data-sort=dn] button").click(); seen.push(names());
        document.getElementById("reset").click(); seen.push(names());
        const why = document.querySelector("select[name=cause]");
        why.value = "lost-update"; why.dispatchEvent(new Event("change")); seen.push(names());
        why.value = ""; why.dispatchEvent(new Event("change"));
        document.querySelector('.chart [data-find^="ou=one"] button').click(); seen.push(names());
        document.title = seen.join("; ") + "; " + document.getElementById("count").value;
    """
    page = browse(with_script(html, steps, policy))
    assert page.all("title")[0].text == (
        "ada bob zoe; ada bob; bob ada; zoe bob ada; ada; zoe; 1 of 3 findings shown, the others are filtered out."
    )


def test_each_of_several_reports_has_its_own_filter(browse: Browse) -> None:
    named = [
        replace(one(differs("mail", b"a", b"b"), differs("cn", b"a", b"b")), name="first"),
        replace(hostile(), name="second"),
        replace(one(Finding(Kind.EXTRA, f"uid=bob,{BASE}"), Finding(Kind.EXTRA, f"uid=ada,{BASE}")), name="third"),
    ]
    policy = POLICY.replace("script-src ", "script-src 'unsafe-inline' ").replace("'sha256", "'x-sha256")
    steps = """
        const search = document.getElementById("search-3");
        search.value = "bob"; search.dispatchEvent(new Event("input"));
        const shown = part => document.querySelectorAll(`#findings-${part} tbody:not([hidden])`).length;
        const all = document.querySelectorAll("[id]");
        setTimeout(() => { document.title = [shown(1), shown(3), all.length - new Set([...all].map(e => e.id)).size]; },
                   300);
    """
    page = browse(with_script(render_several(named, WRITTEN), steps, policy), "--virtual-time-budget=2000")
    assert page.all("title")[0].text == "2,1,0"
    assert not ran(page)


@pytest.mark.parametrize("width", [500, 760, 1300])
def test_no_page_is_wider_than_the_screen(browse: Browse, width: int) -> None:
    html = render_verify(hostile(), WRITTEN)
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    measure = "document.title = document.documentElement.scrollWidth + ' ' + innerWidth"
    page = browse(with_script(html, measure, policy), f"--window-size={width},900")
    wide, screen = map(int, re.findall(r"\d+", page.all("title")[0].text))
    assert screen >= width - 20  # the window is as wide as was asked
    assert wide <= screen
