from typing_extensions import disjoint_base

from uvnet._udp.sender import DatagramSender

@disjoint_base
class DatagramHandle(DatagramSender):
    @property
    def packets_received(self) -> int: ...
    @property
    def bytes_received(self) -> int: ...
