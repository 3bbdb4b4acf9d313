"""What a consumer is told to load: neither too little, nor what its slapd would refuse as a duplicate."""

from __future__ import annotations

from ldaprepl.domain.schemaplan import SchemaPlan, schema_plan
from ldaprepl.domain.version import Version

V24, V25 = Version(2, 4), Version(2, 5)
COSINE = "( 0.9.2342.19200300.100.4.5 NAME 'account' SUP top STRUCTURAL MUST userid )"
NIS = "( 1.3.6.1.1.1.2.2 NAME 'posixGroup' SUP top STRUCTURAL MUST cn )"
NIS_ACCOUNT = "( 1.3.6.1.1.1.2.0 NAME 'posixAccount' SUP top AUXILIARY MUST cn )"
BIS = "( 1.3.6.1.1.1.2.2 NAME 'posixGroup' SUP top AUXILIARY MUST gidNumber )"
POLICY = "( 1.3.6.1.4.1.42.2.27.8.2.1 NAME 'pwdPolicy' SUP top AUXILIARY MUST pwdAttribute )"
OWN = "( 1.3.6.1.4.1.4203.666.99.1 NAME ( 'siteThing' 'siteOther' ) SUP top AUXILIARY )"
OWN_TYPE = "( 1.3.6.1.4.1.99999.1 NAME 'siteColour' SUP name )"
OPERATIONAL = "( 1.3.6.1.4.1.99999.2 NAME 'siteState' SUP name USAGE dSAOperation )"


def planned(*classes: str, types: tuple[str, ...] = (), version: Version = V25) -> SchemaPlan:
    return schema_plan([text.encode() for text in types], [text.encode() for text in classes], version)


def test_only_the_files_that_the_provider_has() -> None:
    assert planned().schemas.files == ("core",)
    assert planned(NIS, NIS_ACCOUNT, COSINE).schemas.files == ("core", "cosine", "nis")


def test_the_site_s_own_definitions_are_taken_over_and_standard_ones_are_not() -> None:
    found = planned(COSINE, OWN, types=(OWN_TYPE, OPERATIONAL, "( 2.5.4.41 NAME 'name' )")).schemas
    assert (found.attribute_types, found.object_classes) == ((OWN_TYPE,), (OWN,))


def test_what_is_operational_is_told_by_its_usage_and_not_by_that_word() -> None:
    """A consumer whose classes name an attribute that was left out does not start."""
    disk = "( 1.3.6.1.4.1.99999.3 NAME 'siteDisk' DESC 'disk USAGE, in MiB' SUP name )"
    said = "( 1.3.6.1.4.1.99999.4 NAME 'siteSaid' SUP name USAGE userApplications )"
    assert planned(types=(disk, said, OPERATIONAL)).schemas.attribute_types == (disk, said)


def test_rfc2307bis_is_not_taken_for_nis() -> None:
    found = planned(BIS, NIS_ACCOUNT).schemas
    assert found.files == ("core",) and found.object_classes == (BIS, NIS_ACCOUNT)


def test_password_policy_comes_from_the_module_and_in_old_releases_from_a_file() -> None:
    new, old = planned(POLICY), planned(POLICY, version=V24)
    assert (new.modules, new.schemas.files) == (("ppolicy",), ("core",)) and not new.schemas.object_classes
    assert (old.modules, old.schemas.files) == ((), ("core", "ppolicy"))


def test_what_is_no_definition_is_left_out() -> None:
    assert not planned("nonsense", "( nonsense )").schemas.object_classes
