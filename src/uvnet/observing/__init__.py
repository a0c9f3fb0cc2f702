"""Looking at a program while it runs: snapshots of its servers and connections, and the socket that gives them out."""

from uvnet.observing.introspection import introspection

__all__ = ["introspection"]
