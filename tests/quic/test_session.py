"""The members of a session, and how it ends.  Sections 4 and 9."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from certificates import Certificates
from harness import Player
from quic_pair import (
    ALPN,
    client_options,
    gone,
    quic_pair,
    quic_server,
    server_options,
    upcoming,
    within,
)
from waiting import until

from uvnet import NetRuntimeError, create_quic_socket


def test_what_is_known(play: Player, certificates: Certificates) -> None:
    """4.3, at both ends, and what is kept of it."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            near, far = pair.outgoing, pair.incoming
            assert near.remote_address == pair.server.endpoints[0].address == far.address
            assert far.remote_address == pair.client.endpoints[0].address == near.address
            for session in (near, far):
                assert session.alpn_protocol == ALPN and session.servername == "localhost"
                assert session.cipher["version"] == "TLSv1.3" and session.cipher["name"].startswith("TLS_")
                assert session.authenticated and session.authentication_error is None
                assert session.close_code == {"code": 0, "family": 2, "silent": False}
                assert not (session.closing or session.destroyed or session.idle_timeout or session.stateless_reset)
                assert not session.using_early_data and session.qlog is None and session.handshake_complete
            assert near.socket is pair.client and far.socket is pair.server
            assert near.max_streams == {"bidi": 100, "uni": 3}
            assert not near.allow_early_data and not far.allow_early_data and near.handshake_started
            assert near.ephemeral_key_info == {"type": "ECDH", "name": "X25519", "size": 253}
            stream, other = await pair.open()
            stream.end(bytes(100_000))
            other.resume()
            await within(upcoming(other, "end"))
            assert near.bytes_sent > 100_000 and far.bytes_received > 100_000 and near.max_data_left > 0
            assert (near.bidi_stream_count, near.uni_stream_count) == (1, 0)
            assert (near.self_initiated_stream_count, far.peer_initiated_stream_count) == (1, 1)
            assert near.max_in_flight_bytes >= near.bytes_in_flight and near.loss_retransmit_count >= 0
            assert 0 < near.min_rtt <= near.latest_rtt < 5 and near.smoothed_rtt > 0
            assert near.ack_delay_retransmit_count >= 0 == near.key_update_count
            assert near.handshake_ack_histogram.count > 0 and far.handshake_continuation_histogram.count > 0
            assert 0 < near.handshake_duration < near.duration < 60
            sent = near.bytes_sent
            near.destroy()
            near.destroy()
            assert near.bytes_sent > sent and near.min_rtt > 0 and near.bytes_in_flight == near.block_count == 0
            assert near.max_streams == {"bidi": 0, "uni": 0} and near.get_peer_certificate() == {}
            assert near.socket is None and near.address is None and "destroyed" in repr(near)
            for call in (near.ping, near.update_key, near.open_stream, near.close, near.start_handshake):
                with pytest.raises(NetRuntimeError) as caught:
                    call()
                assert caught.value.code == "ERR_INVALID_STATE"

    play(scenario)


