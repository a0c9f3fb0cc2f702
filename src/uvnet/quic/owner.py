"""What a session asks of the socket that it belongs to, and where a session's datagrams go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from uvnet.quic.emitter import QuicEmitter

__all__ = ["Path", "SessionOwner"]


@dataclass(frozen=True)
class Path:
    """Between which two addresses datagrams go."""

    endpoint: Any  # a QuicEndpoint
    remote: tuple[Any, ...]  # as Python's sockets name it
    local: str | None  # the address of ours that was asked, where the endpoint has several

    def to(self, remote: tuple[Any, ...]) -> Path:
        """From here to another address."""
        return Path(self.endpoint, remote, self.local)


class SessionOwner(QuicEmitter):
    """A QuicSocket, as its sessions see it."""

    def _send(self, path: Path, datagrams: list[bytes]) -> None:
        """Send to the other end of the path."""
        raise NotImplementedError

    def _add_route(self, connection_id: bytes, session: Any) -> None:
        """Packets to this id are for the session."""
        raise NotImplementedError

    def _remove_route(self, connection_id: bytes) -> None:
        """They are no more."""
        raise NotImplementedError

    def _session_secured(self, session: Any) -> None:
        """Its handshake is over."""
        raise NotImplementedError

    def _session_gone(self, session: Any, error: BaseException | None, last: list[bytes]) -> None:
        """It is destroyed; `last` is what it has said in the end."""
        raise NotImplementedError

    def _refuse_sessions(self, method: str) -> None:
        """Raise where it is destroyed or closing."""
        raise NotImplementedError

    async def _endpoint_for(self, ipv6: bool) -> Any:
        """An endpoint by which such addresses are reached, bound."""
        raise NotImplementedError

    def _give_session(self, session: Any) -> set[bytes]:
        """It goes to another socket; returns its connection ids."""
        raise NotImplementedError

    def _take_session(self, session: Any, ids: set[bytes]) -> None:
        """It comes from another socket, with these."""
        raise NotImplementedError
