"""Result codes (RFC 4511, section 4.1.9 and appendix A; RFC 4533, section 2.5): their names."""

from __future__ import annotations

SUCCESS, OPERATIONS_ERROR, TIME_LIMIT, SIZE_LIMIT, REFERRAL, ADMIN_LIMIT = 0, 1, 3, 4, 10, 11
UNAVAILABLE_CRITICAL = 12
NO_SUCH_OBJECT, INVALID_DN, INSUFFICIENT_ACCESS, BUSY, UNAVAILABLE, UNWILLING = 32, 34, 50, 51, 52, 53
OTHER = 80

_NAMES = {
    0: "success", 1: "operationsError", 2: "protocolError", 3: "timeLimitExceeded", 4: "sizeLimitExceeded",
    5: "compareFalse", 6: "compareTrue", 7: "authMethodNotSupported", 8: "strongerAuthRequired", 10: "referral",
    11: "adminLimitExceeded", 12: "unavailableCriticalExtension", 13: "confidentialityRequired",
    14: "saslBindInProgress", 16: "noSuchAttribute", 17: "undefinedAttributeType", 18: "inappropriateMatching",
    19: "constraintViolation", 20: "attributeOrValueExists", 21: "invalidAttributeSyntax", 32: "noSuchObject",
    33: "aliasProblem", 34: "invalidDNSyntax", 36: "aliasDereferencingProblem", 48: "inappropriateAuthentication",
    49: "invalidCredentials", 50: "insufficientAccessRights", 51: "busy", 52: "unavailable", 53: "unwillingToPerform",
    54: "loopDetect", 64: "namingViolation", 65: "objectClassViolation", 66: "notAllowedOnNonLeaf",
    67: "notAllowedOnRDN", 68: "entryAlreadyExists", 69: "objectClassModsProhibited", 71: "affectsMultipleDSAs",
    80: "other", 118: "canceled", 119: "noSuchOperation", 120: "tooLate", 121: "cannotCancel",
    122: "assertionFailed", 123: "authorizationDenied", 4096: "syncRefreshRequired",
}  # fmt: skip


def name_of(code: int) -> str:
    """`32 noSuchObject`, or the bare number of a code that no standard names."""
    return f"{code} {_NAMES[code]}" if code in _NAMES else f"result code {code}"
