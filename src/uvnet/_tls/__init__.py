"""TLS on streams: an engine that knows no socket, and a stream whose bytes go through it.

Knows nothing of transports or sockets: like every stream it tells an owner, through a table of C functions.
"""
