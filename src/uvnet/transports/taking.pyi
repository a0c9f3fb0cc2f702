import asyncio
import socket
from typing import Any

from uvnet.transports.secure_transport import SecureTransport
from uvnet.transports.transport import Transport
from uvnet.transports.transport_options import TransportOptions

def take(
    loop: asyncio.AbstractEventLoop,
    connected: socket.socket,
    given: bool,
    is_unix: bool,
    protocol: Any,
    options: TransportOptions,
    tls_options: tuple[Any, float, float] | None,
    server_side: bool,
    server_hostname: str | None,
) -> Any: ...
def begin(transport: SecureTransport, waiter: asyncio.Future[None]) -> None: ...
def secure(
    transport: Transport,
    protocol: Any,
    tls_options: tuple[Any, float, float],
    server_side: bool,
    server_hostname: str | None,
    waiter: asyncio.Future[None],
) -> SecureTransport: ...
