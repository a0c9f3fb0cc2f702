"""The members of a stream, and how it ends.  Section 8."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates
from harness import Player
from quic_pair import quic_pair, upcoming, within

from uvnet import NetRuntimeError, finished
from uvnet.quic import QuicStream


def test_what_a_stream_is(play: Player, certificates: Certificates) -> None:
    """Ids, sides, numbers; kept after the end."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            near, far = await pair.open()
            assert isinstance(near, QuicStream) and near.session is pair.outgoing
            assert near.bidirectional and near.client_initiated and not near.unidirectional and not near.server_initiated
            assert (near.id, far.id, near.readable, near.writable) == (0, 0, True, True)
            one, other = await pair.open(half_open=True)
            assert (one.id, other.id) == (2, 2) and one.unidirectional and other.client_initiated
            assert one.writable and not one.readable and other.readable and not other.writable
            back = await within(pair.incoming.open_stream(half_open=True))
            assert back.id == 3 and back.server_initiated
            near.end(bytes(1000))
            assert len(await within(far.read_all(2000))) == 1000
            assert far.bytes_received == far.max_received_offset == far.final_size == 1001
            assert near.bytes_sent == 1001 and far.max_extended_offset >= 262144
            assert far.data_size_histogram.max <= 1252 and far.data_size_histogram.count >= 2
            far.end()
            await within(near.read_all(1))
            await within(finished(near))
            assert near.max_acknowledged_offset <= 1001 and near.data_ack_histogram.count >= 0
            assert near.destroyed and near.detached and 0 < near.duration < 60 and near.bytes_sent == 1001
            assert near.push_id is None and near.reset_received is None

    play(scenario)


def test_text_lines_and_pipes(play: Player, certificates: Certificates) -> None:
    """What a Socket has of a stream it has too."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            near, far = await pair.open()
            far.set_encoding("utf8")
            near.cork()
            near.write("a\nb")
            near.write("é\n")
            near.uncork()
            near.end("last")
            assert [line async for line in far.lines()] == ["a", "bé", "last"]
            with pytest.raises(TypeError):
                near.write(None)  # type: ignore[arg-type]
            third, fourth = await pair.open()
            fourth.pipe(fourth)
            third.write(b"x" * 1000)
            assert await within(third.read_exactly(1000)) == b"x" * 1000
            third.end()
            assert [chunk async for chunk in third] == []

    play(scenario)


def test_a_write_is_called_back_and_drains(play: Player, certificates: Certificates) -> None:
    """8.2: when the engine has taken the data; 'drain' by the high-water mark."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            near, far = await pair.open()
            told: list[Any] = []
            assert not near.write(bytes(1_000_000), told.append)
            assert near.writable_need_drain and told == [] and near.writable_length > 500_000
            far.resume()
            await within(near.drain())
            assert told == [None] and near.writable_length == 0

    play(scenario)


def test_a_reader_that_stops_holds_its_stream_alone(play: Player, certificates: Certificates) -> None:
    """8.3: its stream at its window, and no other of the session; then it goes on."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            near, far = await pair.open()
            far.pause()
            blocked: list[Any] = []
            near.on("blocked", lambda *told: blocked.append(told))
            near.write(bytes(5_000_000))
            second, other = await pair.open()
            second.end(bytes(1_000_000))
            assert len(await within(other.read_all(1_000_000))) == 1_000_000
            assert blocked[0] == ()
            assert 262_144 - 1300 <= far.bytes_received <= 262_145
            assert near.bytes_sent < 2_000_000 and near.writable_length > 3_000_000
            assert pair.outgoing.block_count >= 1
            far.on("data", lambda _: None)
            near.end()
            far.resume()
            await within(upcoming(far, "end"))
            assert far.bytes_received == 5_000_001

    play(scenario)


def test_streams_that_nobody_reads_hold_the_session(play: Player, certificates: Certificates) -> None:
    """8.3: all of them together have the credit of the connection, and give it back."""

    async def scenario() -> None:
        options = {"max_data": 300_000, "max_stream_data_bidi_remote": 200_000}
        async with quic_pair(certificates, listen=options) as pair:
            streams = [await pair.open() for _ in range(3)]
            for near, far in streams:
                far.pause()
                near.write(bytes(1_000_000))
            while sum(far.bytes_received for _, far in streams) < 299_000:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            assert sum(far.bytes_received for _, far in streams) <= 300_000
            assert pair.outgoing.max_data_left < 1300
            streams[0][1].destroy()
            streams[1][1].destroy()
            streams[0][0].on("error", lambda _: None)
            streams[1][0].on("error", lambda _: None)
            streams[2][0].end()
            streams[2][1].resume()
            await within(upcoming(streams[2][1], "end"))
            assert streams[2][1].bytes_received == 1_000_001

    play(scenario)


def test_a_reset_that_cuts_data_off(play: Player, certificates: Certificates) -> None:
    """8.1 and 8.4: destroy() resets both sides; what the peer has not got is an error there."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            near, far = await pair.open()
            failed = upcoming(far, "error")
            near.destroy()
            (error,) = await within(failed)
            assert isinstance(error, ConnectionResetError) and error.code == "ECONNRESET"
            assert far.reset_received == {"code": 0} and far.destroyed
            assert not pair.incoming.destroyed

    play(scenario)


