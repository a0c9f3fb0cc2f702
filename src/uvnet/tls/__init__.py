"""TLS for sockets and servers, with the names of Node's `tls` and the contexts of Python's `ssl`.

Knows no protocol that is spoken over TLS, and no proxy.
"""

from uvnet.tls.certificate import PeerCertificate
from uvnet.tls.context import create_secure_context
from uvnet.tls.opening import connect, create_server
from uvnet.tls.self_signed import self_signed
from uvnet.tls.tls_server import Server
from uvnet.tls.tls_socket import TLSSocket

__all__ = [
    "PeerCertificate",
    "Server",
    "TLSSocket",
    "connect",
    "create_secure_context",
    "create_server",
    "self_signed",
]

# Named as users import them; a class that was made in C has that name already.
for _public in map(globals().__getitem__, __all__):
    if _public.__module__ != __name__:
        _public.__module__ = __name__
