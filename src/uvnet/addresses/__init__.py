"""Addresses: as text, as numbers, as a struct sockaddr, looked up by name, in block lists.  Knows no socket."""

from uvnet.addresses.address import Address, PeerCredentials
from uvnet.addresses.blocklist import BlockList
from uvnet.addresses.ip import is_ip, is_ipv4, is_ipv6
from uvnet.addresses.socket_address import SocketAddress

__all__ = ["Address", "BlockList", "PeerCredentials", "SocketAddress", "is_ip", "is_ipv4", "is_ipv6"]
