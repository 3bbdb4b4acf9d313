"""SASL mechanisms by what they need: nothing but the connection, a ticket in the environment, a name and a password."""

from __future__ import annotations

EXTERNAL = "EXTERNAL"
TICKET = ("GSSAPI", "GSS-SPNEGO")
SCRAM = ("SCRAM-SHA-1", "SCRAM-SHA-224", "SCRAM-SHA-256", "SCRAM-SHA-384", "SCRAM-SHA-512")
BY_PASSWORD = (*SCRAM, "DIGEST-MD5", "CRAM-MD5")
ALL = (EXTERNAL, *TICKET, *BY_PASSWORD)
