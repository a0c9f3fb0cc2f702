from typing import Any

from typing_extensions import disjoint_base

from uvnet._udp.base import DatagramBase

@disjoint_base
class Waiting: ...

@disjoint_base
class DatagramSender(DatagramBase):
    @property
    def packets_sent(self) -> int: ...
    @property
    def packets_dropped(self) -> int: ...
    @property
    def packets_waiting(self) -> int: ...
    @property
    def bytes_sent(self) -> int: ...
    def send(self, payloads: list[bytes], remote: tuple[Any, ...], local: str | None = None) -> None: ...
