"""What is in force, and where each value came from: the rows of `config show`."""

from __future__ import annotations

import os
from typing import Any

from ldaprepl.cli import ldaprc
from ldaprepl.cli.given import CONSUMER_PASSWORD, PASSWORD, Given, said
from ldaprepl.cli.pairing import Pairing
from ldaprepl.domain.scope import EVERY_ATTRIBUTE
from ldaprepl.report.settings import Row, Section
from ldaprepl.wire.endpoint import Anonymous, Endpoint, External, Sasl, Simple

_DEFAULT = "default"
_SETTINGS = ("settle", "warning", "critical", "certificate_warning", "certificate_critical", "skew", "severity",
             "method", "max_delete", "state")  # fmt: skip
_TLS = {"cacert": "TLS_CACERT", "cacertdir": "TLS_CACERTDIR", "cert": "TLS_CERT", "key": "TLS_KEY"}


def section(pairing: Pairing) -> Section:
    """One replica, stanza, or what the options name."""
    problem = f"{pairing.problem.message}. {pairing.problem.cure}".strip() if pairing.problem else ""
    rows = [*_scope(pairing), *_settings(pairing)]
    servers = []
    if not pairing.problem:
        sides = ["provider"] * len(pairing.providers) + ["peer" if pairing.peer else "consumer"] * len(
            pairing.consumers
        )
        told = pairing.told or (pairing.given,) * len(sides)
        for role, (endpoint, _), options in zip(sides, pairing.servers, told, strict=True):
            servers.append((role, tuple(_server(endpoint, options, consumer=role != "provider"))))
    return Section(pairing.name, tuple(rows), tuple(servers), problem, pairing.notes)


def _scope(pairing: Pairing) -> list[Row]:
    scope = pairing.scope
    given = {**pairing.given, "origins": pairing.told[0].get("origins", {})} if pairing.told else pairing.given
    conf = ldaprc.setting("BASE")
    base = conf.origin if conf and conf.value == scope.base else _DEFAULT
    rows = [
        Row("base", scope.base, _origin("base", given, base)),
        Row("scope", scope.scope.value, _origin("scope", given)),
    ]
    rows.append(Row("filter", scope.filter, _origin("filter", given)))
    rows.append(Row("attrs", " ".join(scope.attrs or EVERY_ATTRIBUTE), _origin("attrs", given)))
    if scope.exattrs:
        rows.append(Row("exattrs", " ".join(scope.exattrs), _origin("exattrs", given)))
    if scope.attrsonly:
        rows.append(Row("attrsonly", "true", _origin("attrsonly", given)))
    if scope.suffixmassage:
        rows.append(Row("suffixmassage", scope.suffixmassage, _origin("suffixmassage", given)))
    return rows


def _settings(pairing: Pairing) -> list[Row]:
    given = pairing.given
    shown = [(name, given.get(name)) for name in _SETTINGS]
    return [Row(name, _text(value), _origin(name, given)) for name, value in shown if value not in (None, ())]


def _server(endpoint: Endpoint, options: Given, *, consumer: bool) -> list[Row]:
    tls = endpoint.tls
    address = endpoint.address
    default = "--consumer" if consumer else "--provider"
    rows = [Row("uri", endpoint.uri, options.get("origins", {}).get("uri", default))]
    rows += _identity(endpoint, options, consumer=consumer)
    secure = address.scheme == "ldaps" or endpoint.starttls
    if address.scheme == "ldap":
        rows.append(Row("starttls", _text(endpoint.starttls), _origin("starttls", options)))
    if secure:
        conf = ldaprc.setting("TLS_REQCERT")
        weak = conf.origin if conf and not tls.verify else _DEFAULT
        rows.append(Row("reqcert", "demand" if tls.verify else "never", _origin("tls_reqcert", options, weak)))
        for name, option in _TLS.items():
            held = getattr(tls, name)
            conf = ldaprc.setting(option)
            other = conf.origin if conf and conf.value == str(held) else _DEFAULT
            if held:
                rows.append(Row(name, str(held), _origin(name, options, other)))
    rows.append(Row("timeout", _text(endpoint.timeout), _origin("timeout", options)))
    return rows


def _identity(endpoint: Endpoint, options: Given, *, consumer: bool) -> list[Row]:
    own = consumer and any(said(options, name) for name in ("consumer_bind_dn", "consumer_sasl"))
    match endpoint.bind:
        case Simple(dn, _):
            who = _origin("consumer_bind_dn" if own else "bind_dn", options, _named("BINDDN", dn))
            file = (
                "consumer_password_file"
                if own or (said(options, "consumer_password_file") and consumer)
                else "password_file"
            )
            return [
                Row("bind_dn", dn, who),
                Row("password", "********", _password_origin(file, options, consumer=consumer)),
            ]
        case External(authzid):
            rows = [Row("sasl", "EXTERNAL", _origin("consumer_sasl" if own else "sasl", options))]
            if authzid:
                rows.append(Row("authzid", authzid, _origin("authzid", options, _named("SASL_AUTHZID", authzid))))
            return rows
        case Sasl(mechanism, name, password, authzid):
            rows = [Row("sasl", mechanism, _origin("consumer_sasl" if own else "sasl", options))]
            if name:
                rows.append(Row("bind_dn", name, _origin("consumer_bind_dn" if own else "bind_dn", options)))
            if password is not None:
                file = "consumer_password_file" if own else "password_file"
                rows.append(Row("password", "********", _password_origin(file, options, consumer=consumer)))
            return rows + ([Row("authzid", authzid, _origin("authzid", options))] if authzid else [])
        case Anonymous():
            return [Row("identity", "anonymous", _DEFAULT)]


def _password_origin(file: str, options: Given, *, consumer: bool) -> str:
    if said(options, file) and file not in options.get("origins", {}):
        return _origin(file, options)
    if options.get("origins", {}).get("password"):
        return str(options["origins"]["password"])
    for name in (CONSUMER_PASSWORD,) if consumer else ():
        if os.environ.get(name):
            return f"${name}"
    return f"${PASSWORD}" if os.environ.get(PASSWORD) else "--prompt"


def _named(option: str, value: str) -> str:
    found = ldaprc.setting(option)
    return found.origin if found and found.value == value else _DEFAULT


def _origin(option: str, given: Given, otherwise: str = _DEFAULT) -> str:
    origins = given.get("origins", {})
    if option in origins:
        return str(origins[option])
    return f"--{option.replace('_', '-')}" if said(given, option) else otherwise


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return " ".join(value) if isinstance(value, tuple) else str(value)
