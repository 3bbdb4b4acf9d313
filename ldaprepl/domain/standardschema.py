"""What is known of attributes without a server to ask: aliases and EQUALITY rules of the standard ones.

The types of the core, cosine, inetorgperson, nis and ppolicy schemas (RFC 2307, 2798, 4519, 4523, 4524 and the password
policy draft) as OpenLDAP 2.5 publishes them, as far as the rule says more than "the same bytes". All others compare as
bytes, so what is reported too much is spelling, never silence. Whoever has the real schema should use that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from ldaprepl.domain.matching import Schema
from ldaprepl.domain.schema import USER_APPLICATIONS

_DN_SYNTAX: Final = " SYNTAX 1.3.6.1.4.1.1466.115.121.1.12"
_OPERATIONAL: Final = "directoryOperation"

# usage, rule, types: each with its aliases behind commas
_TYPES: Final = (
    (USER_APPLICATIONS, "caseIgnoreMatch",
     "name cn,commonName uid,userid description knowledgeInformation sn,surname serialNumber c,countryName "
     "l,localityName st,stateOrProvinceName street,streetAddress o,organizationName ou,organizationalUnitName "
     "title businessCategory postalCode postOfficeBox physicalDeliveryOfficeName destinationIndicator "
     "givenName,gn initials generationQualifier dnQualifier houseIdentifier dmdName pseudonym "
     "textEncodedORAddress info drink,favouriteDrink roomNumber userClass host documentIdentifier documentTitle "
     "documentVersion documentLocation personalTitle co,friendlyCountryName uniqueIdentifier "
     "organizationalStatus buildingName documentPublisher carLicense departmentNumber displayName "
     "employeeNumber employeeType preferredLanguage ipServiceProtocol nisMapName"),
    (USER_APPLICATIONS, "caseIgnoreIA5Match",
     "mail,rfc822Mailbox dc,domainComponent associatedDomain email,emailAddress,pkcs9email aRecord mDRecord "
     "mXRecord nSRecord sOARecord cNAMERecord janetMailbox gecos ipHostNumber ipNetworkNumber ipNetmaskNumber "
     "macAddress"),
    (USER_APPLICATIONS, "caseIgnoreListMatch", "postalAddress registeredAddress homePostalAddress"),
    (USER_APPLICATIONS, "distinguishedNameMatch",
     "aliasedObjectName,aliasedEntryName distinguishedName seeAlso member owner roleOccupant manager "
     "documentAuthor secretary associatedName dITRedirect"),
    (USER_APPLICATIONS, "uniqueMemberMatch", "uniqueMember"),
    (USER_APPLICATIONS, "telephoneNumberMatch",
     "telephoneNumber homePhone,homeTelephoneNumber mobile,mobileTelephoneNumber pager,pagerTelephoneNumber"),
    (USER_APPLICATIONS, "numericStringMatch", "x121Address internationaliSDNNumber"),
    (USER_APPLICATIONS, "integerMatch",
     "uidNumber gidNumber pwdMinAge pwdMaxAge pwdInHistory pwdCheckQuality pwdMinLength pwdMaxLength "
     "pwdExpireWarning pwdGraceAuthNLimit pwdGraceExpiry pwdLockoutDuration pwdMaxFailure "
     "pwdFailureCountInterval pwdMinDelay pwdMaxDelay pwdMaxIdle pwdMaxRecordedFailure shadowLastChange "
     "shadowMin shadowMax shadowWarning shadowInactive shadowExpire shadowFlag ipServicePort ipProtocolNumber "
     "oncRpcNumber"),
    (USER_APPLICATIONS, "booleanMatch", "pwdLockout pwdMustChange pwdAllowUserChange pwdSafeModify"),
    (USER_APPLICATIONS, "bitStringMatch", "x500UniqueIdentifier"),
    (_OPERATIONAL, "distinguishedNameMatch", "subschemaSubentry entryDN pwdPolicySubentry"),
    (_OPERATIONAL, "booleanMatch", "hasSubordinates pwdReset"),
    (_OPERATIONAL, "generalizedTimeMatch",
     "pwdLastSuccess pwdChangedTime pwdAccountLockedTime pwdFailureTime pwdGraceUseTime pwdStartTime pwdEndTime "
     "pwdAccountTmpLockoutEnd"),
    (_OPERATIONAL, "octetStringMatch", "pwdHistory"),
    ("dSAOperation", "", "entryTtl dynamicSubtrees"),
)  # fmt: skip


def _descriptions(table: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """As a server would publish them, but for their OIDs."""
    for usage, rule, types in table:
        equality = f" EQUALITY {rule}" if rule else ""
        syntax = _DN_SYNTAX if rule == "distinguishedNameMatch" else ""
        for aliases in types.split():
            names = " ".join(f"'{name}'" for name in aliases.split(","))
            yield f"( NAME ( {names} ){equality}{syntax} USAGE {usage} )"


DESCRIPTIONS: Final = tuple(_descriptions(_TYPES))
STANDARD: Final = Schema.parse(DESCRIPTIONS)
