import asyncio
import socket
from collections.abc import Callable
from typing import Any

from typing_extensions import disjoint_base

from uvnet.addresses.blocklist import BlockList
from uvnet.transports.transport import Transport

@disjoint_base
class TransportServer:
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol_factory: Callable[[], Any],
        most: int | None,
        block_list: BlockList | None,
        tls_options: tuple[Any, float, float] | None,
    ) -> None: ...
    @property
    def connections(self) -> int: ...
    def _listen(self, listening: socket.socket, backlog: int, given: bool) -> None: ...
    def _stop_listening(self) -> None: ...
    def _open_transports(self) -> list[Transport]: ...
    def _transport_gone(self) -> None: ...
    def _connection_gone(self) -> None: ...
