"""The options of servers and connections that asyncio's methods do not have: which there are, and what they may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from uvnet._accept.header_options import HEADER_OPTIONS, header_options
from uvnet._accept.limit_options import LIMIT_OPTIONS, limits_of, with_preset
from uvnet.addresses.blocklist import check_block_list
from uvnet.arguments.checks import check_integer, reject_unknown
from uvnet.arguments.keywords import LimitKeywords
from uvnet.errors.codes import invalid_callback
from uvnet.transports.transport_options import TransportOptions

if TYPE_CHECKING:
    from uvnet.addresses.blocklist import BlockList
    from uvnet.arguments.keywords import Drop, Network

__all__ = [
    "FILE_OPTIONS",
    "ConnectionOptions",
    "ServerOptions",
    "UnixServerOptions",
    "connection_options",
    "server_options",
]


class ConnectionOptions(TypedDict, total=False):
    """Options of create_connection() and its like; None is the default of each."""

    close_timeout: float | None
    idle_timeout: float | None
    keep_alive: bool | None
    keep_alive_initial_delay: float | None
    max_buffered: int | None
    no_delay: bool | None
    on_max_buffered: Literal["destroy", "raise"] | None


class ServerOptions(ConnectionOptions, LimitKeywords, total=False):
    """Options of create_server(), create_unix_server() and loop_factory(); None is the default of each."""

    accept_proxy_protocol: bool | BlockList | Sequence[Network] | None
    block_list: BlockList | None
    direct_connections: Literal["accept", "refuse"] | None
    max_connections: int | None
    max_proxy_header: int | None
    on_drop: Callable[[Drop], object] | None
    proxy_header_timeout: float | None


class UnixServerOptions(ServerOptions, total=False):
    """Options of create_unix_server(); they are of the file of the socket."""

    group: int | str | None
    mode: int | None
    owner: int | str | None
    replace_stale: bool | None


FILE_OPTIONS = frozenset(UnixServerOptions.__annotations__) - frozenset(ServerOptions.__annotations__)
_OF_CONNECTIONS = frozenset(ConnectionOptions.__annotations__)
_OF_SERVERS = frozenset(ServerOptions.__annotations__) | _OF_CONNECTIONS | LIMIT_OPTIONS


def connection_options(given: Mapping[str, Any], where: str) -> TransportOptions:
    """The options of a connection, checked.  Raises TypeError or ValueError."""
    reject_unknown(given, _OF_CONNECTIONS, where)
    return TransportOptions(**given)


def _said(options: Mapping[str, Any]) -> dict[str, Any]:
    """Without those that are None, which stands for the default."""
    return {name: value for name, value in options.items() if value is not None}


def server_options(usual: Mapping[str, Any], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What a TransportServer needs of them, checked; `usual` is what counts where `given` has nothing.

    Raises TypeError or ValueError.
    """
    reject_unknown(given, _OF_SERVERS, where)
    options = with_preset({**_said(usual), **_said(given)}, "preset")
    # asyncio's servers have an argument for it.
    options.pop("handshake_timeout", None)
    most = options.pop("max_connections", None)
    on_drop = options.pop("on_drop", None)
    if on_drop is not None and not callable(on_drop):
        raise invalid_callback(on_drop, "on_drop")
    limits = limits_of(options)
    for name in LIMIT_OPTIONS:
        options.pop(name, None)
    headers = header_options(options)
    for name in HEADER_OPTIONS:
        options.pop(name, None)
    return {
        "max_connections": None if most is None else check_integer(most, "max_connections", 2**31 - 1),
        "block_list": check_block_list(options.pop("block_list", None)),
        "on_drop": on_drop,
        "header_options": headers,
        "limits": limits,
        "transport_options": TransportOptions(**options),
    }
