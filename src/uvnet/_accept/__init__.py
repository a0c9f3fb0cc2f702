"""Listening sockets, and taking connections from them before an object of ours exists.

Knows nothing of servers: it tells an owner, through a table of C functions.
"""
