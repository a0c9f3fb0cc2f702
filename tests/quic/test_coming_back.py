"""Resumption, 0-RTT, and clients and servers that move.  Sections 4.5, 5 and 6."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from certificates import Certificates
from harness import Player
from quic_pair import Pair, client_options, gone, quic_pair, quic_server, upcoming, within
from waiting import until

from uvnet import NetRuntimeError, create_quic_socket


async def ticket_of(pair: Pair) -> tuple[bytes, bytes]:
    found = upcoming(pair.outgoing, "sessionTicket")
    # It may have come already: another session brings another one.
    try:
        ticket, parameters = await asyncio.wait_for(asyncio.shield(found), 0.3)
    except asyncio.TimeoutError:
        session = await within(pair.client.connect(client_options_of(pair)))
        ticket, parameters = await within(upcoming(session, "sessionTicket"))
        session.destroy()
    return ticket, parameters


def client_options_of(pair: Pair, **others: Any) -> dict[str, Any]:
    return {**pair.outgoing._given.given, **others}


@pytest.mark.parametrize("early_data", [True, False])
def test_resuming(play: Player, certificates: Certificates, early_data: bool) -> None:
    """'sessionTicket', and 0-RTT where the server takes it; its handshake needs no certificate."""

    async def scenario() -> None:
        async with quic_pair(certificates, listen={"early_data": early_data}) as pair:
            ticket, parameters = await ticket_of(pair)
            sessions: list[Any] = []
            pair.server.on("session", sessions.append)
            pair.server.on("session", lambda session: session.on("stream", lambda stream: stream.pipe(stream)))
            options = client_options_of(
                pair, session_ticket=ticket, remote_transport_params=parameters, auto_start=False
            )
            session = await within(pair.client.connect(options))
            session.start_handshake()
            assert session.allow_early_data is early_data
            opening = session.open_stream()
            assert opening.done() is early_data
            stream = await within(opening)
            stream.end(b"early")
            assert await within(stream.read_all(10)) == b"early"
            assert session.using_early_data is early_data
            # What came early was answered before the server's handshake was over.
            await until(lambda: sessions[0].handshake_complete)
            assert sessions[0].using_early_data is early_data
            assert session.get_peer_certificate() == {}
            # Each ticket is good once: 0-RTT cannot be played back.
            again = await within(pair.client.connect(options))
            again.start_handshake()
            stream = await within(again.open_stream())
            stream.end(b"late")
            assert await within(stream.read_all(10)) == b"late"
            assert not again.using_early_data and again.get_peer_certificate() != {}

    play(scenario)


def test_a_ticket_that_is_none(play: Player, certificates: Certificates) -> None:
    """Section 5: what cannot be used is refused at the call."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            ticket, parameters = await ticket_of(pair)
            for options, code in (
                ({"session_ticket": b"nonsense"}, "ERR_QUIC_INVALID_TLS_SESSION_TICKET"),
                ({"session_ticket": ticket[:-5]}, "ERR_QUIC_INVALID_TLS_SESSION_TICKET"),
                ({"session_ticket": ticket, "servername": "other"}, "ERR_QUIC_INVALID_TLS_SESSION_TICKET"),
                ({"session_ticket": b""}, "ERR_QUIC_INVALID_TLS_SESSION_TICKET"),
                (
                    {"session_ticket": ticket, "remote_transport_params": b""},
                    "ERR_QUIC_INVALID_REMOTE_TRANSPORT_PARAMS",
                ),
                (
                    {"session_ticket": ticket, "remote_transport_params": b"\xff"},
                    "ERR_QUIC_INVALID_REMOTE_TRANSPORT_PARAMS",
                ),
            ):
                with pytest.raises(NetRuntimeError) as caught:
                    pair.client.connect(client_options_of(pair, **options))
                assert caught.value.code == code
            with pytest.raises(TypeError):
                pair.client.connect(client_options_of(pair, session_ticket="text"))
            assert parameters

    play(scenario)


