"""Handshakes that fail or never end: what each side hears, and that nothing is left or grows."""

from __future__ import annotations

import asyncio
import logging
import socket as plain
import ssl
from typing import Any

import pytest
from certificates import Certificates
from harness import Player, event
from secure_scene import closed, failure, listening, received

import uvnet
import uvnet.tls


@pytest.mark.parametrize(
    ("name", "servername", "trust", "code"),
    [
        ("other", "localhost", True, "DEPTH_ZERO_SELF_SIGNED_CERT"),
        ("expired", "localhost", True, "CERT_HAS_EXPIRED"),
        ("server", "example.org", True, "ERR_TLS_CERT_ALTNAME_INVALID"),
        ("server", "127.0.0.2", True, "ERR_TLS_CERT_ALTNAME_INVALID"),
        ("server", "localhost", False, "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"),
    ],
)
def test_certificates_that_are_refused(
    play: Player, certificates: Certificates, name: str, servername: str, trust: bool, code: str
) -> None:
    async def scenario() -> None:
        async with listening(certificates, context=certificates.server(name=name)) as server:
            told: Any = asyncio.ensure_future(event(server, "tlsClientError"))
            options: dict[str, Any] = {"ca": certificates.authority} if trust else {}
            client = uvnet.tls.connect(server.port, "localhost", servername=servername, **options)
            client.on("secureConnect", lambda: pytest.fail("it is not"))
            client.write("a secret")
            error = await failure(client)
            assert isinstance(error, ssl.SSLCertVerificationError)
            assert error.code == code  # type: ignore[attr-defined]
            assert not client.authorized and client.bytes_read == 0
            alert, socket = await told
            assert isinstance(alert, ssl.SSLError) and alert.code.startswith("ERR_SSL_")  # type: ignore[attr-defined]
            assert socket.destroyed and socket.remote_port

    play(scenario)


