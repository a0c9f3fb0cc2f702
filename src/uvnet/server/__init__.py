"""Servers: all the ways to listen, a socket for every connection, and how both end.  Knows no protocol."""

from uvnet.server.activation import listen_fds
from uvnet.server.creating import create_server
from uvnet.server.server import Server
from uvnet.server.shutdown import Cut

__all__ = ["Cut", "Server", "create_server", "listen_fds"]