def test_the_peer_does_not_want_it(play: Player, certificates: Certificates) -> None:
    """8.1: after STOP_SENDING nothing more can be written, and what waits fails with EPIPE; reading goes on."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            near, far = await pair.open()
            far.write(b"the last")
            far.close()
            assert await within(near.read_all(10)) == b"the last"
            await within(finished(near))
            assert near.errored is None and near.destroyed
            fifth, sixth = await pair.open()
            sixth.write(b"not read yet")
            sixth.close()
            while fifth.writable:
                await asyncio.sleep(0.01)
            refused: list[Any] = []
            fifth.on("error", lambda _: None)
            closed = upcoming(fifth, "close")
            assert not fifth.write(b"x", refused.append)
            await within(closed)
            assert refused[0].code == "EPIPE" and refused[0].application_code == 0
            third, fourth = await pair.open()
            told: list[Any] = []
            third.write(bytes(3_000_000), told.append)
            failed = upcoming(third, "error")
            fourth.destroy()
            (error,) = await within(failed)
            assert error.code in ("EPIPE", "ECONNRESET") and told == [error]

    play(scenario)


def test_closing_a_stream(play: Player, certificates: Certificates) -> None:
    """close(): both sides end, what is not read is dropped; the same future, and ERR_INVALID_STATE afterwards."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            near, far = await pair.open()
            far.write(b"not read")
            near.write(b"read")
            closing = near.close()
            assert near.close() is closing
            await within(closing)
            assert near.destroyed
            with pytest.raises(NetRuntimeError) as caught:
                near.close()
            assert caught.value.code == "ERR_INVALID_STATE"
            failing, _ = await pair.open()
            error = ValueError("mine")
            failing.on("error", lambda _: None)
            future = failing.close()
            failing.destroy(error)
            with pytest.raises(ValueError, match="mine"):
                await within(future)

    play(scenario)


def test_files(play: Player, certificates: Certificates, tmp_path: Path) -> None:
    """send_fd() and send_file(): what is sent, where the file stays, what fails."""
    data = os.urandom(300_000)
    path = tmp_path / "file"
    path.write_bytes(data)

    async def scenario() -> None:
        async with quic_pair(certificates, listen={"max_streams_uni": 20}) as pair:

            async def sent(send: Any) -> bytes:
                near, far = await pair.open(half_open=True)
                send(near)
                found: bytes = await within(far.read_all(400_000))
                return found

            assert await sent(lambda stream: stream.send_file(path)) == data
            assert await sent(lambda stream: stream.send_file(str(path), 5, 10)) == data[5:15]
            with path.open("rb") as file:
                assert await sent(lambda stream: stream.send_fd(file.fileno(), 100)) == data[100:]
                assert file.tell() == 0
                file.seek(299_990)
                assert await sent(lambda stream: stream.send_fd(file, length=50)) == data[-10:]
            told: list[OSError] = []
            assert await sent(lambda stream: stream.send_file(tmp_path / "none", on_error=told.append)) == b""
            assert told[0].errno == 2
            near, _ = await pair.open(half_open=True)
            failed = upcoming(near, "error")
            near.send_file(tmp_path / "none")
            assert (await within(failed))[0].errno == 2
            for bad in ({"fd": "x"}, {"fd": -1}, {"fd": 0, "offset": "x"}, {"fd": 0, "length": -2}):
                third, _ = await pair.open(half_open=True)
                with pytest.raises((TypeError, ValueError)):
                    third.send_fd(**bad)
                third.on("error", lambda _: None)
            near.send_fd(0)

    play(scenario)


def test_a_listener_that_raises_destroys_its_stream(play: Player, certificates: Certificates) -> None:
    """Sections 0.2 and 4.4: the stream, and not the session."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            near, far = await pair.open()

            async def fails(_chunk: bytes) -> None:
                raise ZeroDivisionError

            far.on("data", fails)
            far.resume()
            far.on("error", lambda _: None)
            near.on("error", lambda _: None)
            near.write(b"x")
            await within(upcoming(far, "close"))
            assert far.destroyed and not pair.incoming.destroyed

    play(scenario)
    play.expect_report(ZeroDivisionError)


def test_many_streams(play: Player, certificates: Certificates) -> None:
    """More than the limit at a time: open_stream(wait=True) waits for those that are over."""

    async def scenario() -> None:
        async with quic_pair(certificates, listen={"max_streams_bidi": 10}) as pair:
            pair.incoming.on("stream", lambda stream: stream.pipe(stream))

            async def one(number: int) -> None:
                stream = await within(pair.outgoing.open_stream(wait=True))
                stream.end(b"%d" % number)
                assert await within(stream.read_all(10)) == b"%d" % number

            await asyncio.gather(*(one(number) for number in range(60)))
            assert pair.outgoing.self_initiated_stream_count == 60
            assert pair.incoming.peer_initiated_stream_count == 60
            assert pair.outgoing.max_streams["bidi"] >= 60

    play(scenario)
