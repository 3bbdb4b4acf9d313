"""What contrib/ offers must be right where it is installed: options that exist, metrics that are written.

promtool, systemd-analyze, icinga2 and nagios judge their files themselves where they are installed (Debian: prometheus,
systemd, icinga2-bin, nagios4-core); without them the same files are still held against the program here.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shlex
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ldaprepl.cli.check import command
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.health import Criterion, Finding, Health, ServerHealth, SidHealth, Standing, Status, Vitals
from ldaprepl.report import prometheus

CONTRIB = Path(__file__).parents[2] / "contrib"
OPTIONS = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
METRICS = set(prometheus.METRICS)


def tool(*names: str) -> str:
    for name in names:
        found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
        if found:
            return found
    pytest.skip(f"{names[0]} is not installed")


def ran(*arguments: str | Path, cwd: Path | None = None) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr


def parsed(line: str) -> dict[str, object]:
    """The options of one command line, as the program itself takes them."""
    words = shlex.split(line)
    return command.make_context("check", words[words.index("check") + 1 :]).params


# -- command lines ---------------------------------------------------------------------------------------------------


def test_the_service() -> None:
    text = (CONTRIB / "systemd/ldaprepl-check.service").read_text()
    example = dict(re.findall(r"^#   (LDAPREPL_\w+)=(.*)$", text, re.MULTILINE))
    line = re.search(r"^ExecStart=((?:.*\\\n)*.*)$", text, re.MULTILINE)
    assert line
    given = parsed(re.sub(r"\$(\w+)", lambda found: example[found[1]], line[1].replace("\\\n", " ")))
    assert (given["format_"], given["base"]) == ("prometheus", "dc=example,dc=com")
    output = given["output"]
    assert isinstance(output, Path)
    assert f"ReadWritePaths={output.parent}\n" in text
    assert output.suffix == ".prom"  # the collector takes no other


def test_the_cron_line() -> None:
    lines = (CONTRIB / "cron/ldaprepl-check").read_text().splitlines()
    [job] = [line for line in lines if line.startswith("*")]
    assert "%" not in job  # cron makes it a newline
    fields = job.split(maxsplit=6)
    given = parsed(fields[6])
    assert (fields[5], given["cron"], str(given["state"])) == ("ldapmon", True, "/var/lib/ldaprepl/check.json")


def test_the_nagios_commands() -> None:
    text = (CONTRIB / "nagios/ldaprepl.cfg").read_text()
    lines = re.findall(r"command_line\s+(.*)", text)
    service = re.search(r"check_command\s+(.*)", text)
    assert service
    arguments = service[1].split("!")
    filled = [re.sub(r"\$ARG(\d)\$", lambda found: arguments[int(found[1])], lines[0])]
    filled += [lines[1].replace("$ARG1$", "60").replace("$ARG2$", "5m")]
    given = [parsed(line) for line in filled]
    assert (given[0]["warning"], given[0]["critical"], given[0]["base"]) == (60, 300, "dc=example,dc=com")
    assert given[1]["stanza"] == "ldapi:///"


def test_the_icinga_arguments() -> None:
    text = (CONTRIB / "icinga2/ldaprepl.conf").read_text()
    assert set(re.findall(r'^    "(--[a-z-]+)" = ', text, re.MULTILINE)) <= OPTIONS
    repeated = re.findall(r'"(--[a-z-]+)" = \{\s*value = "[^"]*"\s*repeat_key', text)
    multiple = {parameter.opts[0] for parameter in command.params if getattr(parameter, "multiple", False)}
    assert set(repeated) <= multiple


# -- metrics -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["prometheus/ldaprepl.rules.yml", "prometheus/ldaprepl.test.yml", "grafana/ldaprepl.json"]
)
def test_every_metric_is_written_by_the_check(name: str) -> None:
    text = (CONTRIB / name).read_text()
    used = set(re.findall(r"\bldaprepl_[a-z_]+", text))
    assert used
    assert used <= METRICS
    for criteria in re.findall(r'criterion(?:=~?|: )"?([a-z|-]+)"?', text):
        assert set(criteria.split("|")) <= set(Criterion)


def test_the_dashboard() -> None:
    dashboard = json.loads((CONTRIB / "grafana/ldaprepl.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["targets"] and panel["description"] for panel in panels)
    places = [panel["gridPos"] for panel in panels]
    covered = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(covered) == len(set(covered)), "panels overlap"
    assert max(x for x, _ in covered) < 24


# -- judged by their own tools ---------------------------------------------------------------------------------------


def test_promtool_takes_rules_and_their_tests() -> None:
    promtool = tool("promtool")
    ran(promtool, "check", "rules", "ldaprepl.rules.yml", cwd=CONTRIB / "prometheus")
    ran(promtool, "test", "rules", "ldaprepl.test.yml", cwd=CONTRIB / "prometheus")


def test_promtool_takes_the_metrics() -> None:
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    csns = CsnSet.parse(["20261122110000.000000Z#000000#001#000000"])
    sid = SidHealth(1, Standing.BEHIND, csns[1], csns[1], "ldap://p", 1.5, 3)
    finding = Finding(Criterion.LAG, Status.WARNING, "late")
    server = ServerHealth("ldap://c", False, True, csns, (sid,), (finding,), Vitals(now, 0.5), canary=0.25)
    text = prometheus.render(Health('dc="x\\', now, (server,), 0.01))
    assert {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")} == METRICS
    done = subprocess.run(
        [tool("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_takes_the_units() -> None:
    units = [CONTRIB / "systemd/ldaprepl-check.service", CONTRIB / "systemd/ldaprepl-check.timer"]
    ran(tool("systemd-analyze"), "verify", "--man=no", *units)  # its page comes with the package


def test_icinga_takes_the_command(tmp_path: Path) -> None:
    icinga = tool("icinga2")
    include = next((path for path in _shares(icinga, "icinga2/include") if (path / "itl").exists()), None)
    if include is None:
        pytest.skip("icinga2's template library is not installed")
    user = pwd.getpwuid(os.geteuid()).pw_name
    conf = tmp_path / "icinga2.conf"
    conf.write_text(
        f'include "{include}/itl"\ninclude "{CONTRIB}/icinga2/ldaprepl.conf"\n'
        'object Host "ldap2" {\n check_command = "dummy"\n vars.ldaprepl_provider = [ "ldap://a", "ldap://b" ]\n}\n'
    )
    folders = [f"-D{name}={tmp_path}" for name in ("DataDir", "LogDir", "CacheDir", "SpoolDir", "InitRunDir")]
    ran(icinga, "daemon", "-C", "-c", conf, *folders, f"-DRunAsUser={user}", f"-DRunAsGroup={user}",
        f"-DIncludeConfDir={include}")  # fmt: skip


def test_nagios_takes_the_objects(tmp_path: Path) -> None:
    nagios = tool("nagios4", "nagios", "naemon")
    objects = tmp_path / "objects.cfg"
    objects.write_text(_NAGIOS_OBJECTS)
    user = pwd.getpwuid(os.geteuid()).pw_name
    files = "".join(f"{name}={tmp_path}/{name}\n" for name in (
        "log_file", "object_cache_file", "status_file", "command_file", "lock_file", "temp_file"))  # fmt: skip
    main = tmp_path / "nagios.cfg"
    main.write_text(
        f"{files}temp_path={tmp_path}\ncheck_result_path={tmp_path}\nnagios_user={user}\nnagios_group={user}\n"
        f"cfg_file={objects}\ncfg_file={CONTRIB}/nagios/ldaprepl.cfg\n"
    )
    ran(nagios, "-v", main)


def _shares(program: str, name: str) -> list[Path]:
    return [parent / "share" / name for parent in Path(program).parents] + [Path("/usr/share") / name]


_NAGIOS_OBJECTS = """
define timeperiod {
    timeperiod_name     24x7
    alias               always
    monday              00:00-24:00
}
define command {
    command_name        notify
    command_line        /bin/true
}
define contact {
    contact_name                    nagiosadmin
    host_notification_period        24x7
    service_notification_period     24x7
    host_notification_commands      notify
    service_notification_commands   notify
}
define host {
    host_name           ldap2
    address             127.0.0.1
    max_check_attempts  3
    check_period        24x7
    contacts            nagiosadmin
    notification_period 24x7
}
"""
