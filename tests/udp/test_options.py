"""What can be set on a socket of datagrams, as the system then has it."""

from __future__ import annotations

import errno
import os
import socket as plain
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from datagrams import End
from harness import Player
from waiting import until

GROUP = "239.255.77.9"


@contextmanager
def system(end: End) -> Iterator[plain.socket]:
    with plain.socket(fileno=os.dup(end.handle.fileno())) as socket:
        yield socket


def test_ipv4(play: Player) -> None:
    async def scenario() -> None:
        end = End()
        end.handle.set_ttl(7)
        end.handle.set_multicast_ttl(9)
        end.handle.set_multicast_loopback(False)
        end.handle.set_broadcast(True)
        end.handle.set_multicast_interface("127.0.0.1")
        with system(end) as socket:
            assert socket.getsockopt(plain.IPPROTO_IP, plain.IP_TTL) == 7
            assert socket.getsockopt(plain.IPPROTO_IP, plain.IP_MULTICAST_TTL) == 9
            assert socket.getsockopt(plain.IPPROTO_IP, plain.IP_MULTICAST_LOOP) == 0
            assert socket.getsockopt(plain.SOL_SOCKET, plain.SO_BROADCAST) == 1
            assert socket.getsockopt(plain.IPPROTO_IP, plain.IP_MULTICAST_IF, 4) == bytes([127, 0, 0, 1])
        assert not os.get_blocking(end.handle.fileno()) and not os.get_inheritable(end.handle.fileno())
        end.handle.set_multicast_interface("0.0.0.0")
        end.handle.set_multicast_ttl(0)
        for wrong in (0, 256, -1, 1.5):
            with pytest.raises(ValueError):
                end.handle.set_ttl(wrong)  # type: ignore[arg-type]
        for text in ("lo", "::1", ""):
            with pytest.raises(TypeError, match="Invalid IP"):
                end.handle.set_multicast_interface(text)
            with pytest.raises(TypeError, match="Invalid IP"):
                end.handle.add_membership(text)
        with pytest.raises(OSError) as raised:
            end.handle.add_membership("127.0.0.1")
        assert raised.value.errno == errno.EINVAL
        with system(end) as socket:
            assert socket.getsockopt(plain.IPPROTO_IP, plain.IP_TTL) == 7
            assert socket.getsockopt(plain.IPPROTO_IP, plain.IP_MULTICAST_TTL) == 0
        await end.close()
        with pytest.raises(RuntimeError, match="closed"):
            end.handle.set_broadcast(True)

    play(scenario)


def test_ipv6(play: Player) -> None:
    async def scenario() -> None:
        end = End("::1")
        end.handle.set_ttl(7)
        end.handle.set_multicast_ttl(9)
        end.handle.set_multicast_loopback(False)
        loopback = plain.if_nametoindex(next(name for _, name in plain.if_nameindex() if name.startswith("lo")))
        end.handle.set_multicast_interface(f"::%{loopback}")
        with system(end) as socket:
            assert socket.getsockopt(plain.IPPROTO_IPV6, plain.IPV6_UNICAST_HOPS) == 7
            assert socket.getsockopt(plain.IPPROTO_IPV6, plain.IPV6_MULTICAST_HOPS) == 9
            assert socket.getsockopt(plain.IPPROTO_IPV6, plain.IPV6_MULTICAST_LOOP) == 0
            assert socket.getsockopt(plain.IPPROTO_IPV6, plain.IPV6_MULTICAST_IF) == loopback
        end.handle.set_multicast_interface("::")
        with pytest.raises(OSError, match="no interface 'nothing'") as raised:
            end.handle.set_multicast_interface("::%nothing")
        assert raised.value.errno == errno.EADDRNOTAVAIL
        end.handle.add_membership("ff01::77", f"::%{plain.if_indextoname(loopback)}")
        with pytest.raises(OSError):
            end.handle.add_membership("ff01::77", f"::%{loopback}")
        end.handle.drop_membership("ff01::77", f"::%{loopback}")
        with pytest.raises(OSError):
            end.handle.drop_membership("ff01::77", f"::%{loopback}")
        await end.close()

    play(scenario)


def test_a_group(play: Player) -> None:
    """What is sent to it comes to its members, and is answered from an address of theirs."""

    async def scenario() -> None:
        member, sender = End("0.0.0.0", reuse_address=True), End()
        other = End("0.0.0.0", member.name[1], reuse_address=True)
        for end in (member, other):
            end.handle.add_membership(GROUP, "127.0.0.1")
        sender.handle.set_multicast_interface("127.0.0.1")
        sender.handle.send([b"to all"], (GROUP, member.name[1]))
        await until(lambda: member.got and other.got)
        ((data, remote, local),) = member.got
        assert (data, remote, local) == (b"to all", sender.name, "127.0.0.1")
        member.handle.send([b"answer"], remote, local)
        await until(lambda: sender.got)
        other.handle.drop_membership(GROUP, "127.0.0.1")
        member.handle.drop_membership(GROUP, "127.0.0.1")
        for end in (member, other, sender):
            await end.close()

    play(scenario)
