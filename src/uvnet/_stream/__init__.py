"""Bytes on handles: connecting, reading, writing and relaying streams, each a libuv concept as a Cython class.

Knows nothing of events, options or Node's rules: it tells an owner, through a table of C functions.
"""