def test_closing_waits_for_streams(play: Player, certificates: Certificates) -> None:
    """4.1 and 9.4: open ones finish, new ones are refused at both ends; the same future."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            stream, other = await pair.open()
            closing = pair.incoming.close()
            assert pair.incoming.close() is closing and pair.incoming.closing
            with pytest.raises(NetRuntimeError):
                pair.incoming.open_stream()
            refused = await within(pair.outgoing.open_stream())
            refused.write(b"nobody wants this")
            failed = upcoming(refused, "error")
            assert (await within(failed))[0].code in ("ECONNRESET", "EPIPE")
            assert not closing.done() and pair.streams.empty()
            stream.end()
            other.end(b"last")
            assert await within(stream.read_all(10)) == b"last"
            other.resume()
            await within(closing)
            assert pair.incoming.destroyed

    play(scenario)


def test_the_order_at_the_end(play: Player, certificates: Certificates) -> None:
    """9.3: streams first, then the session; of a socket the sessions, endpoints, then itself."""
    told: list[str] = []

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            stream, _ = await pair.open()
            error = ValueError("mine")
            for name, emitter in (("stream", stream), ("session", pair.outgoing), ("socket", pair.client)):
                for event in ("error", "close", "endpointClose"):
                    emitter.on(event, lambda *_, name=name, event=event: told.append(f"{name} {event}"))
            closed = upcoming(pair.client, "close")
            pair.client.destroy(error)
            pair.client.destroy()
            await within(closed)
            assert stream.errored is error
            assert pair.client.destroyed and pair.client.endpoints == []

    play(scenario)
    assert told == [
        "stream error", "stream close", "session error", "session close", "socket endpointClose", "socket error",
        "socket close",
    ]  # fmt: skip


def test_an_idle_session_ends(play: Player, certificates: Certificates) -> None:
    """4.1 and 4.3: without an error; but its streams were cut off."""

    async def scenario() -> None:
        async with quic_pair(certificates, connect={"idle_timeout": 0.5}) as pair:
            stream, _ = await pair.open()
            failed = upcoming(stream, "error")
            closed = upcoming(pair.outgoing, "close")
            pair.server.set_diagnostic_packet_loss(rx=1)
            await within(closed)
            assert pair.outgoing.idle_timeout and pair.outgoing.close_code["silent"]
            assert (await within(failed))[0].code == "ETIMEDOUT"
            pair.incoming.on("error", lambda _: None)

    with pytest.warns(RuntimeWarning) if not _warned() else _nothing():
        play(scenario)


def test_a_ping_keeps_it(play: Player, certificates: Certificates) -> None:
    """4.2: ping() restarts the timers."""

    async def scenario() -> None:
        async with quic_pair(certificates, connect={"idle_timeout": 0.6}) as pair:
            for _ in range(4):
                await asyncio.sleep(0.25)
                pair.outgoing.ping()
            assert not pair.outgoing.destroyed and not pair.incoming.destroyed

    play(scenario)


def test_keys_change(play: Player, certificates: Certificates) -> None:
    """4.2: update_key(), counted at both ends, and data goes on."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            stream, other = await pair.open()
            while not pair.outgoing.handshake_confirmed:
                await asyncio.sleep(0.01)
            assert pair.outgoing.update_key() is True
            stream.write(b"after")
            assert await within(other.read_exactly(5)) == b"after"
            assert (pair.outgoing.key_update_count, pair.incoming.key_update_count) == (1, 1)

    play(scenario)


def test_logs(play: Player, certificates: Certificates) -> None:
    """4.4: 'keylog' lines, and 'qlog' at the end that wants it."""
    lines: list[bytes] = []

    async def scenario() -> None:
        server = create_quic_socket({"endpoint": {"address": "127.0.0.1"}, "qlog": True})
        await within(server.listen(server_options(certificates)))
        sessions: list[Any] = []
        server.on("session", lambda session: (sessions.append(session), session.on("keylog", lines.append)))
        client = create_quic_socket()
        session = await within(client.connect(client_options(certificates, server, qlog=True)))
        told = upcoming(session, "qlog")
        await within(session.open_stream())
        assert (await within(told)) == (session.qlog,) and sessions[0].qlog is not None
        # The client is done before the server.
        await until(lambda: len(lines) == 4)
        session.destroy()
        records = [json.loads(record[1:]) async for record in session.qlog]
        assert records[0]["qlog_format"] == "JSON-SEQ" and session.qlog.ended
        assert {"transport:packet_sent", "transport:packet_received"} <= {each.get("name") for each in records}
        rest = sessions[0].qlog.read()
        assert rest.startswith(b"\x1e{") and rest.endswith(b"\n") and sessions[0].qlog.read() is None
        heard: list[bytes] = []
        sessions[0].qlog.on("data", heard.append)
        closed = upcoming(sessions[0], "close")
        sessions[0].destroy()
        await within(closed)
        await gone(client)
        await gone(server)

    play(scenario)
    labels = [line.split()[0] for line in lines]
    assert labels.count(b"SERVER_TRAFFIC_SECRET_0") == 1 and len(labels) == 4 and lines[0].endswith(b"\n")


