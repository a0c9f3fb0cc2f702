"""QuicEndpoint: one UDP binding of a QuicSocket.  Section 2."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, SOCK_DGRAM
from typing import Any

from uvnet._loop.record import LoopRecord
from uvnet._udp.datagram import DatagramHandle
from uvnet.addresses.address import Address
from uvnet.errors.codes import NetTypeError, invalid_state, invalid_type, out_of_range
from uvnet.errors.system import system_error
from uvnet.quic.options import EndpointOptions

__all__ = ["QuicEndpoint", "look_up"]


class QuicEndpoint:
    """A UDP socket of a QuicSocket; made by add_endpoint(), not by users.  Node: "Class: QuicEndpoint"."""

    def __init__(
        self,
        record: LoopRecord,
        options: EndpointOptions,
        on_datagrams: Callable[..., None],
        on_closed: Callable[[QuicEndpoint, BaseException | None], None],
        owner: Any,
    ) -> None:
        self._record = record
        self._options = options
        self._on_datagrams = on_datagrams
        self._on_closed = on_closed
        self._owner = owner
        self._handle: DatagramHandle | None = None
        self._address: Address | None = None
        self._binding: asyncio.Future[Address] | None = None
        self._closing: asyncio.Future[None] | None = None
        self._bound = False
        self._destroyed = False
        self._error: BaseException | None = None
        self._referenced = True
        self._former = (0, 0, 0, 0)

    # === Public API ===

    @property
    def address(self) -> Address | None:
        """Its Address, None while it is not bound.  Node: "quicendpoint.address"."""
        return self._address if self._bound and not self._destroyed else None

    @property
    def fd(self) -> int | None:
        """Its file descriptor, None while it is not bound.  Node: "quicendpoint.fd"."""
        return self._handle.fileno() if self._bound and not self._destroyed and self._handle is not None else None

    @property
    def bound(self) -> bool:
        """True while it is bound.  Node: "quicendpoint.bound"."""
        return self._bound and not self._destroyed

    @property
    def pending(self) -> bool:
        """True while it is about to be.  Node: "quicendpoint.pending"."""
        return self._binding is not None and not self._bound and not self._destroyed

    @property
    def closing(self) -> bool:
        """True once close() was called, until its descriptor is closed.  Node: "quicendpoint.closing"."""
        return self._closing is not None and not self._closing.done()

    @property
    def destroyed(self) -> bool:
        """True once it is over.  Node: "quicendpoint.destroyed"."""
        return self._destroyed

    def bind(self) -> asyncio.Future[Address]:
        """Look its address up and bind; returns a future for the Address.

        The future raises OSError where it cannot be bound, which destroys it, and RuntimeError (ERR_INVALID_STATE)
        where it is destroyed meanwhile.  Raises that where it is destroyed already.
        Node: "quicendpoint.bind([options])".
        """
        self._check("bind")
        if self._binding is None:
            self._binding = self._record.loop.create_task(self._bind())
        return self._binding

    def close(self) -> asyncio.Future[None]:
        """Destroy it; returns a future that is done when the descriptor is closed.

        Raises RuntimeError (ERR_INVALID_STATE) where it is destroyed.  Node: "quicendpoint.close()".
        """
        if self._closing is not None:
            return self._closing
        self._check("close")
        self._closing = self._record.loop.create_future()
        self.destroy()
        return self._closing

    def destroy(self, error: BaseException | None = None) -> None:
        """Close it; its socket then tells of it ('endpointClose').  A second call does nothing.

        Raises TypeError for an `error` that is no exception.  Node: "quicendpoint.destroy([error])".
        """
        if error is not None and not isinstance(error, BaseException):
            raise invalid_type("error", "an exception", error)
        if self._destroyed:
            return
        self._destroyed = True
        self._error = error
        if self._handle is None:
            self._closed()
        else:
            handle, self._handle = self._handle, None
            self._former = (handle.packets_received, handle.packets_sent, handle.bytes_received, handle.bytes_sent)
            handle.close(self._closed)

    def ref(self) -> QuicEndpoint:
        """Let it keep uvnet.run() going; returns it.  Node: "quicendpoint.ref()"."""
        self._referenced = True
        if self._handle is not None:
            self._handle.ref()
        return self

    def unref(self) -> QuicEndpoint:
        """Do not let it keep uvnet.run() going; returns it.  Node: "quicendpoint.unref()"."""
        self._referenced = False
        if self._handle is not None:
            self._handle.unref()
        return self

    def set_ttl(self, ttl: int) -> QuicEndpoint:
        """How many hops its datagrams may take, 1 to 255; returns it.

        This and the others below raise RuntimeError (ERR_INVALID_STATE) where it is destroyed, TypeError or ValueError
        for bad arguments, and OSError of the system, EBADF before it is bound.  Node: "quicendpoint.setTTL(ttl)".
        """
        self._in_use("set_ttl").set_ttl(_number(ttl, "ttl", 1, 255))
        return self

    def set_multicast_ttl(self, ttl: int) -> QuicEndpoint:
        """The same for those to groups, 0 to 255; returns it.  Node: "quicendpoint.setMulticastTTL(ttl)"."""
        self._in_use("set_multicast_ttl").set_multicast_ttl(_number(ttl, "ttl", 0, 255))
        return self

    def set_multicast_loopback(self, on: bool = True) -> QuicEndpoint:
        """Whether they come back to this machine; returns it.  Node: "quicendpoint.setMulticastLoopback([on])"."""
        self._in_use("set_multicast_loopback").set_multicast_loopback(bool(on))
        return self

    def set_broadcast(self, on: bool = True) -> QuicEndpoint:
        """Whether it may send to broadcast addresses; returns it.  Node: "quicendpoint.setBroadcast([on])"."""
        self._in_use("set_broadcast").set_broadcast(bool(on))
        return self

    def set_multicast_interface(self, iface: str) -> QuicEndpoint:
        """By which interface they leave: an address of it, or "::%eth1"; returns it.

        Node: "quicendpoint.setMulticastInterface(iface)".
        """
        handle = self._in_use("set_multicast_interface")
        try:
            handle.set_multicast_interface(_text(iface, "iface"))
        except NetTypeError as error:
            if error.code != "ERR_INVALID_IP_ADDRESS":
                raise
            raise system_error(-errno.EINVAL, "setsockopt") from None
        return self

    def add_membership(self, address: str, iface: str | None = None) -> QuicEndpoint:
        """Join a group; returns it.  Node: "quicendpoint.addMembership(address, iface)"."""
        self._in_use("add_membership").add_membership(_text(address, "address"), iface)
        return self

    def drop_membership(self, address: str, iface: str | None = None) -> QuicEndpoint:
        """Leave a group; returns it.  Node: "quicendpoint.dropMembership(address, iface)"."""
        self._in_use("drop_membership").drop_membership(_text(address, "address"), iface)
        return self

    def __repr__(self) -> str:
        state = "destroyed" if self._destroyed else self._address or "not bound"
        return f"<QuicEndpoint {state}>"

    # === For the socket ===

    @property
    def _is_preferred(self) -> bool:
        return self._options.preferred

    @property
    def _is_ipv6(self) -> bool:
        return self._options.ipv6

    def _counts(self) -> tuple[int, int, int, int]:
        """Packets received and sent, bytes received and sent."""
        handle = self._handle
        if handle is None:
            return self._former
        return handle.packets_received, handle.packets_sent, handle.bytes_received, handle.bytes_sent

    def _send(self, datagrams: list[bytes], remote: tuple[Any, ...], local: str | None) -> None:
        if self._handle is not None and self._bound:
            self._handle.send(datagrams, remote, local)

    # === Private ===

    def _check(self, method: str) -> None:
        if self._destroyed:
            raise invalid_state(method, "the endpoint is destroyed")

    def _in_use(self, method: str) -> DatagramHandle:
        self._check(method)
        if self._handle is None or not self._bound:
            raise system_error(-errno.EBADF, "setsockopt")
        return self._handle

    def _open(self) -> DatagramHandle:
        handle = self._handle = DatagramHandle(
            self._record.loop, self._received, self._failed, owner=self._owner
        )
        if not self._referenced:
            handle.unref()
        return handle

    async def _bind(self) -> Address:
        options = self._options
        try:
            wildcard = "::" if options.ipv6 else "0.0.0.0"
            address = await look_up(options.lookup, options.address or wildcard, options.ipv6)
            self._check("bind")
            handle = self._handle if self._handle is not None else self._open()
            handle.bind(
                address,
                options.port,
                ipv6=options.ipv6,
                ipv6_only=options.ipv6_only,
                reuse_address=options.reuse_address,
            )
            name = handle.getsockname()
            self._bound = True
            self._address = Address(name[0], "IPv6" if options.ipv6 else "IPv4", name[1])
            return self._address
        except BaseException as error:
            self.destroy(error if isinstance(error, Exception) else None)
            raise

    def _received(self, batch: list[tuple[bytes, tuple[Any, ...], str | None]]) -> None:
        if not self._destroyed:
            self._on_datagrams(self, batch)

    def _failed(self, error: OSError, remote: tuple[Any, ...] | None) -> None:
        # Anybody may send what ICMP says.  What is really lost is found out by the sessions.
        if remote is None and not self._destroyed:
            self.destroy(error)

    def _closed(self) -> None:
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(None)
        self._on_closed(self, self._error)


def _number(value: Any, name: str, lowest: int, highest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_type(name, "of type int", value)
    if not lowest <= value <= highest:
        raise out_of_range(name, f">= {lowest} and <= {highest}", value)
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise invalid_type(name, "of type str", value)
    return value


async def look_up(lookup: Callable[[str | None, int], Awaitable[Any]] | None, address: str, ipv6: bool) -> str:
    """The IP address of a host, by the user's function where there is one.  Section 7.1.

    Raises socket.gaierror where there is none.
    """
    if lookup is not None:
        found = await lookup(address, 6 if ipv6 else 4)
        if isinstance(found, Mapping):
            found = found.get("address")
        if not isinstance(found, str):
            raise invalid_type("address", "the str that options.lookup gives", found)
        return found
    try:
        given = ip_address(address.partition("%")[0])
    except ValueError:
        pass
    else:
        if given.version == (6 if ipv6 else 4):
            return address
        if ipv6:
            return f"::ffff:{address}"
    found = await asyncio.get_running_loop().getaddrinfo(
        address, None, family=AF_INET6 if ipv6 else AF_INET, type=SOCK_DGRAM
    )
    return str(found[0][4][0])
