"""The options that say who sends a PROXY header, and what becomes of those who do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, NamedTuple

from uvnet._accept.proxy_protocol import LONGEST_HEADER, LONGEST_TEXT
from uvnet.addresses.blocklist import BlockList
from uvnet.arguments.checks import check_header_timeout, check_integer
from uvnet.errors.codes import invalid_type, invalid_value, out_of_range

__all__ = ["HEADER_OPTIONS", "HeaderOptions", "header_options"]

HEADER_OPTIONS = ("accept_proxy_protocol", "direct_connections", "max_proxy_header", "proxy_header_timeout")
MOST = 16 + 0xFFFF  # bytes that a header can have


class HeaderOptions(NamedTuple):
    """How headers are expected."""

    timeout: int  # milliseconds
    size: int  # bytes
    proxies: BlockList | None  # who sends them; None: everybody
    takes_direct: bool  # connections of others, without one


def header_options(options: Mapping[str, Any], prefix: str = "") -> HeaderOptions | None:
    """What the options say, checked; None where no headers are expected.  Raises TypeError or ValueError."""
    timeout = check_header_timeout(options, f"{prefix}proxy_header_timeout")
    size = options.get("max_proxy_header")
    if size is not None:
        size = check_integer(size, f"{prefix}max_proxy_header", MOST)
        if size < LONGEST_TEXT:
            raise out_of_range(f"{prefix}max_proxy_header", f">= {LONGEST_TEXT} and <= {MOST}", size)
    given = options.get("accept_proxy_protocol")
    proxies = _check_proxies(given, f"{prefix}accept_proxy_protocol")
    direct = options.get("direct_connections")
    if direct is not None:
        if direct not in ("accept", "refuse"):
            raise invalid_value(f"{prefix}direct_connections", direct, "must be one of: 'accept', 'refuse'")
        if proxies is None:
            raise invalid_value(
                f"{prefix}direct_connections", direct, "needs the networks of the proxies as accept_proxy_protocol"
            )
    if proxies is None and not given:
        return None
    return HeaderOptions(timeout, LONGEST_HEADER if size is None else size, proxies, direct == "accept")


def _check_proxies(value: Any, name: str) -> BlockList | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, BlockList):
        return value
    if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray | memoryview):
        raise invalid_type(name, "of type bool, a BlockList or a sequence of networks", value)
    if not value:
        raise invalid_value(name, value, "must have one network at least")
    proxies = BlockList()
    for network in value:
        if isinstance(network, IPv4Network | IPv6Network) or (isinstance(network, str) and "/" in network):
            proxies.add_cidr(network)
        elif isinstance(network, str | IPv4Address | IPv6Address):
            proxies.add_address(network, "ipv6" if ":" in str(network) else "ipv4")
        else:
            raise invalid_type(name, "of type bool, a BlockList or a sequence of networks", network)
    return proxies
