"""Datagrams: a UDP socket on a poll handle, many datagrams in one system call, and what the network says of them.

Knows nothing of what is spoken in datagrams.
"""
