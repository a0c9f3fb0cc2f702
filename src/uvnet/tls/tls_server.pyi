import ssl
from collections.abc import Callable
from typing import overload

from typing_extensions import Unpack, disjoint_base

from uvnet.arguments.keywords import SecureContextKeywords, TLSServerKeywords
from uvnet.server.server import Server as PlainServer
from uvnet.tls.tls_socket import TLSSocket

_Secured = Callable[[TLSSocket], object]

@disjoint_base
class Server(PlainServer):
    @overload
    def __init__(
        self,
        options: TLSServerKeywords | None = None,
        connection_listener: _Secured | None = None,
        **keywords: Unpack[TLSServerKeywords],
    ) -> None: ...
    @overload
    def __init__(self, options: _Secured, **keywords: Unpack[TLSServerKeywords]) -> None: ...
    def set_secure_context(
        self,
        options: ssl.SSLContext | SecureContextKeywords | None = None,
        **keywords: Unpack[SecureContextKeywords],
    ) -> None: ...
    def add_context(
        self,
        hostname: str,
        context: ssl.SSLContext | SecureContextKeywords | None = None,
        **keywords: Unpack[SecureContextKeywords],
    ) -> None: ...
