"""Node.js's `net` module for Python, on the libuv inside uvloop."""

import importlib
from typing import TYPE_CHECKING

# First of all: the others are found by it.
import uvnet._extension  # noqa: F401  # isort: skip

from uvnet import cluster as cluster
from uvnet import tls as tls
from uvnet._accept.counting import statistics
from uvnet._accept.statistics import Connections, LoopStatistics, ServerStatistics
from uvnet._loop.running import active_handles, run
from uvnet.addresses import (
    Address,
    BlockList,
    PeerCredentials,
    SocketAddress,
    is_ip,
    is_ipv4,
    is_ipv6,
)
from uvnet.errors import NetRuntimeError, NetTypeError, NetValueError
from uvnet.events import EventEmitter, MaxListenersExceededWarning, next_tick, on, once
from uvnet.observing import introspection
from uvnet.processes import fork, parent_process
from uvnet.proxy import create_proxy
from uvnet.quic import create_quic_socket
from uvnet.server import (
    Cut,
    ProxyHeader,
    ProxySSL,
    Server,
    create_server,
    listen_fds,
)
from uvnet.socket import (
    Socket,
    TCPInfo,
    connect,
    create_connection,
    get_default_auto_select_family,
    get_default_auto_select_family_attempt_timeout,
    open_connection,
    set_default_auto_select_family,
    set_default_auto_select_family_attempt_timeout,
)
from uvnet.streams import finished, pipeline
from uvnet.transports import loop_factory, new_event_loop, patch_loop

__version__ = "1.0.0rc1"

__all__ = [
    "Address",
    "BlockList",
    "Connections",
    "Cut",
    "EventEmitter",
    "LoopStatistics",
    "MaxListenersExceededWarning",
    "NetRuntimeError",
    "NetTypeError",
    "NetValueError",
    "PeerCredentials",
    "ProxyHeader",
    "ProxySSL",
    "Server",
    "ServerStatistics",
    "Socket",
    "SocketAddress",
    "TCPInfo",
    "active_handles",
    "connect",
    "create_connection",
    "create_proxy",
    "create_quic_socket",
    "create_server",
    "finished",
    "fork",
    "get_default_auto_select_family",
    "get_default_auto_select_family_attempt_timeout",
    "introspection",
    "is_ip",
    "is_ipv4",
    "is_ipv6",
    "listen_fds",
    "loop_factory",
    "new_event_loop",
    "next_tick",
    "on",
    "once",
    "open_connection",
    "parent_process",
    "patch_loop",
    "pipeline",
    "run",
    "set_default_auto_select_family",
    "set_default_auto_select_family_attempt_timeout",
    "statistics",
]

if TYPE_CHECKING:
    from uvnet import metrics as metrics
    from uvnet.transports.policy import EventLoopPolicy as EventLoopPolicy
else:

    def __getattr__(name: str) -> object:
        # Only where it is asked for: policies are deprecated since CPython 3.14, and gone in 3.16.
        if name == "EventLoopPolicy":
            from uvnet.transports.policy import EventLoopPolicy

            return EventLoopPolicy
        # Only where there is a prometheus_client.
        if name == "metrics":
            return importlib.import_module("uvnet.metrics")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

# Tracebacks, pickles and documentation name what is public by the name that users import.
for _public in map(globals().__getitem__, __all__):
    # A class that was made in C has that name already, and cannot be given one.
    if getattr(_public, "__module__", __name__) != __name__:
        _public.__module__ = __name__
