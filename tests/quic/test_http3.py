"""The members of a stream that are about HTTP/3.  Section 8."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from certificates import Certificates
from harness import Player
from quic_pair import Pair, quic_pair, upcoming, within

from uvnet import NetRuntimeError, NetValueError

H3 = {"alpn": "h3"}
REQUEST = {":method": "GET", ":scheme": "https", ":authority": "localhost", ":path": "/"}


async def ask(pair: Pair, headers: Any = REQUEST, body: bytes | None = None) -> tuple[Any, Any, Any]:
    """A request: the client's stream, the server's, and the headers it got."""
    heard: asyncio.Queue[Any] = asyncio.Queue()
    pair.incoming.on("stream", lambda stream: stream.on("initialHeaders", lambda *told: heard.put_nowait(told)))
    near = await within(pair.outgoing.open_stream())
    assert near.submit_initial_headers(headers, terminal=body is None)
    if body is not None:
        near.end(body)
    far = await within(pair.streams.get())
    told, _ = await within(heard.get())
    return near, far, told


def test_a_request_and_its_answer(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with quic_pair(certificates, listen=H3, connect=H3) as pair:
            near, far, told = await ask(pair, {**REQUEST, ":method": "POST", "x-a": "b"}, b"body")
            assert told == [*({**REQUEST, ":method": "POST"}).items(), ("x-a", "b")]
            assert await within(far.read_all(100)) == b"body"
            early = upcoming(near, "informationalHeaders")
            late = upcoming(near, "initialHeaders")
            last = upcoming(near, "trailingHeaders")
            far.submit_informational_headers({":status": 103, "link": "x"})
            far.submit_initial_headers({":status": "200"})
            far.write(bytes(100_000))
            far.submit_trailing_headers([("x-sum", "1")])
            assert await within(near.read_all(200_000)) == bytes(100_000)
            assert await within(early) == ([(":status", "103"), ("link", "x")], None)
            assert await within(late) == ([(":status", "200")], None)
            assert await within(last) == ([("x-sum", "1")], None)

    play(scenario)


def test_what_is_written_before_the_headers_waits(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with quic_pair(certificates, listen=H3, connect=H3) as pair:
            near, far, _ = await ask(pair)
            far.write(b"soon")
            assert far.writable_length == 4
            far.submit_initial_headers({":status": "200"})
            far.end()
            assert await within(near.read_all(10)) == b"soon"

    play(scenario)


def test_a_push(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with quic_pair(certificates, listen=H3, connect={**H3, "max_streams_uni": 10}) as pair:
            near, far, _ = await ask(pair)
            promised = upcoming(near, "pushHeaders")
            pushed = far.push_stream({**REQUEST, ":path": "/more"})
            assert pushed.push_id == 0 and pushed.unidirectional
            pushed.submit_initial_headers({":status": "200"})
            pushed.end(b"pushed")
            headers, push_id = await within(promised)
            assert (dict(headers)[":path"], push_id) == ("/more", 0)
            came = await within(pair.streams.get())
            assert came.push_id == 0 and await within(came.read_all(10)) == b"pushed"
            far.submit_initial_headers({":status": "204"}, terminal=True)
            assert await within(near.read_all(10)) == b""

    play(scenario)


def test_what_cannot_be(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with quic_pair(certificates, listen=H3, connect=H3) as pair:
            near, far, _ = await ask(pair)
            with pytest.raises(NetRuntimeError) as caught:
                near.push_stream(REQUEST)
            assert caught.value.code == "ERR_INVALID_STATE"
            with pytest.raises(NetRuntimeError):
                far.submit_trailing_headers({"a": "b"})
            for headers in ({":path": "/"}, {}, {":status": "200", ":other": "x"}, [("a", "b"), (":status", "200")]):
                with pytest.raises(NetValueError):
                    far.submit_initial_headers(headers)
            with pytest.raises(TypeError):
                far.submit_initial_headers(7)
            far.submit_initial_headers({":status": "200"})
            with pytest.raises(NetRuntimeError):
                far.submit_initial_headers({":status": "200"})
            with pytest.raises(NetRuntimeError):
                # The client lets a server open three streams, and HTTP/3 itself needs them.
                far.push_stream(REQUEST)
            far.end()
            await within(near.read_all(1))
        async with quic_pair(certificates) as pair:
            near, _ = await pair.open()
            with pytest.raises(NetRuntimeError, match="does not speak HTTP/3"):
                near.submit_initial_headers(REQUEST)

    play(scenario)
