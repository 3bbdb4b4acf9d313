"""The stage of the demo: a private provider, a private consumer, and somebody who writes where he should not.

Real slapd processes on loopback. The consumer is configured with the very stanza text that it is given. What is planted
is written by LDAP on a consumer whose replication is switched off for a moment, as an administrator in a hurry would.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.provider import Access, Method
from ldaprepl.domain.sample import SUFFIX, directory, stamped
from ldaprepl.domain.verdict import Kind
from ldaprepl.errors import ServerUnavailable
from ldaprepl.ports import Planted, Server
from ldaprepl.wire.directory import LdapDirectory
from ldaprepl.wire.endpoint import Endpoint, Simple
from ldaprepl.wire.probe import Probe
from ldaprepl.wire.slapdconf import Database, SlapdConf, generated_password
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.slaptool import write_private
from ldaprepl.wire.stream import open_stream

REPLICA = f"cn=replica,{SUFFIX}"
_BATCH = 500
_POLL = 0.05  # seconds
_ACCESS = (
    f'access to attrs=userPassword by dn.exact="{REPLICA}" read by anonymous auth by * none',
    f'access to * by dn.exact="{REPLICA}" read by users read by * none',
)
_LIMITS = f'limits dn.exact="{REPLICA}" size=unlimited time=unlimited'
_PROVIDER = (_LIMITS, *_ACCESS, "overlay syncprov", "syncprov-checkpoint 100 10", "syncprov-sessionlog 1000")


class Stage:
    """Both servers. Leaving the `with` block ends them and removes every file."""

    def __init__(self) -> None:
        import ldap  # noqa: F401 -- what `plant` needs: said now, not in the middle of the story

        self._held = ExitStack()
        self._password = generated_password()
        self._stanza = ""
        self.provider = self._held.enter_context(
            Slapd(SlapdConf(database=Database(lines=_PROVIDER, sizelimit="", nosync=True), modules=("syncprov",)))
        )
        self.consumer = self._held.enter_context(Slapd(SlapdConf(database=self._consumer_database(""))))

    # -- the provider ----------------------------------------------------------------------------------------------

    def provide(self, count: int) -> Server:
        """Load about `count` entries into the provider and start it."""
        entries = iter(stamped(directory(count)))
        first = next(entries)
        replica = Entry(
            REPLICA,
            {
                "objectClass": (b"organizationalRole", b"simpleSecurityObject"),
                "cn": (b"replica",),
                "userPassword": (self._password.reveal_bytes(),),
            },
        )
        self.provider.load(_pieces(first, replica, entries))
        self.provider.start()
        return Server(self.provider.ldap_uri, self.provider.pid)

    def access(self) -> Access:
        """How the consumer will come to the provider."""
        return Access(self.provider.ldap_uri, Method.SIMPLE, REPLICA, self._password, local=True)

    def probe(self) -> Probe:
        """The provider as the consumer's identity sees it."""
        return Probe(self._held.enter_context(open_stream(self._endpoint(self.provider))))

    # -- the consumer ----------------------------------------------------------------------------------------------

    def consume(self, stanza: str) -> Server:
        """Start an empty consumer with exactly this stanza (slapd.conf form)."""
        self._stanza = stanza
        self._restart_consumer(stanza)
        return Server(self.consumer.ldap_uri, self.consumer.pid)

    def replicated(self, patience: float) -> float:
        """Wait until the consumer has the provider's contextCSN: the seconds it took. Raises `ServerUnavailable`."""
        started = time.monotonic()
        admin = Endpoint(self.consumer.ldap_uri, Simple(self.consumer.rootdn, self.consumer.rootpw))
        with open_stream(self._endpoint(self.provider)) as ours, open_stream(admin) as theirs:
            provider, consumer = LdapDirectory(ours), LdapDirectory(theirs)
            target = provider.context_csn(SUFFIX)
            while not (target and consumer.context_csn(SUFFIX).covers_all(target)):
                if time.monotonic() - started > patience:
                    raise ServerUnavailable(
                        f"the demo's consumer did not fill up within {patience:g} s; its last words:\n"
                        f"{self.consumer.log_tail()}"
                    )
                time.sleep(_POLL)
        return time.monotonic() - started

    def directories(self) -> tuple[LdapDirectory, LdapDirectory]:
        """Provider and consumer, both as the replica identity: its entry was replicated like all others."""
        streams = (open_stream(self._endpoint(server)) for server in (self.provider, self.consumer))
        provider, consumer = (LdapDirectory(self._held.enter_context(stream)) for stream in streams)
        return provider, consumer

    # -- the harm --------------------------------------------------------------------------------------------------

    def plant(self) -> list[Planted]:
        """One divergence of each kind, written on the consumer while its replication is off."""
        self._restart_consumer("")
        try:
            return _plant(self.consumer)
        finally:
            self._restart_consumer(self._stanza)

    # -- the end ---------------------------------------------------------------------------------------------------

    def password_file(self) -> Path:
        """Where the replica's password can be read (mode 0600)."""
        file = self.provider.folder / "replica.password"
        write_private(file, self._password.reveal())
        return file

    def administrator(self) -> Endpoint:
        """Who may write on the provider."""
        return Endpoint(self.provider.ldap_uri, Simple(self.provider.rootdn, self.provider.rootpw))

    def administrator_file(self) -> tuple[str, Path]:
        """The same for people: the DN, which holds for both servers, and a file with the password (mode 0600)."""
        file = self.provider.folder / "admin.password"
        write_private(file, self.provider.rootpw.reveal())
        return self.provider.rootdn, file

    def linger(self) -> int:
        """Let both servers outlive this process: the pid of a keeper, whose end is theirs.

        The keeper is a fork that holds the pipes of the servers' guards and does nothing else; when it dies, however it
        dies, the guards end the servers and remove their files.
        """
        keeper = os.fork()
        if keeper == 0:
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            while True:
                signal.pause()
        for server in (self.provider, self.consumer):
            server.disown()
        return keeper

    def close(self) -> None:
        """End both servers; nothing of them remains."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # -- inner workings --------------------------------------------------------------------------------------------

    def _endpoint(self, server: Slapd) -> Endpoint:
        return Endpoint(server.ldap_uri, Simple(REPLICA, self._password))

    def _consumer_database(self, stanza: str) -> Database:
        return Database(nosync=True, lines=(_LIMITS, *_ACCESS, *((stanza,) if stanza else ())))

    def _restart_consumer(self, stanza: str) -> None:
        self.consumer.stop()
        self.consumer.configure(SlapdConf(database=self._consumer_database(stanza)))
        self.consumer.start()


def _pieces(first: Entry, replica: Entry, rest: Iterable[Entry]) -> Iterable[str]:
    yield entry_text(first) + entry_text(replica)
    entries = iter(rest)
    while batch := list(islice(entries, _BATCH)):
        yield "".join(map(entry_text, batch))


def _plant(consumer: Slapd) -> list[Planted]:
    """Write as the consumer's rootdn. python-ldap is needed here only."""
    import ldap
    import ldap.modlist

    connection = ldap.initialize(consumer.ldap_uri)
    connection.simple_bind_s(consumer.rootdn, consumer.rootpw.reveal())
    people: list[tuple[str, dict[str, list[bytes]]]] = connection.search_s(
        f"ou=people,{SUFFIX}", ldap.SCOPE_SUBTREE, "(objectClass=inetOrgPerson)"
    )
    (lost, _), (kept, _), (renamed, _), (twin, twins_entry) = sorted(people)[10:50:10]
    added = f"uid=nobody.knows,ou=people,{SUFFIX}"
    connection.delete_s(lost)
    person = {"objectClass": [b"inetOrgPerson"], "uid": [b"nobody.knows"], "cn": [b"Nobody Knows"], "sn": [b"Knows"]}
    connection.add_s(added, ldap.modlist.addModlist(person))
    connection.modify_s(kept, [(ldap.MOD_REPLACE, "mail", [b"typed.at.midnight@example.com"])])
    connection.rename_s(renamed, "uid=married.name")
    connection.delete_s(twin)
    connection.add_s(twin, ldap.modlist.addModlist(twins_entry))
    connection.unbind_s()
    return [
        Planted(Kind.MISSING, lost, "deleted an entry"),
        Planted(Kind.EXTRA, added, "added an entry"),
        Planted(Kind.DIFFERS, kept, "changed a mail address"),
        Planted(Kind.RENAMED, renamed, "renamed an entry to uid=married.name"),
        Planted(Kind.IDENTITY, twin, "deleted an entry and added it again with the same values"),
    ]
