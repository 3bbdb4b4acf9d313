"""The look of the HTML report: its style sheet, its script, and the policy that lets nothing else run.

Both texts are constants, so the page can name their digests in its Content-Security-Policy: a script or a style that
came in with a value would not match and would not run even if escaping failed. For the same reason there are no
`style` and no `on…` attributes: bars are SVG rectangles with widths of their own. Nothing is fetched: fonts are the
reader's own. Colours are named once, light and dark; a test holds their contrast (WCAG 2.1, 1.4.3 and 1.4.11).

Without the script the page is whole: it only adds filtering, sorting, and buttons on the charts.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

_LIGHT: Final = """
color-scheme:light;
--page:#f5f6f8;--card:#ffffff;--sunk:#eef0f4;--line:#d5d9e1;--ink:#1a1f29;--soft:#505a6b;--accent:#1f55b5;
--equal:#166b3b;--behind:#885000;--diverged:#b3202c;--undecided:#6a3fa8;
--missing:#c2333d;--extra:#2a6fc9;--renamed:#a36200;--differs:#7d50c0;--identity:#0b7f7a;
--mark:#ffe08a;--markink:#3b2a00;
"""
_DARK: Final = """
color-scheme:dark;
--page:#11141a;--card:#1a1e27;--sunk:#232935;--line:#363e4d;--ink:#e8ebf1;--soft:#a5afc0;--accent:#8db4ff;
--equal:#63cf90;--behind:#eeb35a;--diverged:#ff858a;--undecided:#c3a2ff;
--missing:#f0646c;--extra:#66a3f5;--renamed:#dc9c3c;--differs:#b08bf0;--identity:#35b5ad;
--mark:#66510f;--markink:#ffefc2;
"""

STYLE: Final = (
    ":root{" + _LIGHT + "}@media screen and (prefers-color-scheme:dark){:root{" + _DARK + "}}"
    """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main,header,footer{max-width:84rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.5rem}
