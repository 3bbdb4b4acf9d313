"""ldaprepl: LDAP replication set up, replaced where the master is too old for it, and proven."""

__version__ = "0.1.0"
