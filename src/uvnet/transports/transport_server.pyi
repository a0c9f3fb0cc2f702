import asyncio
import socket
from collections.abc import Callable
from typing import Any

from typing_extensions import disjoint_base

from uvnet._accept.header_options import HeaderOptions
from uvnet._accept.limits import Limits
from uvnet._accept.listener import Lease
from uvnet._accept.statistics import Connections, ServerStatistics
from uvnet.addresses.blocklist import BlockList
from uvnet.arguments.keywords import Drop
from uvnet.transports.transport import Transport
from uvnet.transports.transport_options import TransportOptions

@disjoint_base
class TransportServer:
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol_factory: Callable[[], Any],
        tls_options: tuple[Any, float, float] | None,
        *,
        max_connections: int | None,
        block_list: BlockList | None,
        on_drop: Callable[[Drop], object] | None,
        header_options: HeaderOptions | None,
        limits: Limits | None,
        transport_options: TransportOptions,
    ) -> None: ...
    @property
    def connections(self) -> Connections[Transport]: ...
    def statistics(self) -> ServerStatistics: ...
    @property
    def dropped(self) -> dict[str, int]: ...
    def _cut_stages(self) -> None: ...
    def _listen(
        self, listening: socket.socket, backlog: int, given: bool, lease: Lease | None
    ) -> None: ...
    def _stop_listening(self) -> None: ...
    def _connection_count(self) -> int: ...
    def _open_connections(self) -> list[Transport]: ...
    def _tls_failed(self, transport: Transport, error: BaseException) -> None: ...
    def _transport_gone(self) -> None: ...
    def _connection_gone(self) -> None: ...