@pytest.mark.parametrize("nat_rebinding", [False, True])
def test_a_client_moves(play: Player, certificates: Certificates, nat_rebinding: bool) -> None:
    """set_socket(): from another address; the server finds out whether it is there, and follows."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            stream, other = await pair.open()
            while not pair.outgoing.handshake_confirmed:
                await asyncio.sleep(0.01)
            seen = upcoming(pair.incoming, "pathValidation")
            here = upcoming(pair.outgoing, "pathValidation")
            elsewhere = create_quic_socket(endpoint={"address": "127.0.0.1"})
            before = pair.incoming.remote_address
            await within(pair.outgoing.set_socket(elsewhere, nat_rebinding))
            assert pair.outgoing.socket is elsewhere and elsewhere.client_sessions == 1
            stream.write(b"from elsewhere")
            assert await within(other.read_exactly(14)) == b"from elsewhere"
            result, local, remote = await within(seen)
            assert (result, remote) == ("success", elsewhere.endpoints[0].address) and local is not None
            assert pair.incoming.remote_address == remote != before
            if not nat_rebinding:
                assert (await within(here))[0] == "success"
            other.write(b"heard")
            assert await within(stream.read_exactly(5)) == b"heard"
            with pytest.raises(TypeError):
                pair.outgoing.set_socket(None)  # type: ignore[arg-type]
            await gone(elsewhere)
            with pytest.raises(NetRuntimeError):
                pair.outgoing.set_socket(elsewhere)
            other.on("error", lambda _: None)

    play(scenario)


@pytest.mark.parametrize("policy", ["accept", "reject"])
def test_a_preferred_address(play: Player, certificates: Certificates, policy: str) -> None:
    """Sections 4.5 and 6: a client that accepts goes there, and says so."""

    async def scenario() -> None:
        server = create_quic_socket(endpoint={"address": "127.0.0.1"})
        second = server.add_endpoint(address="127.0.0.1")
        await within(second.bind())
        preferred = {"address": "127.0.0.1", "port": second.address.port, "type": "udp4"}
        path = str(certificates.path("server"))
        await within(server.listen(alpn="test", cert=path, key=path, preferred_address=preferred))
        server.on("session", lambda session: session.on("stream", lambda stream: stream.pipe(stream)))
        client = create_quic_socket(endpoint={"address": "127.0.0.1"})
        session = await within(client.connect(client_options(certificates, server, preferred_address_policy=policy)))
        told: list[Any] = []
        session.on("usePreferredAddress", told.append)
        stream = await within(session.open_stream())
        for _ in range(20):
            stream.write(b"x")
            await within(stream.read_exactly(1))
            await asyncio.sleep(0.005)
        assert told == ([preferred] if policy == "accept" else [])
        assert (session.remote_address.port == second.address.port) is (policy == "accept")
        stream.end()
        stream.resume()
        await within(upcoming(stream, "close"))
        await gone(client)
        await gone(server)

    play(scenario)


def test_a_client_is_asked_who_it_is(play: Player, certificates: Certificates) -> None:
    """Section 6: request_cert, with and without reject_unauthorized; 4.3: authenticated."""

    async def scenario() -> None:
        authority = str(certificates.authority)
        path, other = str(certificates.path("client")), str(certificates.path("other"))
        for rejects, cert, error in (
            (True, path, None),
            (True, other, "ERR_QUIC_VERIFY_DEPTH_ZERO_SELF_SIGNED_CERT"),
            (True, None, "ERR_QUIC_VERIFY_PEER_DID_NOT_RETURN_A_CERTIFICATE"),
            (False, other, "ERR_QUIC_VERIFY_DEPTH_ZERO_SELF_SIGNED_CERT"),
        ):
            options = {"request_cert": True, "reject_unauthorized": rejects, "ca": authority}
            async with quic_server(certificates, **options) as server:
                arrived: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
                server.on("session", lambda session, arrived=arrived: arrived.set_result(session))
                client = create_quic_socket()
                own = {} if cert is None else {"cert": cert, "key": cert}
                session = await within(client.connect(client_options(certificates, server, **own)))
                incoming = await within(arrived)
                if rejects and error:
                    closed = upcoming(session, "close")
                    assert (await within(upcoming(incoming, "error")))[0].code == error
                    await within(closed)
                    assert session.close_code["family"] == 1
                else:
                    await within(upcoming(incoming, "secure"))
                    subject = incoming.get_peer_certificate()["subject"]
                    assert subject["CN"] == "localhost" and session.get_certificate()["subject"] == subject
                assert incoming.authenticated is (error is None)
                assert getattr(incoming.authentication_error, "code", None) == error
                await gone(client)

    play(scenario)


@pytest.mark.parametrize(
    ("name", "options", "code"),
    [
        ("other", {}, "DEPTH_ZERO_SELF_SIGNED_CERT"),
        ("expired", {}, "CERT_HAS_EXPIRED"),
        ("server", {"servername": "example.org"}, "HOSTNAME_MISMATCH"),
        ("server", {"servername": "example.org", "verify_hostname_identity": False}, None),
    ],
)
def test_a_server_is_verified(
    play: Player, certificates: Certificates, name: str, options: Any, code: str | None
) -> None:
    """Section 5 and 4.3: or the client goes on nevertheless, and says what it is worth."""

    async def scenario() -> None:
        path = str(certificates.path(name))
        async with quic_server(certificates, cert=path, key=path) as server:
            client = create_quic_socket()
            session = await within(client.connect(client_options(certificates, server, **options)))
            if code is None:
                await within(session.open_stream())
                found = session.get_peer_certificate(detailed=True)
                assert found["subject_alt_name"].startswith("DNS:localhost") and found["fingerprint256"].count(":") == 31
            else:
                failed = upcoming(session, "error")
                error = (await within(failed))[0]
                assert error.code == f"ERR_QUIC_VERIFY_{code}" and session.authentication_error is error
                trusting = client_options(certificates, server, **options, reject_unauthorized=False)
                session = await within(client.connect(trusting))
                await within(session.open_stream())
                assert not session.authenticated and session.authentication_error.code == error.code
            await gone(client)

    play(scenario)


def test_who_is_asked_for(play: Player, certificates: Certificates) -> None:
    """7.3: client_hello_handler chooses a context, and the handshake waits for it."""

    async def scenario() -> None:
        from uvnet.quic import create_quic_context

        asked: list[Any] = []
        path = str(certificates.path("server"))
        right = create_quic_context(cert=path, key=path)

        async def choose(alpn: Any, servername: Any, ciphers: Any) -> Any:
            asked.append((alpn, servername, "TLS_AES_128_GCM_SHA256" in ciphers))
            await asyncio.sleep(0.01)
            if len(asked) == 2:
                raise ValueError("not this one")
            return right

        wrong = str(certificates.path("other"))
        async with quic_server(certificates, cert=wrong, key=wrong, client_hello_handler=choose) as server:
            server.on("session", lambda session: session.on("error", lambda _: None))
            client = create_quic_socket()
            session = await within(client.connect(client_options(certificates, server)))
            await within(session.open_stream())
            assert session.get_peer_certificate()["subject"]["O"] == "server"
            second = await within(client.connect(client_options(certificates, server)))
            with pytest.raises(NetRuntimeError):
                await within(second.open_stream())
            assert asked == [("test", "localhost", True)] * 2
            await gone(client)

    play(scenario)
