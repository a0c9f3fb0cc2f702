"""Servers: all the ways to listen, a socket for every connection, and how both end.  Knows no protocol."""

from uvnet._accept.proxy_protocol import ProxyHeader
from uvnet._accept.proxy_tlvs import ProxySSL
from uvnet.server.activation import listen_fds
from uvnet.server.creating import create_server
from uvnet.server.server import Server
from uvnet.server.shutdown import Cut

__all__ = ["Cut", "ProxyHeader", "ProxySSL", "Server", "create_server", "listen_fds"]
