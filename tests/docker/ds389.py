"""389 Directory Server in a container, without systemd: a small stand-in starts and stops what `dscreate` wants."""

from __future__ import annotations

from pathlib import Path

import ldap
from docker.models.containers import Container
from engine import Engine

PORT = 3389
MANAGER = "cn=Directory Manager"
_SYSTEMCTL = f"""#!/bin/sh
case $1 in
    start)
        ns-slapd -D /etc/dirsrv/slapd-lab
        for second in $(seq 120); do
            ldapsearch -x -H ldap://127.0.0.1:{PORT} -b '' -s base 1.1 >/dev/null 2>&1 && exit
            sleep 1
        done ;;
    stop) pkill ns-slapd; while pidof ns-slapd >/dev/null; do sleep 0.1; done ;;
    is-active) pidof ns-slapd >/dev/null ;;
esac
"""
_ANSWERS = """[general]
full_machine_name = ds.example.com
strict_host_checking = False
[slapd]
instance_name = lab
port = {port}
secure_port = 3636
root_dn = {manager}
root_password = {password}
self_sign_cert = False
[backend-userroot]
suffix = {suffix}
create_suffix_entry = True
sample_entries = no
"""


class Ds389:
    """One server with nothing but the suffix entry; its administrator is `MANAGER`."""

    def __init__(self, engine: Engine, folder: Path, suffix: str, password: str) -> None:
        self.password = password
        self.container: Container = engine.container("bookworm", folder, user="root", hostname="ds.example.com")
        self.container.reload()
        self.address: str = self.container.attrs["NetworkSettings"]["Networks"][engine.network.name]["IPAddress"]
        self.ldap_uri = f"ldap://{self.address}:{PORT}"
        stand_in, answers = folder / "systemctl", folder / "answers.inf"
        stand_in.write_text(_SYSTEMCTL)
        stand_in.chmod(0o755)
        answers.write_text(_ANSWERS.format(port=PORT, manager=MANAGER, password=password, suffix=suffix))
        self.run("ln", "-s", str(stand_in), "/usr/local/bin/systemctl")
        self.run("dscreate", "from-file", str(answers))

    def run(self, *command: str) -> str:
        """A command in the container; an error is an AssertionError with its words."""
        done = self.container.exec_run(list(command))
        words: str = done.output.decode("utf-8", "backslashreplace")
        assert done.exit_code == 0, f"{command[0]}: {words[-2000:]}"
        return words

    def connection(self) -> ldap.ldapobject.SimpleLDAPObject:
        """The administrator's."""
        connection = ldap.initialize(self.ldap_uri)
        connection.simple_bind_s(MANAGER, self.password)
        return connection

    def close(self) -> None:
        self.container.remove(force=True, v=True)
