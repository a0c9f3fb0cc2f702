"""create_quic_socket(), which loads what QUIC needs when it is first called."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from uvnet.arguments.keywords import QuicSocketKeywords

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from uvnet.quic.quic_socket import QuicSocket

__all__ = ["create_quic_socket", "need_engine"]


def need_engine() -> None:
    """Raise ImportError where QUIC cannot be had."""
    if sys.version_info < (3, 11):
        raise ImportError("QUIC needs CPython 3.11 or newer")
    try:
        import aioquic  # noqa: F401
    except ModuleNotFoundError as error:
        raise ImportError("QUIC needs aioquic, which is an extra: pip install uvnet[quic]", name=error.name) from None


def create_quic_socket(
    options: QuicSocketKeywords | None = None, **keywords: Unpack[QuicSocketKeywords]
) -> QuicSocket:
    """A QuicSocket: a client, a server or both, which listen() and connect() bind.

    endpoint: options of the first UDP binding, see QuicSocket.add_endpoint() (default {"port": 0, "type": "udp4"});
    client, server: options that are the defaults of connect() and listen();
    lookup(address, family): an `async def` that finds addresses (a str, or {"address": str}) in the system's place;
    max_connections (default: no limit), max_connections_per_host (100): sessions at a time that others begin;
    max_stateless_resets_per_host (10): ever sent to one address;
    validate_address: True: a client has to show that it gets what is sent to its address (Retry) before anything is
    kept of it (default False); retry_token_timeout: seconds (1 to 60) it has for that (10);
    stateless_reset_secret: 16 bytes of which the tokens of stateless resets are made; give the same to a process that
    goes on in this one's place (default: random); disable_stateless_reset: True to send none (default False);
    qlog: True for a log of each session that others begin (default False).
    Raises TypeError or ValueError for bad options, and ImportError without the extra: pip install uvnet[quic].
    Node: "net.createQuicSocket([options])".
    """
    need_engine()
    from uvnet.quic.quic_socket import QuicSocket

    return QuicSocket(options, **keywords)
