"""Masters that give little away: no sync service, no entryUUID, no stamps, as slapd 2.0 and loads of the nineties."""

from __future__ import annotations

from pathlib import Path

import ldap
import pytest
from synclab import BASE, Lab, add_person, consumer_conf, provider_conf, seed

from ldaprepl.domain.secret import Secret
from ldaprepl.domain.syncrun import Method

READER = f"cn=reader,{BASE}"
PEOPLE = f"ou=people,{BASE}"
HIDDEN = {
    "no identity and no stamps (2.0)": "entryUUID,entryCSN,modifyTimestamp,createTimestamp,creatorsName,modifiersName",
    "whole-second stamps only": "entryCSN",
}
LOCAL = ("entryuuid", "entrycsn", "modifytimestamp", "createtimestamp", "creatorsname", "modifiersname")


@pytest.fixture(params=HIDDEN)
def lab(slapd, tmp_path: Path, request) -> Lab:  # type: ignore[no-untyped-def]  # fixtures' types are in conftest
    lines = (f"access to attrs={HIDDEN[request.param]} by * none", "access to * by * write")
    made = Lab(slapd(provider_conf(lines)).start(), slapd(consumer_conf()).start(), tmp_path)
    master = made.admin()
    seed(master)
    master.add_s(READER, [("objectClass", [b"person"]), ("sn", [b"r"]), ("userPassword", [b"secret"])])
    object.__setattr__(made.provider.conf.database, "rootdn", READER)  # the hiding holds for others than the rootdn
    object.__setattr__(made.provider.conf.database, "rootpw", Secret("secret"))
    return made


def test_it_is_read_whole_and_kept_equal(lab: Lab) -> None:
    report = lab.sync()
    assert report.method is Method.SCAN and report.tally.added == 10
    lab.assert_equal(LOCAL)
    again = lab.sync()
    tally = again.tally
    assert (tally.added, tally.modified, tally.renamed, tally.deleted) == (0, 0, 0, 0)
    assert not again.notes
    master = lab.admin()
    master.rename_s(PEOPLE, "ou=folk")
    master.modify_s(f"uid=p0,ou=folk,{BASE}", [(ldap.MOD_REPLACE, "sn", [b"new"])])
    master.delete_s(f"uid=p1,ou=folk,{BASE}")
    add_person(master, f"uid=new,ou=folk,{BASE}")
    from ldaprepl.domain.change import MaxDelete
    from ldaprepl.domain.syncrun import Settings

    # without identities a renamed branch goes and comes
    lab.sync(Settings(max_delete=MaxDelete(None, 8), new_shape=True))
    lab.assert_equal(LOCAL)


def test_it_says_why_everything_is_read(lab: Lab) -> None:
    lab.sync()
    assert "everything is read" in lab.sync().why
