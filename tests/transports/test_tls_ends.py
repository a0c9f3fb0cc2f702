"""How TLS connections end: by close_notify on either side, by the end alone, by a reset, not at all."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable
from typing import Any

import pytest
import tls_peer
from certificates import Certificates
from tls_stage import (
    LOOPS,
    VERSIONS,
    Buffered,
    Recorder,
    Reports,
    in_thread,
    on_loop,
    open_pair,
    traces,
)

RANDOM = random.Random(8)
MEBIBYTE = 1048576


@pytest.fixture(params=VERSIONS.values(), ids=VERSIONS)
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    return request.param  # type: ignore[no-any-return]


async def against(
    certificates: Certificates,
    version: Any,
    peer: Callable[[tls_peer.Peer], Any],
    factory: Callable[[], Recorder] = Recorder,
    **options: Any,
) -> tuple[Recorder, asyncio.Future[Any]]:
    """A client here, and in a thread a server that does what `peer` says: (protocol, what that returns)."""
    listening, port = tls_peer.pair_socket()

    def serve() -> Any:
        with listening, tls_peer.accepted(listening, certificates.server(version)) as accepted:
            return peer(accepted)

    served = asyncio.ensure_future(in_thread(serve))
    _, protocol = await asyncio.get_running_loop().create_connection(
        factory, "localhost", port, ssl=certificates.client(), **options
    )
    return protocol, served


def test_the_peer_says_goodbye(certificates: Certificates, version: Any) -> None:
    async def scenario() -> Any:
        def peer(accepted: tls_peer.Peer) -> Any:
            accepted.send(b"last words")
            accepted.notify()
            return accepted.receive_all()

        protocol, served = await against(certificates, version, peer)
        assert await served == (b"", "notified")
        await protocol.lost
        return protocol.trace

    ours, theirs = traces(scenario)
    assert ours == theirs == ["made", 10, "eof", ("lost", None)]


@pytest.mark.parametrize("protocol", [Recorder, Buffered])
@pytest.mark.parametrize("size", [16384, 16385, 3 * 16384, 90_000, 98_304, 300_000])
def test_a_goodbye_right_behind_many_records(
    certificates: Certificates, version: Any, size: int, protocol: type[Recorder]
) -> None:
    """They may be decrypted together, and then nothing asks for the goodbye once more."""
    data = RANDOM.randbytes(size)

    async def scenario() -> Any:
        def peer(accepted: tls_peer.Peer) -> Any:
            accepted.tls.write(data)
            accepted.notify()
            return accepted.receive_all()

        received, served = await against(certificates, version, peer, protocol)
        assert await served == (b"", "notified")
        await received.lost
        assert received.data == data
        return received.trace

    # asyncio's own spoils what a BufferedProtocol gets, where its buffer is a bytearray.
    assert on_loop(scenario) == ["made", size, "eof", ("lost", None)]


def test_true_from_eof_received_has_no_effect(
    certificates: Certificates, version: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> Any:
        def peer(accepted: tls_peer.Peer) -> Any:
            accepted.notify()
            return accepted.receive_all()

        protocol, served = await against(certificates, version, peer, lambda: Recorder(eof=lambda _: True))
        assert await served == (b"", "notified")
        await protocol.lost
        return protocol.trace

    ours, theirs = traces(scenario)
    assert ours == theirs == ["made", "eof", ("lost", None)]
    assert [record.message for record in caplog.records if "eof_received" in record.message] == [
        "returning true from eof_received() has no effect when using ssl"
    ] * 2


def test_what_eof_received_writes_still_goes(certificates: Certificates, version: Any) -> None:
    async def scenario() -> Any:
        def peer(accepted: tls_peer.Peer) -> Any:
            accepted.notify()
            return accepted.receive_all()

        protocol, served = await against(
            certificates, version, peer, lambda: Recorder(eof=lambda each: each.transport.write(b"goodbye"))
        )
        assert await served == (b"goodbye", "notified")
        await protocol.lost
        return protocol.trace

    ours, theirs = traces(scenario)
    assert ours == theirs == ["made", "eof", ("lost", None)]


@pytest.mark.parametrize("protocol_class", [Recorder, Buffered])
def test_the_peer_ends_without_goodbye(
    certificates: Certificates, version: Any, protocol_class: Any
) -> None:
    async def scenario() -> Any:
        def peer(accepted: tls_peer.Peer) -> None:
            accepted.send(b"last words")

        protocol, served = await against(certificates, version, peer, protocol_class)
        await served
        await protocol.lost
        return protocol.trace

    ours, theirs = traces(scenario)
    # asyncio's tells the protocol of nothing between.
    assert [each for each in ours if each != "eof"] == [each for each in theirs if each != "eof"]
    assert ours == ["made", 10, "eof", ("lost", None)]


@pytest.mark.parametrize("cut", [1, 5, 20])
@pytest.mark.parametrize("protocol_class", [Recorder, Buffered])
def test_the_peer_ends_in_the_middle_of_a_record(
    certificates: Certificates, version: Any, protocol_class: Any, cut: int
) -> None:
    async def scenario() -> Any:
        def peer(accepted: tls_peer.Peer) -> None:
            accepted.send(b"whole")
            accepted.raw.sendall(accepted.records(bytes(100))[:cut])

        protocol, served = await against(certificates, version, peer, protocol_class)
        await served
        await protocol.lost
        return protocol.trace

    assert on_loop(scenario) == ["made", 5, "eof", ("lost", None)]


@pytest.mark.parametrize("size", [7, 65536])
@pytest.mark.parametrize("protocol_class", [Recorder, Buffered])
def test_the_end_while_reading_is_paused(
    certificates: Certificates, version: Any, protocol_class: Any, size: int
) -> None:
    """What came before it is delivered first."""

    async def scenario() -> Any:
        def peer(accepted: tls_peer.Peer) -> None:
            accepted.send(b"0123456789" * 10)

        def pause(protocol: Any) -> None:
            if protocol.count <= 7:
                protocol.transport.pause_reading()

        factory: Any = Recorder if protocol_class is Recorder else lambda: Buffered(size, data=pause)
        protocol, served = await against(certificates, version, peer, factory)
        if protocol_class is Recorder:
            protocol.transport.pause_reading()
        await served
        if protocol_class is Buffered:
            await protocol.until(7)
        for _ in range(20):
            await asyncio.sleep(0)
        protocol.transport.resume_reading()
        await protocol.lost
        assert protocol.data == b"0123456789" * 10
        return protocol.trace

    assert on_loop(scenario) == ["made", 100, "eof", ("lost", None)]


def test_the_peer_resets(certificates: Certificates, version: Any) -> None:
    async def scenario() -> Any:
        def peer(accepted: tls_peer.Peer) -> None:
            accepted.send(b"hello")
            assert accepted.receive() == b"go"
            tls_peer.reset(accepted.raw)

        protocol, served = await against(certificates, version, peer)
        await protocol.until(5)
        protocol.transport.write(b"go")
        await served
        error = await protocol.lost
        assert isinstance(error, ConnectionResetError)
        return protocol.trace

    ours, theirs = traces(scenario)
    assert ours == theirs == ["made", 5, ("lost", "ConnectionResetError")]


@pytest.mark.parametrize("garbage", [b"\0" * 100, b"\x17\x03\x03\x00\x20" + b"x" * 32, b"HTTP/1.1 400\r\n\r\n"])
def test_the_peer_sends_garbage(certificates: Certificates, version: Any, garbage: bytes) -> None:
    async def scenario() -> Any:
        def peer(accepted: tls_peer.Peer) -> None:
            accepted.send(b"hello")
            assert accepted.receive() == b"go"
            accepted.raw.sendall(garbage)
            with pytest.raises((ssl.SSLError, EOFError, ConnectionError)):
                accepted.receive()

        protocol, served = await against(certificates, version, peer)
        await protocol.until(5)
        protocol.transport.write(b"go")
        await served
        assert isinstance(await protocol.lost, ssl.SSLError)
        return protocol.trace

    ours, theirs = traces(scenario)
    assert ours == theirs == ["made", 5, ("lost", "SSLError")]


@pytest.mark.parametrize("size", [0, 1000, 16 * MEBIBYTE])
@pytest.mark.parametrize("paused", [False, True])
def test_close_sends_what_was_written(
    certificates: Certificates, version: Any, size: int, paused: bool
) -> None:
    sent = RANDOM.randbytes(size)

    async def scenario() -> Any:
        def peer(accepted: tls_peer.Peer) -> Any:
            accepted.send(b"x")
            data, how = accepted.receive_all()
            accepted.notify()
            return data == sent, how, accepted.raw_end()

        protocol, served = await against(certificates, version, peer)
        await protocol.until(1)
        if paused:
            protocol.transport.pause_reading()
        protocol.transport.write(sent)
        protocol.transport.close()
        protocol.transport.close()
        assert protocol.transport.is_closing()
        if not isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop):
            # Nobody hears of that any more; of asyncio's own it would be an AttributeError.
            protocol.transport.write(b"late")
        assert await served == (True, "notified", True)
        await protocol.lost
        return [each for each in protocol.trace if each not in ("pause", "resume")]

    ours, theirs = traces(scenario)
    assert ours == theirs == ["made", 1, "eof", ("lost", None)]


def test_data_that_comes_after_close(certificates: Certificates, version: Any) -> None:
    """The peer had written it before it heard of the close: nobody wants it, and it hurts nobody."""

    async def scenario() -> Any:
        def peer(accepted: tls_peer.Peer) -> Any:
            data, how = accepted.receive_all()
            accepted.send(bytes(300_000))
            accepted.notify()
            return data, how, accepted.raw_end()

        protocol, served = await against(certificates, version, peer)
        protocol.transport.write(b"farewell")
        protocol.transport.close()
        assert await served == (b"farewell", "notified", True)
        await protocol.lost
        return protocol.trace

    assert on_loop(scenario) == ["made", "eof", ("lost", None)]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("size", [0, 16 * MEBIBYTE])
def test_a_peer_that_does_not_answer_the_goodbye(
    certificates: Certificates, version: Any, size: int, loop: str
) -> None:
    """... nor reads what was written: the time for the shutdown ends it."""

    async def scenario() -> Any:
        over = asyncio.get_running_loop().create_future()
        inner = asyncio.get_running_loop()

        def peer(accepted: tls_peer.Peer) -> None:
            accepted.send(b"x")
            asyncio.run_coroutine_threadsafe(wait(over), inner).result(20)

        async def wait(future: Any) -> None:
            await future

        protocol, served = await against(certificates, version, peer, ssl_shutdown_timeout=0.05)
        await protocol.until(1)
        protocol.transport.write(bytes(size))
        protocol.transport.close()
        error = await protocol.lost
        assert isinstance(error, TimeoutError)
        over.set_result(None)
        await served
        return [each for each in protocol.trace if each not in ("pause", "resume")]

    assert on_loop(scenario, LOOPS[loop]) == ["made", 1, ("lost", "TimeoutError")]


def test_a_peer_that_has_said_goodbye_and_reads_on(certificates: Certificates, version: Any) -> None:
    """It gets everything."""
    sent = RANDOM.randbytes(8 * MEBIBYTE)

    async def scenario() -> Any:
        def peer(accepted: tls_peer.Peer) -> Any:
            accepted.notify()
            data, how = accepted.receive_all()
            return data == sent, how

        protocol, served = await against(
            certificates, version, peer, lambda: Recorder(eof=lambda each: each.transport.write(sent))
        )
        assert await served == (True, "notified")
        assert await protocol.lost is None
        return [each for each in protocol.trace if each not in ("pause", "resume")]

    ours, theirs = traces(scenario)
    assert ours == theirs == ["made", "eof", ("lost", None)]


def test_abort(certificates: Certificates, version: Any) -> None:
    """Without a goodbye, and with a reset where something is lost by it."""

    async def scenario(size: int) -> Any:
        def peer(accepted: tls_peer.Peer) -> Any:
            accepted.send(b"x")
            data, how = accepted.receive_all()
            return len(data) == size, how

        protocol, served = await against(certificates, version, peer)
        await protocol.until(1)
        protocol.transport.write(bytes(size))
        protocol.transport.abort()
        protocol.transport.abort()
        protocol.transport.close()
        assert protocol.transport.is_closing()
        outcome = await served
        await protocol.lost
        return outcome, protocol.trace[-1]

    assert on_loop(lambda: scenario(1000)) == ((True, "cut"), ("lost", None))
    assert on_loop(lambda: scenario(16 * MEBIBYTE))[0] == (False, "reset")


def test_abort_after_close(certificates: Certificates, version: Any) -> None:
    async def scenario() -> Any:
        loop = asyncio.get_running_loop()
        over = loop.create_future()

        async def wait() -> None:
            await over

        def peer(accepted: tls_peer.Peer) -> None:
            accepted.send(b"x")
            asyncio.run_coroutine_threadsafe(wait(), loop).result(20)

        protocol, served = await against(certificates, version, peer)
        await protocol.until(1)
        protocol.transport.close()
        await asyncio.sleep(0)
        protocol.transport.abort()
        await protocol.lost
        over.set_result(None)
        await served
        return protocol.trace

    ours, theirs = traces(scenario)
    assert ours == theirs == ["made", 1, ("lost", None)]


def test_both_close_at_once(certificates: Certificates, version: Any) -> None:
    async def scenario() -> Any:
        far, near = await open_pair(certificates, version)
        far.transport.write(b"from the server")
        near.transport.write(b"from the client")
        far.transport.close()
        near.transport.close()
        return await far.lost, await near.lost

    assert on_loop(scenario) == (None, None)


@pytest.mark.parametrize("callback", ["data", "eof", "lost", "pause", "resume"])
def test_exceptions_in_callbacks(certificates: Certificates, version: Any, callback: str) -> None:
    reports: Reports = []

    async def scenario() -> Any:
        far, near = await open_pair(
            certificates, version, server=lambda: Recorder(**{callback: lambda _: 1 // 0})
        )
        if callback in ("pause", "resume"):
            near.transport.pause_reading()
            far.transport.write(bytes(16 * MEBIBYTE))
            await far.paused
            near.transport.resume_reading()
            await near.until(16 * MEBIBYTE)
            await far.resumed
        near.transport.write(b"data")
        if callback != "data":
            await far.until(4)
        near.transport.close()
        await near.lost
        await far.lost
        return far.trace

    trace = on_loop(scenario, reports=reports)
    assert [type(report["exception"]) for report in reports] == [ZeroDivisionError]
    assert trace[-1] == ("lost", "ZeroDivisionError" if callback in ("data", "eof") else None)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("callback", ["made", "data", "eof"])
def test_exceptions_that_leave_the_loop(certificates: Certificates, kind: Any, callback: str) -> None:
    def leave(_protocol: Any) -> None:
        raise kind

    async def scenario() -> Any:
        far, near = await open_pair(certificates, server=lambda: Recorder(**{callback: leave}))
        near.transport.write(b"data")
        await far.until(4)
        near.transport.close()
        await far.lost

    loop = LOOPS["uvnet"]()
    task = loop.create_task(scenario())
    try:
        with pytest.raises(kind):
            loop.run_until_complete(task)
    finally:
        if not task.done():
            task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()


def test_a_loop_that_is_closed_meanwhile(certificates: Certificates, version: Any) -> None:
    """Transports that are open then are gone, and their methods do no harm."""
    kept: list[Any] = []

    async def scenario() -> Any:
        far, near = await open_pair(certificates, version)
        near.transport.write(b"something")
        kept.extend([far.transport, near.transport])

    on_loop(scenario)
    for transport in kept:
        assert transport.is_closing()
        assert transport.get_write_buffer_size() >= 0
        assert transport.get_extra_info("socket") is None
        repr(transport)
