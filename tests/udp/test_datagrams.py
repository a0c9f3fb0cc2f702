"""Datagrams that are sent and received, one by one and many at once."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket as plain
import sys
import threading
import weakref
from typing import Any

import pytest
import uvloop
from datagrams import End
from harness import Player
from waiting import turns, until

import uvnet
from uvnet._loop.loop import pending_loop
from uvnet._udp.datagram import DatagramHandle

HOSTS = ["127.0.0.1", "::1"]


@pytest.mark.parametrize("offload", [True, False], ids=["offload", "plain"])
@pytest.mark.parametrize("host", HOSTS)
def test_they_arrive_whole_and_in_order(play: Player, host: str, offload: bool) -> None:
    async def scenario() -> None:
        one, other = End(host, offload=offload), End(host, offload=offload)
        payloads = [bytes([number % 256]) * 1200 for number in range(70)] + [b"shorter", b"", b"z" * 65_000, b"", b"a"]
        payloads += [b"x" * size for size in (1, 2, 3, 3, 2, 2, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 1)]
        for begun in range(0, len(payloads), 30):
            one.handle.send(payloads[begun : begun + 30], other.name)
            await until(lambda reached=begun + 30: len(other.got) >= min(reached, len(payloads)))
        assert other.data == payloads
        assert {remote for _, remote, _ in other.got} == {one.name}
        assert {local for _, _, local in other.got} == {host}
        assert one.handle.packets_sent == other.handle.packets_received == len(payloads)
        assert one.handle.bytes_sent == other.handle.bytes_received == sum(map(len, payloads))
        assert one.handle.packets_dropped == one.handle.packets_waiting == 0
        assert one.errors == other.errors == []
        await one.close()
        await other.close()

    play(scenario)


def test_a_run_is_one_call(play: Player) -> None:
    """Where the kernel can cut up what is sent, and give it out uncut."""

    async def scenario() -> None:
        one, other = End(), End()
        payloads = [bytes([number]) * 1000 for number in range(60)]
        one.handle.send(payloads, other.name)
        await until(lambda: len(other.got) == 60)
        assert other.data == payloads
        with plain.socket(plain.AF_INET, plain.SOCK_DGRAM) as asked:
            try:
                asked.getsockopt(plain.IPPROTO_UDP, 103)
            except OSError:
                pytest.skip("this kernel has no UDP_SEGMENT")
        assert len(other.batches) == 1
        await one.close()
        await other.close()

    play(scenario)


def test_a_call_has_a_bounded_number(play: Player) -> None:
    async def scenario() -> None:
        one, other = End(offload=False), End(offload=False)
        for _ in range(8):
            one.handle.send([b"x"] * 50, other.name)
        await until(lambda: len(other.got) == 400)
        assert len(other.batches) >= 2
        assert max(map(len, other.batches)) < 260
        await one.close()
        await other.close()

    play(scenario)


@pytest.mark.parametrize(
    ("bound", "asked", "local"),
    [("0.0.0.0", "127.0.0.7", "127.0.0.7"), ("::", "127.0.0.8", "::ffff:127.0.0.8"), ("::", "::1", "::1")],
)
def test_an_answer_leaves_from_the_address_that_was_asked(play: Player, bound: str, asked: str, local: str) -> None:
    async def scenario() -> None:
        end = End(bound)
        family = plain.AF_INET6 if ":" in asked else plain.AF_INET
        with plain.socket(family, plain.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.sendto(b"question", (asked, end.name[1]))
            await until(lambda: end.got)
            ((data, remote, found),) = end.got
            assert (data, found) == (b"question", local)
            end.handle.send([b"answer", b"answer"], remote, found)
            assert client.recvfrom(100)[1][:2] == (asked, end.name[1])
        await end.close()

    play(scenario)


def test_an_ipv4_address_for_an_ipv6_socket(play: Player) -> None:
    async def scenario() -> None:
        one, other = End("::"), End("127.0.0.1")
        one.handle.send([b"x"], other.name, "127.0.0.5")
        await until(lambda: other.got)
        assert other.got[0][1] == ("127.0.0.5", one.name[1])
        other.handle.send([b"y"], other.got[0][1])
        await until(lambda: one.got)
        assert one.got[0][1][:2] == ("::ffff:127.0.0.1", other.name[1])
        await one.close()
        only = End("::", ipv6_only=True)
        other.handle.send([b"z"], ("127.0.0.1", only.name[1]))
        await until(lambda: other.errors)
        assert only.got == []
        await only.close()
        await other.close()

    play(scenario)


@pytest.mark.skipif(sys.platform != "linux", reason="IP_RECVERR is Linux's")
@pytest.mark.parametrize("host", [*HOSTS, "::"])
def test_what_icmp_says_is_told_and_costs_nobody_a_datagram(play: Player, host: str) -> None:
    async def scenario() -> None:
        one, gone, other = End(host), End(host), End("::1" if ":" in host else host)
        target = ("127.0.0.1" if host == "::" else host, gone.name[1])
        await gone.close()
        for _ in range(3):
            one.handle.send([b"for nobody"], target)
            one.handle.send([b"for somebody"], other.name)
        await until(lambda: len(other.got) == 3 and len(one.errors) == 3)
        for error, remote in one.errors:
            assert isinstance(error, ConnectionRefusedError)
            assert (error.code, error.port) == ("ECONNREFUSED", target[1])  # type: ignore[attr-defined]
            assert remote is not None and remote[1] == target[1]
        # And it goes on to hear of what comes.
        other.handle.send([b"answer"], ("::1" if ":" in host else host, one.name[1]))
        await until(lambda: one.got)
        assert one.handle.packets_dropped == 0
        await one.close()
        await other.close()

    play(scenario)


def test_one_that_is_too_long_is_told_and_the_others_go(play: Player) -> None:
    async def scenario() -> None:
        one, other = End(), End()
        one.handle.send([b"before", bytes(65_508), bytes(70_000), b"behind"], other.name)
        await until(lambda: len(other.got) == 2 and one.errors)
        assert other.data == [b"before", b"behind"]
        await turns()
        # By the call, and where the interface has a smaller limit by ICMP as well.
        assert {(error.errno, remote) for error, remote in one.errors} == {(errno.EMSGSIZE, other.name)}
        assert one.handle.packets_dropped == 2
        one.handle.send([b"x"], ("255.255.255.255", 9))
        await until(lambda: isinstance(one.errors[-1][0], PermissionError))
        await one.close()
        await other.close()

    play(scenario)


def test_arguments_are_looked_at_before_anything_leaves(play: Player) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(TypeError, match="on_error"):
            DatagramHandle(loop, print, None)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="on_datagrams"):
            DatagramHandle(loop, 1, print)  # type: ignore[arg-type]
        handle = DatagramHandle(loop, print, print)
        with pytest.raises(RuntimeError, match="has been called before"):
            handle.__init__(loop, print, print)  # type: ignore[misc]
        for failing in (lambda: handle.send([], ("127.0.0.1", 1)), handle.getsockname, lambda: handle.set_ttl(1)):
            with pytest.raises(RuntimeError, match="closed"):
                failing()
        wrong: list[tuple[Any, ...]] = [("localhost", 0), ("127.0.0.1", 65536), ("127.0.0.1", -1), ("", 0)]
        for address, port in wrong:
            with pytest.raises((ValueError, TypeError)):
                handle.bind(address, port, ipv6=False)
        with pytest.raises(OSError) as raised:
            handle.bind("::1", 0, ipv6=False)
        assert raised.value.errno == errno.EAFNOSUPPORT
        assert (handle.fileno(), handle.is_open) == (-1, False)

        end = End()
        with pytest.raises(OSError) as raised:
            handle.bind("127.0.0.1", end.name[1], ipv6=False)
        assert raised.value.errno == errno.EADDRINUSE and raised.value.port == end.name[1]  # type: ignore[attr-defined]
        # It may be tried again.
        handle.bind("127.0.0.1", 0, ipv6=False)
        assert handle.is_open and handle.fileno() >= 0
        with pytest.raises(RuntimeError):
            handle.bind("127.0.0.1", 0, ipv6=False)
        bad: list[tuple[Any, ...]] = [
            ([b"x", "text"], end.name), ([bytearray(1)], end.name), ((b"x",), end.name), ([b"x"], None),
            ([b"x"], ["127.0.0.1", 1]), ([b"x"], ("127.0.0.1",)), ([b"x"], ("localhost", 1)), ([b"x"], ("127.0.0.1", "1")),
            ([b"x"], ("127.0.0.1", 65536)), ([b"x"], ("::1", 1)), ([b"x"], end.name, "nowhere"), ([b"x"], end.name, 1),
        ]  # fmt: skip
        for arguments in bad:
            with pytest.raises((TypeError, ValueError)):
                handle.send(*arguments)
        handle.send([b"right"], end.name)
        await until(lambda: end.got)
        assert end.data == [b"right"]
        handle.close()
        handle.close()
        with pytest.raises(RuntimeError, match="closed"):
            handle.send([b"x"], end.name)
        with pytest.raises(RuntimeError, match="closed"):
            handle.bind("127.0.0.1", 0, ipv6=False)
        await end.close()

    play(scenario)


def test_what_a_callback_raises_is_reported_and_it_goes_on(play: Player) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        other = End()
        calls: list[int] = []

        def receive(batch: list[Any]) -> None:
            calls.append(len(batch))
            raise LookupError("of the test")

        handle = DatagramHandle(loop, receive, print)
        handle.bind("127.0.0.1", 0, ipv6=False)
        other.handle.send([b"x"], handle.getsockname())
        await until(lambda: len(calls) == 1)
        play.expect_report(LookupError)
        play.reported.clear()
        play.expected = 0
        other.handle.send([b"x", b"x"], handle.getsockname())
        await until(lambda: len(calls) == 2)
        play.expect_report(LookupError)
        handle.close()
        await other.close()

    play(scenario)


def test_closed_in_its_own_callbacks(play: Player) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        other, gone = End(), End()
        await gone.close()
        heard: list[Any] = []

        def receive(batch: list[Any]) -> None:
            heard.append(len(batch))
            first.close(lambda: heard.append("closed"))

        def fail(error: OSError, remote: Any) -> None:
            heard.append(type(error))
            second.close(lambda: heard.append("closed"))

        first, second = (DatagramHandle(loop, receive, fail) for _ in range(2))
        for handle in (first, second):
            handle.bind("127.0.0.1", 0, ipv6=False)
        for _ in range(3):
            other.handle.send([b"x"] * 100, first.getsockname())
        await until(lambda: "closed" in heard)
        assert heard[0] != 0 and len(heard) == 2
        second.send([b"x"], gone.name)
        second.send([b"x"], gone.name)
        await until(lambda: len(heard) == 4)
        assert heard[2:] == [ConnectionRefusedError, "closed"]
        await other.close()

    play(scenario)


def test_each_callback_of_close_is_called_once(play: Player) -> None:
    async def scenario() -> None:
        heard: list[int] = []
        handle = DatagramHandle(asyncio.get_running_loop(), print, print)
        handle.bind("127.0.0.1", 0, ipv6=False)
        handle.close(lambda: heard.append(1))
        handle.close(lambda: heard.append(2))
        assert heard == [] and not handle.is_open and handle.fileno() == -1
        await until(lambda: len(heard) == 2)
        handle.close(lambda: heard.append(3))
        assert len(heard) == 2
        await until(lambda: len(heard) == 3)
        unbound = DatagramHandle(asyncio.get_running_loop(), print, print)
        unbound.close(lambda: heard.append(4))
        with pytest.raises(TypeError):
            unbound.close(1)  # type: ignore[arg-type]
        await until(lambda: len(heard) == 4)
        assert heard == [1, 2, 3, 4]

    play(scenario)


def test_what_keeps_run_going() -> None:
    loop = pending_loop()
    owner = object()
    handle = DatagramHandle(loop, print, print, owner=owner)
    handle.unref()
    handle.bind("127.0.0.1", 0, ipv6=False)
    assert uvnet.active_handles() == []
    handle.ref()
    assert uvnet.active_handles() == [owner]
    left: list[bool] = []

    def leave() -> None:
        left.append(handle.is_open)
        handle.unref()

    loop.call_later(0.01, leave)
    uvnet.run()
    assert left == [True] and not handle.is_open


def test_a_loop_that_closes_takes_it_along() -> None:
    loop = uvloop.new_event_loop()
    told: list[Any] = []
    handle = DatagramHandle(loop, told.append, told.append)
    handle.bind("127.0.0.1", 0, ipv6=False)
    descriptor = handle.fileno()
    loop.close()
    with pytest.raises(OSError):
        plain.socket(fileno=descriptor)
    for use in (lambda: handle.send([b"x"], ("127.0.0.1", 1)), handle.close, handle.ref, handle.getsockname):
        with pytest.raises(RuntimeError, match="closed"):
            use()
    with pytest.raises(RuntimeError):
        DatagramHandle(loop, print, print)
    other = asyncio.new_event_loop()
    with pytest.raises(RuntimeError):
        DatagramHandle(other, print, print)
    other.close()
    assert told == []


def test_another_thread_may_not_use_it(play: Player) -> None:
    async def scenario() -> None:
        end = End()
        heard: list[BaseException] = []

        def work() -> None:
            for use in (
                lambda: end.handle.send([b"x"], end.name), end.handle.close, end.handle.ref, end.handle.unref,
                lambda: end.handle.set_ttl(3), end.handle.getsockname,
            ):  # fmt: skip
                try:
                    use()
                except RuntimeError as error:
                    heard.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        await asyncio.get_running_loop().run_in_executor(None, thread.join)
        assert len(heard) == 6
        assert end.handle.is_open
        await turns()
        assert end.got == []
        await end.close()

    play(scenario)


def test_it_lives_while_it_is_open_and_no_longer(play: Player) -> None:
    async def scenario() -> None:
        class Owner:
            def __init__(self) -> None:
                self.got: list[Any] = []
                self.handle = DatagramHandle(asyncio.get_running_loop(), self.receive, print, owner=self)
                self.handle.bind("127.0.0.1", 0, ipv6=False)

            def receive(self, batch: list[Any]) -> None:
                self.got += batch
                if len(self.got) == 2:
                    self.handle.close()

        owner = weakref.ref(Owner())
        gc.collect()
        end = End()
        alive = owner()
        assert alive is not None
        name = alive.handle.getsockname()
        end.handle.send([b"x"], name)
        await until(lambda got=alive.got: got)
        del alive
        gc.collect()
        end.handle.send([b"y"], name)
        await end.close()
        await turns()
        gc.collect()
        assert owner() is None

    play(scenario)
