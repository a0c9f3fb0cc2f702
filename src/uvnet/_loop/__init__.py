"""Loops, handles, requests and streams: libuv's concepts as Cython classes.  No Node policy.

Each module is one libuv concept and imports only modules that stand before it in this list:
counters, errors, sockaddr, record, coroutine, tick, handle, gil, prepare, timer, idle, write_request, stream,
tcp, pipe, adopt, listener, lookup, loop, alive.
"""