def test_nothing_is_verified_where_that_was_asked_for(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        options = {"cert": certificates.path("other")}
        async with listening(certificates, lambda socket: socket.end("hello"), **options) as server:
            client = uvnet.tls.connect(server.port, "localhost", reject_unauthorized=False)
            assert await received(client) == b"hello"
            assert not client.authorized and client.authorization_error == "CERT_NOT_VERIFIED"
            certificate = client.get_peer_certificate()
            assert certificate is not None and certificate["subject"] == {"CN": "localhost"}

    play(scenario)


def test_the_other_end_is_no_server_of_tls(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: socket.end("220 hello\r\n")).listen(0)
        error = await failure(uvnet.tls.connect(server.port, "localhost", context=certificates.client()))
        assert isinstance(error, ssl.SSLError)
        assert error.code == "ERR_SSL_WRONG_VERSION_NUMBER"  # type: ignore[attr-defined]
        await server.shutdown(1)

    play(scenario)


def test_the_other_end_goes_in_the_middle(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: socket.once("data", lambda _: socket.end())).listen(0)
        error = await failure(uvnet.tls.connect(server.port, "localhost", context=certificates.client()))
        assert (error.code, error.port) == ("ECONNRESET", server.port)
        await server.shutdown(1)

    play(scenario)


@pytest.mark.parametrize("side", ["server", "client"])
def test_the_time_of_a_handshake(play: Player, certificates: Certificates, side: str) -> None:
    async def scenario() -> None:
        if side == "client":
            silent = uvnet.create_server(lambda socket: socket.resume()).listen(0)
            client = uvnet.tls.connect(
                silent.port, "localhost", context=certificates.client(), handshake_timeout=0.05
            )
            error = await failure(client)
            await silent.shutdown(0)
        else:
            async with listening(certificates, handshake_timeout=0.05) as server:
                with plain.create_connection(("127.0.0.1", server.port)):
                    error, _ = await event(server, "tlsClientError")
        assert isinstance(error, TimeoutError)
        assert error.code == "ERR_TLS_HANDSHAKE_TIMEOUT"  # type: ignore[attr-defined]

    play(scenario)


@pytest.mark.parametrize("how", ["destroy", "reset_and_destroy", "end"])
@pytest.mark.parametrize("when", ["connection", "connect", "secureConnection", "secureConnect", "secure", "data"])
def test_ended_in_any_event(play: Player, certificates: Certificates, when: str, how: str) -> None:
    """On either side: both ends close, and the server is as before."""

    async def scenario() -> None:
        async with listening(certificates) as server:
            server.on("connection", lambda socket: socket.on("error", lambda _: None))
            server.on("secureConnection", lambda socket: socket.write("hello"))
            server.on("tlsClientError", lambda error, socket: None)
            if when in ("connection", "secureConnection"):
                server.on(when, lambda socket: getattr(socket, how)())
            client = uvnet.tls.connect(server.port, "localhost", context=certificates.client())
            client.on("error", lambda _: None)
            client.on("data", lambda _: None)
            if when not in ("connection", "secureConnection"):
                client.once(when, lambda *_: getattr(client, how)())
            await asyncio.wait_for(closed(client), 10)
            while server._unclosed():
                await asyncio.sleep(0.001)
            server.remove_all_listeners()
            server.on("secureConnection", lambda socket: socket.end("still here"))
            after = await uvnet.open_connection(server.port, "localhost", tls=certificates.client())
            assert await received(after) == b"still here"

    play(scenario)


@pytest.mark.parametrize("when", ["connection", "secureConnection", "tlsClientError"])
def test_listeners_of_a_server_that_raise(play: Player, certificates: Certificates, when: str) -> None:
    async def scenario() -> None:
        async with listening(certificates) as server:

            def fail(*_arguments: Any) -> None:
                raise RuntimeError(when)

            server.on(when, fail)
            context = None if when == "tlsClientError" else certificates.client()
            client = uvnet.tls.connect(server.port, "localhost", context=context)
            client.on("error", lambda _: None)
            client.resume()
            await closed(client)
            while server._unclosed():
                await asyncio.sleep(0.001)

    play(scenario)
    assert str(play.expect_report(RuntimeError)) == when


def test_without_a_listener_failures_are_logged_and_dropped(
    play: Player, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with listening(certificates) as server:
            drops: list[Any] = []
            server.on("drop", drops.append)
            with caplog.at_level(logging.WARNING, "uvnet"):
                for _ in range(3):
                    client = uvnet.connect(server.port, "127.0.0.1")
                    client.write("GET / HTTP/1.0\r\n\r\n")
                    client.resume()
                    await closed(client)
                # Who says nothing is nobody to tell of.
                silent = uvnet.connect(server.port, "127.0.0.1")
                silent.end()
                silent.resume()
                await closed(silent)
            assert [drop["reason"] for drop in drops] == ["tls"] * 3
            assert drops[0]["error"].code == "ERR_SSL_HTTP_REQUEST" and drops[0]["remote_port"]
            assert len(caplog.records) == 1 and "TLS failed" in caplog.text

    play(scenario)


def test_a_thousand_handshakes_that_never_end(play: Player, certificates: Certificates) -> None:
    """They hold up nobody, count as connections, and go when their time is over."""
    count = 1000

    async def scenario() -> None:
        async with listening(certificates, lambda socket: socket.pipe(socket), handshake_timeout=3) as server:
            failures: list[Any] = []
            server.on("tlsClientError", lambda error, socket: failures.append(error.code))
            loop = asyncio.get_running_loop()
            idle: list[plain.socket] = []
            try:
                for index in range(count):
                    one = plain.socket()
                    idle.append(one)
                    one.setblocking(False)
                    await loop.sock_connect(one, ("127.0.0.1", server.port))
                    if index % 2:
                        one.send(b"\x16\x03\x01\x02\x00\x01")
                async with await uvnet.open_connection(
                    server.port, "localhost", tls=certificates.client()
                ) as client:
                    client.write("quick")
                    assert await client.read_exactly(5) == b"quick"
                while len(failures) < count:
                    await asyncio.sleep(0.01)
                assert set(failures) == {"ERR_TLS_HANDSHAKE_TIMEOUT"}
            finally:
                for one in idle:
                    one.close()

    play(scenario, 60)