h1,h2{line-height:1.2;margin:0}
h2{font-size:1.2rem;margin-bottom:.2rem}
p{margin:.25rem 0;overflow-wrap:anywhere}
a{color:var(--accent)}
code{font:.875em/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
overflow-wrap:anywhere;white-space:pre-wrap;unicode-bidi:isolate}
.soft,.raw{color:var(--soft)}
.raw{display:block;font-size:.78em}
.vh{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.card{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.1rem 1.25rem;margin:1rem 0}
.lead{color:var(--soft);max-width:70ch;margin-bottom:.75rem;font-size:.925rem}
.scroll{overflow-x:auto}
.verdict{display:flex;gap:1.1rem;align-items:center;border-left:.5rem solid var(--tone)}
.verdict>b{flex:none;width:3.5rem;height:3.5rem;border-radius:50%;background:var(--tone);color:var(--card);
font-size:2rem;line-height:3.5rem;text-align:center}
.verdict h1{font-size:1.6rem;color:var(--tone);letter-spacing:.03em}
.equal{--tone:var(--equal)}.behind{--tone:var(--behind)}
.diverged,.lasting{--tone:var(--diverged)}.undecided{--tone:var(--undecided)}
.missing{--kind:var(--missing)}.extra{--kind:var(--extra)}.renamed{--kind:var(--renamed)}
.differs{--kind:var(--differs)}.identity{--kind:var(--identity)}
.facts{display:flex;flex-wrap:wrap;gap:.6rem 2.5rem;margin:0}
.facts div{min-width:0}
dt{color:var(--soft);font-size:.8rem}
dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
caption{text-align:left;color:var(--soft);font-size:.875rem;padding-bottom:.35rem}
th,td{text-align:left;vertical-align:top;padding:.5rem .6rem;border-top:1px solid var(--line)}
thead th{font-size:.8rem;font-weight:600;color:var(--soft);border-top:0;white-space:nowrap}
thead th code{white-space:normal}
tbody th{font-weight:400}
tr>:first-child{padding-left:0}
tr>:last-child{padding-right:0}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.zero{color:var(--soft)}
.pill{display:inline-block;border:1.5px solid var(--tone,var(--soft));color:var(--tone,var(--soft));
border-radius:1rem;padding:0 .6rem;
font-size:.8rem;font-weight:600;white-space:nowrap}
.kind{display:inline-flex;margin-right:.5rem;align-items:center;gap:.4rem;font-weight:600;white-space:nowrap}
.sigil{flex:none;width:1.35rem;height:1.35rem;border-radius:.3rem;background:var(--kind);color:var(--card);
font:700 .9rem/1.35rem ui-monospace,monospace;text-align:center}
.note td{border-top:0;padding-top:0}
.counts>tbody>tr>th{min-width:13rem}
.causes dt{margin-top:.75rem;overflow-wrap:anywhere}
.say{border-left:.25rem solid var(--tone,var(--line));padding:.1rem 0 .1rem .75rem;margin:.25rem 0}
.legend{list-style:none;margin:0 0 1rem;padding:0;display:grid;gap:.4rem 1.25rem;
grid-template-columns:repeat(auto-fit,minmax(17rem,1fr))}
.legend li{display:flex;gap:.5rem;align-items:baseline}
.legend .sigil{align-self:center}
.charts{display:grid;align-items:start;gap:1.5rem 2.5rem;
grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr))}
.charts>:first-child{grid-column:1/-1}
.chart{table-layout:fixed}
.chart th{width:45%;padding:.3rem .6rem .3rem 0;overflow-wrap:anywhere}
.chart td{padding:.3rem 0}
.chart th code{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:3;overflow:hidden}
.chart .n{width:5.5rem;padding-right:.75rem}
.chart thead th{padding-bottom:.2rem}
.d1{padding-left:1.1rem!important}.d2{padding-left:2.2rem!important}
.d3{padding-left:3.3rem!important}.d4{padding-left:4.4rem!important}
.bar{display:block;width:100%;height:.9rem;margin-top:.3rem;border-radius:.2rem;background:var(--sunk)}
.bar rect{fill:var(--kind)}
.chart button,th button{font:inherit;color:inherit;background:none;border:0;padding:0;text-align:left;cursor:pointer}
.chart button{text-decoration:underline dotted;text-underline-offset:.2em}
.findings button::after{content:" \\2195";opacity:.6}
.findings [aria-sort=ascending] button::after{content:" \\2191";opacity:1}
.findings [aria-sort=descending] button::after{content:" \\2193";opacity:1}
.tools{display:flex;flex-wrap:wrap;gap:.6rem .9rem;align-items:end;margin:.5rem 0 1rem}
.tools[hidden]{display:none}
.tools label{display:grid;grid-template-columns:minmax(0,1fr);max-width:min(100%,20rem);
font-size:.8rem;color:var(--soft)}
.tools label:first-child{flex:1 1 16rem;max-width:100%}
.tools input,.tools select,.tools button{font:inherit;color:var(--ink);background:var(--page);min-height:2.5rem;
max-width:100%;border:1px solid var(--soft);border-radius:.4rem;padding:.3rem .6rem}
.tools output{flex-basis:100%;color:var(--soft);font-size:.875rem}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.findings{table-layout:fixed}
.findings>thead th{position:sticky;top:0;background:var(--card);z-index:1;box-shadow:inset 0 -1px var(--line)}
.findings>thead th:nth-child(1){width:7.5rem}.findings>thead th:nth-child(2){width:33%}
.findings>thead th:nth-child(3){width:9.5rem}
.findings tbody{border-top:1px solid var(--soft)}
.findings td,.findings th{contain:paint}
.findings tbody tr+tr>*{border-top:1px dashed var(--line)}
.findings tr+tr>:first-child{padding-left:.6rem}
.findings .name{overflow-wrap:anywhere}
.findings ul{margin:0;padding:0;list-style:none}
.findings li+li{margin-top:.2rem}
.none{color:var(--soft);font-style:italic}
mark{background:var(--mark);color:var(--markink);border-radius:.15rem;text-decoration:underline;
text-decoration-thickness:.1em;text-underline-offset:.2em}
.more{border:1px solid var(--behind);border-radius:.5rem;padding:.6rem .9rem;margin:.75rem 0}
footer{padding-bottom:2rem;color:var(--soft);font-size:.875rem}
@media screen and (max-width:46rem){
main,header,footer{padding-left:.75rem;padding-right:.75rem}
.card{padding:.9rem;border-radius:.6rem}
.verdict{gap:.8rem}.verdict>b{width:2.75rem;height:2.75rem;line-height:2.75rem;font-size:1.6rem}
.verdict h1{font-size:1.3rem}
.stack,.stack>tbody,.stack>tbody>tr,.stack>tbody>tr>*{display:block;width:auto}
.stack>thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.stack>tbody>tr>*,.findings tr+tr>:first-child{border-top:0;padding:.15rem 0;text-align:left}
.stack>tbody>tr>[data-l]::before{content:attr(data-l);display:block;color:var(--soft);font-size:.78rem}
.counts>tbody>tr>.n{display:inline-block;min-width:30%;padding-right:1rem}
.stack:not(.findings)>tbody>tr:not(.note){border-top:1px solid var(--line);padding-top:.5rem}
.findings>tbody{padding:.7rem 0}
.findings>tbody>tr+tr>:first-child{margin-top:.5rem;padding-top:.5rem}
.findings>tbody>tr>.name{font-weight:600;margin-top:.35rem}
.findings>tbody>tr>td.side{border-left:.2rem solid var(--line);padding-left:.6rem;margin-top:.25rem}
.findings>tbody:is([data-kind=missing],[data-kind=extra])>tr>td.side{display:inline-block;width:48%}
.findings br:has(+.pill){display:none}
.chart th{width:50%}
}
@media print{
@page{margin:14mm 12mm}
body{background:#fff;font-size:9.5pt}
main,header,footer{max-width:none;padding:0}
.card{border:0;border-top:1px solid #888;border-radius:0;padding:.6rem 0;margin:.6rem 0}
.verdict{border-top:0;border-left:.5rem solid var(--tone);padding-left:1rem}
.tools input,.tools select,.tools label,.tools button{display:none}
.scroll{overflow:visible}
.findings td,.findings th{contain:none}
.findings>thead th{position:static}
.findings>thead th:nth-child(1){width:6.5rem}.findings>thead th:nth-child(2){width:27%}
.findings>thead th:nth-child(3){width:7.5rem}
.counts th,.counts td{padding-left:.3rem;padding-right:.3rem;font-size:.85em}
thead{display:table-header-group}
tr,.legend li,.chart{break-inside:avoid}
h2,.lead,caption{break-after:avoid}
.bar,.bar rect,.sigil,.verdict>b,mark{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.findings thead button{display:contents}.pill{white-space:normal}
.findings button::after{content:none}.chart button{text-decoration:none}
}
@media (forced-colors:active){.sigil,.verdict>b{border:1px solid}.bar{border:1px solid}.bar rect{stroke:CanvasText}}
"""
)

SCRIPT: Final = """
"use strict";
for (const part of document.querySelectorAll(".report")) {
const find = name => part.querySelector(`[id^=${name}]`);
const table = find("findings");
if (!table) continue;
const tools = find("tools"), count = find("count");
const search = find("search"), rows = [...table.tBodies];
const picks = [...tools.querySelectorAll("select")];
const texts = new Map(rows.map(row => [row, row.textContent.toLowerCase()]));
const number = value => value.toLocaleString("en");
function filter() {
  const words = search.value.toLowerCase().split(" ").filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const fits = picks.every(pick => !pick.value || row.dataset[pick.name] === pick.value)
      && words.every(word => texts.get(row).includes(word));
    row.hidden = !fits;
    shown += fits;
  }
  count.value = shown === rows.length ? `All ${number(rows.length)} findings in this table shown.`
    : `${number(shown)} of ${number(rows.length)} findings shown, the others are filtered out.`;
}
let waiting = 0;
search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
for (const pick of picks) pick.addEventListener("change", filter);
find("reset").addEventListener("click", () => {
  search.value = "";
  for (const pick of picks) pick.value = "";
  filter();
  search.focus();
});
for (const head of table.tHead.querySelectorAll("th[data-sort]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const down = head.ariaSort === "ascending", key = head.dataset.sort;
    for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.ariaSort = down ? "descending" : "ascending";
    const order = new Intl.Collator("en", {numeric: true});
    const named = rows.map(row => [row.querySelector(`[data-key=${key}]`)?.textContent || "", row]);
    named.sort((a, b) => (down ? -1 : 1) * order.compare(a[0], b[0]));
    table.append(...named.map(pair => pair[1]));
  });
}
for (const label of part.querySelectorAll(".chart [data-find]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.title = "Show these findings";
  button.append(...label.childNodes);
  label.append(button);
  button.addEventListener("click", () => {
    search.value = label.dataset.find;
    filter();
    find("what").scrollIntoView();
    search.focus({preventScroll: true});
  });
}
tools.hidden = false;
filter();
}
"""


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY: Final = (
    f"default-src 'none'; style-src {_digest(STYLE)}; script-src {_digest(SCRIPT)}; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
)
