"""Proxies: servers that connect each of their connections to an upstream.

Knows of sockets and servers their public classes and their options, and nothing of handles.
"""

from uvnet.proxy.proxying import create_proxy

__all__ = ["create_proxy"]