def test_a_session_listener_that_raises(play: Player, certificates: Certificates) -> None:
    """3.6: the session is destroyed, 'sessionError' tells, and the socket lives on."""

    async def scenario() -> None:
        async with quic_server(certificates) as server:
            mine = ValueError("mine")

            async def later(_session: Any) -> None:
                await asyncio.sleep(0)
                raise mine

            def at_once(_session: Any) -> None:
                raise mine

            for listener in (later, at_once):
                server.once("session", listener)
                failed = upcoming(server, "sessionError")
                client = create_quic_socket()
                await within(client.connect(client_options(certificates, server)))
                error, session = await within(failed)
                assert error is mine and session.destroyed and not server.destroyed
                await gone(client)

    play(scenario)


def test_another_listener_that_raises_destroys_its_object(play: Player, certificates: Certificates) -> None:
    """0.2: with what it has raised."""

    async def scenario() -> None:
        mine = ValueError("mine")
        async with quic_pair(certificates) as pair:

            def fails(*_: Any) -> None:
                raise mine

            pair.server.on("busy", fails)
            failed = upcoming(pair.server, "error")
            pair.incoming.on("error", lambda _: None)
            pair.server.server_busy = True
            assert (await within(failed)) == (mine,) and pair.server.destroyed

    play(scenario)


def test_a_stream_listener_that_raises(play: Player, certificates: Certificates) -> None:
    """4.4: it destroys the stream, and not the session."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:

            def fails(stream: Any) -> None:
                stream.on("error", lambda _: None)
                raise ZeroDivisionError

            pair.incoming.on("stream", fails)
            stream = await within(pair.outgoing.open_stream())
            failed = upcoming(stream, "error")
            stream.write(b"x")
            assert (await within(failed))[0].code == "ECONNRESET"
            assert not pair.incoming.destroyed and not pair.outgoing.destroyed

    play(scenario)
    play.expect_report(ZeroDivisionError)


def test_no_common_protocol(play: Player, certificates: Certificates) -> None:
    """Sections 4.1 and 5: the handshake fails at both ends, and who waits for it hears of that."""

    async def scenario() -> None:
        async with quic_server(certificates) as server:
            failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            server.on("session", lambda session: session.on("error", failed.set_result))
            client = create_quic_socket()
            session = await within(client.connect(client_options(certificates, server, alpn="other")))
            with pytest.raises(NetRuntimeError) as caught:
                await within(session.open_stream())
            assert caught.value.code == "ERR_OPERATION_FAILED"
            assert session.close_code["family"] == 1 and session.close_code["code"] == 120
            assert (await within(failed)).code == "ERR_OPERATION_FAILED"
            await gone(client)

    play(scenario)


def test_a_handshake_that_waits(play: Player, certificates: Certificates) -> None:
    """4.5: auto_start=False, and start_handshake()."""

    async def scenario() -> None:
        async with quic_server(certificates) as server:
            client = create_quic_socket()
            session = await within(client.connect(client_options(certificates, server, auto_start=False, dcid="aa" * 8)))
            await asyncio.sleep(0.02)
            assert not session.handshake_started and server.server_sessions == 0
            session.start_handshake()
            session.start_handshake()
            await within(session.open_stream())
            assert server.server_sessions == 1
            await gone(client)

    play(scenario)


def _warned() -> bool:
    from uvnet.quic import quic_socket

    return quic_socket._warned_of_loss


def _nothing() -> Any:
    import contextlib

    return contextlib.nullcontext()
