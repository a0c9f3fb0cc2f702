import ssl

from typing_extensions import Unpack, disjoint_base

from uvnet.arguments.keywords import TLSSocketKeywords
from uvnet.socket.socket import Socket
from uvnet.tls.negotiated import Negotiated

@disjoint_base
class TLSSocket(Negotiated):
    def __init__(
        self,
        socket: Socket | TLSSocketKeywords | None = None,
        options: TLSSocketKeywords | None = None,
        **keywords: Unpack[TLSSocketKeywords],
    ) -> None: ...
    def _say_first(self, preface: bytes) -> None: ...
    def set_session(self, session: ssl.SSLSession) -> None: ...
