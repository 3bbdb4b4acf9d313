"""LDAP as bytes (RFC 4511), without any I/O: requests out, frames in."""
