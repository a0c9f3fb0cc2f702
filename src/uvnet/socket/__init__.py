"""Sockets: a duplex that is a connection, how it comes about, and what can be set on it.  Knows no server."""

from uvnet.socket.opening import (
    connect,
    create_connection,
    get_default_auto_select_family,
    get_default_auto_select_family_attempt_timeout,
    open_connection,
    set_default_auto_select_family,
    set_default_auto_select_family_attempt_timeout,
)
from uvnet.socket.socket import Socket
from uvnet.socket.tcp_info import TCPInfo

__all__ = [
    "Socket",
    "TCPInfo",
    "connect",
    "create_connection",
    "get_default_auto_select_family",
    "get_default_auto_select_family_attempt_timeout",
    "open_connection",
    "set_default_auto_select_family",
    "set_default_auto_select_family_attempt_timeout",
]
