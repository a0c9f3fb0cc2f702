"""What calls are told of TLS, checked: who the peer must be, and how a handshake is to be made.

Node: "tls.connect()", "new tls.TLSSocket()", "tls.createServer()".
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple

from uvnet.addresses.endpoint import check_host
from uvnet.arguments.checks import check_seconds
from uvnet.errors.codes import invalid_type, invalid_value, out_of_range
from uvnet.tls.context import context_of

__all__ = ["Security", "check_handshake_timeout", "check_session", "parse_security", "peer_name"]

HANDSHAKE_TIMEOUT = 120.0  # seconds


class Security(NamedTuple):
    """How to make the handshakes of a socket."""

    context: ssl.SSLContext
    server_side: bool
    servername: str | None
    session: ssl.SSLSession | None
    handshake_timeout: float


def parse_security(options: Mapping[str, Any], server_side: bool) -> Security:
    """Look at all that the options say of TLS; raises TypeError, ValueError, or OSError for a file."""
    servername = check_host(options.get("servername"), "options.servername")
    timeout = check_handshake_timeout(options)
    if options.get("request_cert") is not None and not server_side:
        raise invalid_value("options.request_cert", options["request_cert"], "is for servers: a client always asks")
    if server_side and servername is not None:
        raise invalid_value("options.servername", servername, "is for clients: it is what a server is asked for")
    session = options.get("session")
    if session is not None and not isinstance(session, ssl.SSLSession):
        raise invalid_type("options.session", "what get_session() has returned", session)
    context = context_of(options, server_side)
    if session is not None:
        check_session(context, session, server_side)
    return Security(context, server_side, servername, session, timeout)


def check_handshake_timeout(options: Mapping[str, Any]) -> float:
    """Seconds for a handshake, more than 0; raises TypeError or ValueError."""
    timeout = options.get("handshake_timeout")
    if timeout is None:
        return HANDSHAKE_TIMEOUT
    if check_seconds(timeout, "options.handshake_timeout") == 0:
        raise out_of_range("options.handshake_timeout", "> 0", timeout)
    return float(timeout)


def check_session(context: ssl.SSLContext, session: ssl.SSLSession, server_side: bool) -> None:
    """Raise ValueError for one that cannot be used."""
    if server_side:
        raise invalid_value("options.session", session, "is for clients")
    trial = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
    try:
        trial.session = session
    except ValueError:
        raise invalid_value(
            "options.session", session, "is of another context: give the one of that connection as options.context"
        ) from None


def peer_name(security: Security, host: str | None) -> str | None:
    """Whom the certificate must name: raises ValueError where nobody says, or where it is no name."""
    name = security.servername or host
    if security.server_side:
        return None
    if not name and security.context.check_hostname:
        raise invalid_value(
            "options.servername", None, "must be given: whom else could the certificate of the other end be asked for"
        )
    if name:
        try:
            # An address of IPv6 may have its interface with it, which no certificate has.
            name = name.partition("%")[0]
            security.context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=name)
        except ValueError as error:
            raise invalid_value("options.servername", name, f"is no name that a server can have: {error}") from None
    return name or None
