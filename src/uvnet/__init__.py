"""Node.js's `net` module for Python, on the libuv inside uvloop."""

from uvnet.activation import listen_fds
from uvnet.address import Address, PeerCredentials
from uvnet.aio import finished, pipeline
from uvnet.blocklist import BlockList
from uvnet.connect import (
    connect,
    create_connection,
    create_server,
    get_default_auto_select_family,
    get_default_auto_select_family_attempt_timeout,
    open_connection,
    set_default_auto_select_family,
    set_default_auto_select_family_attempt_timeout,
)
from uvnet.deadline import Cut
from uvnet.emitter import EventEmitter, MaxListenersExceededWarning
from uvnet.errors import NetRuntimeError, NetTypeError, NetValueError
from uvnet.events import on, once
from uvnet.ip import is_ip, is_ipv4, is_ipv6
from uvnet.proxying import create_proxy
from uvnet.run import active_handles, run
from uvnet.server import Server
from uvnet.socket import Socket
from uvnet.socket_address import SocketAddress
from uvnet.ticks import next_tick

__version__ = "0.1.0"

__all__ = [
    "Address",
    "BlockList",
    "Cut",
    "EventEmitter",
    "MaxListenersExceededWarning",
    "NetRuntimeError",
    "NetTypeError",
    "NetValueError",
    "PeerCredentials",
    "Server",
    "Socket",
    "SocketAddress",
    "active_handles",
    "connect",
    "create_connection",
    "create_proxy",
    "create_server",
    "finished",
    "get_default_auto_select_family",
    "get_default_auto_select_family_attempt_timeout",
    "is_ip",
    "is_ipv4",
    "is_ipv6",
    "listen_fds",
    "next_tick",
    "on",
    "once",
    "open_connection",
    "pipeline",
    "run",
    "set_default_auto_select_family",
    "set_default_auto_select_family_attempt_timeout",
]
