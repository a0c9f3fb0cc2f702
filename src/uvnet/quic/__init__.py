"""QUIC: sockets, sessions and streams, as Node 15 had them.  The engine is aioquic's, which is an extra.

Knows of aioquic in one module, engine.py; all else is told by that.  Names are loaded when they are asked for.
"""

from typing import TYPE_CHECKING

from uvnet.quic.creating import create_quic_socket, need_engine

__all__ = [
    "Histogram",
    "Qlog",
    "QuicClientSession",
    "QuicContext",
    "QuicEndpoint",
    "QuicServerSession",
    "QuicSession",
    "QuicSocket",
    "QuicStream",
    "create_quic_context",
    "create_quic_socket",
]

if TYPE_CHECKING:
    from uvnet.quic.client_session import QuicClientSession
    from uvnet.quic.context import QuicContext, create_quic_context
    from uvnet.quic.endpoint import QuicEndpoint
    from uvnet.quic.histogram import Histogram
    from uvnet.quic.qlog import Qlog
    from uvnet.quic.quic_socket import QuicSocket
    from uvnet.quic.quic_stream import QuicStream
    from uvnet.quic.server_session import QuicServerSession
    from uvnet.quic.session import QuicSession
else:
    _PLACES = {
        "Histogram": "histogram",
        "Qlog": "qlog",
        "QuicClientSession": "client_session",
        "QuicContext": "context",
        "QuicEndpoint": "endpoint",
        "QuicServerSession": "server_session",
        "QuicSession": "session",
        "QuicSocket": "quic_socket",
        "QuicStream": "quic_stream",
        "create_quic_context": "context",
    }

    def __getattr__(name: str) -> object:
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        need_engine()
        found = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
        if getattr(found, "__module__", __name__) != __name__:
            found.__module__ = __name__
        return found
