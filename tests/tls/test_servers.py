"""tls.Server: names, certificates that are replaced, limits, ways to take sockets, how it ends; proxies with TLS."""

from __future__ import annotations

import asyncio
import socket as plain
import ssl
from typing import Any

import pytest
from certificates import Certificates
from harness import Player, event
from proxy_stage import HEADERS
from secure_scene import closed, listening, received, secured

import uvnet
import uvnet.tls
from uvnet._accept.proxy_protocol import build_header


def test_names_and_replaced_certificates(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        asked: list[str] = []

        def choose(name: str) -> ssl.SSLContext | None:
            asked.append(name)
            return certificates.server(name="client") if name == "chosen.example.org" else None

        async def shown(name: str) -> str | list[str]:
            client = await uvnet.open_connection(
                server.port, "127.0.0.1", tls=True, servername=name, reject_unauthorized=False
            )
            certificate = client.get_peer_certificate(detailed=True)
            client.destroy()
            assert certificate is not None
            return certificate["subject"].get("O", "none")

        options = {"cert": certificates.path("other"), "sni_callback": choose}
        async with listening(certificates, lambda socket: socket.resume(), **options) as server:
            server.on("secureConnection", lambda socket: socket.on("error", lambda _: None))
            server.add_context("*.Example.org", certificates.server(name="expired"))
            assert await shown("localhost") == "none"
            assert await shown("a.example.ORG") == "expired"
            assert await shown("a.b.example.org") == "none"
            assert await shown("chosen.example.org") == "client"
            server.add_context("a.example.org", cert=certificates.path("server"))
            assert await shown("a.example.org") == "server"
            kept = await uvnet.open_connection(server.port, "127.0.0.1", tls=True, reject_unauthorized=False)
            server.set_secure_context(cert=certificates.path("client"))
            assert await shown("localhost") == "client"
            certificate = kept.get_peer_certificate()
            assert certificate is not None and "O" not in certificate["subject"]
            kept.destroy()
            assert asked[0] == "localhost"

    play(scenario)


@pytest.mark.parametrize("answer", [3, RuntimeError("choose")])
def test_a_choice_that_fails(play: Player, certificates: Certificates, answer: Any) -> None:
    def choose(name: str) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def scenario() -> None:
        async with listening(certificates, cert=certificates.path("server"), sni_callback=choose) as server:
            server.on("tlsClientError", lambda error, socket: None)
            with pytest.raises(ssl.SSLError, match="ALERT|alert"):
                await uvnet.open_connection(server.port, "localhost", tls=certificates.client())

    play(scenario)
    play.expect_report(type(answer) if isinstance(answer, Exception) else TypeError)


def test_sockets_are_handed_out_when_they_are_secure(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with listening(certificates) as server:
            silent = plain.create_connection(("127.0.0.1", server.port))
            opening = asyncio.create_task(
                uvnet.open_connection(server.port, "localhost", tls=certificates.client())
            )
            async for socket in server:
                assert socket.get_protocol()
                break
            assert server._what_is_left()[0] == 2
            (await opening).destroy()
            silent.close()

    play(scenario)


def test_the_limit_of_connections_counts_handshakes(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with listening(certificates) as server:
            server.max_connections = 1
            with plain.create_connection(("127.0.0.1", server.port)):
                dropped = asyncio.ensure_future(event(server, "drop"))
                second = uvnet.tls.connect(server.port, "localhost", context=certificates.client())
                second.on("error", lambda _: None)
                (drop,) = await dropped
                assert drop["reason"] == "connection limit"
                await closed(second)

    play(scenario)


def test_shutdown_waits_for_handshakes_and_cuts_them(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with listening(certificates) as server:
            with plain.create_connection(("127.0.0.1", server.port)):
                await event(server, "connection")
                assert (await server.shutdown(0.05)).connections == 1

    play(scenario)


def test_clients_with_certificates(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        asking = {"cert": certificates.path("server"), "ca": certificates.authority, "request_cert": True}
        own = {"ca": certificates.authority, "cert": certificates.path("client")}
        async with secured(certificates, asking, {**own, "context": None}) as (far, near):
            assert far.authorized and near.authorized
            certificate = far.get_peer_certificate()
            assert certificate is not None and certificate["subject"]["O"] == "client"
            assert certificate["subject_alt_name"] == "DNS:localhost, IP Address:127.0.0.1"
        letting = {**asking, "reject_unauthorized": False}
        async with secured(certificates, letting) as (far, _):
            assert (far.authorized, far.authorization_error) == (False, "UNABLE_TO_GET_ISSUER_CERT")
            assert far.get_peer_certificate() is None
        async with listening(certificates, **asking) as server:
            for given in ({}, {"cert": certificates.path("other")}):
                told: Any = asyncio.ensure_future(event(server, "tlsClientError"))
                options: dict[str, Any] = {"ca": certificates.authority, **given}
                client = uvnet.tls.connect(server.port, "localhost", **options)
                client.on("error", lambda _: None)
                client.resume()
                error, _ = await told
                assert error.code in ("ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE", "DEPTH_ZERO_SELF_SIGNED_CERT")
                await closed(client)

    play(scenario)


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_sessions(play: Player, certificates: Certificates, version: str) -> None:
    async def scenario() -> None:
        options = {"cert": certificates.path("server"), "max_version": version}
        async with listening(certificates, lambda socket: socket.end("hello"), **options) as server:
            context = certificates.client()
            first = uvnet.tls.connect(server.port, "localhost", context=context)
            sessions: list[ssl.SSLSession] = []
            first.on("session", sessions.append)
            assert await received(first) == b"hello"
            assert sessions and not first.is_session_reused()
            again = uvnet.tls.TLSSocket(context=context)
            again.set_session(sessions[-1])
            again.connect(server.port, "localhost")
            assert await received(again) == b"hello"
            assert again.is_session_reused() and again.authorized
            with pytest.raises(ValueError, match="another context"):
                uvnet.tls.connect(server.port, "localhost", context=certificates.client(), session=sessions[0])

    play(scenario)


def test_sessions_are_told_without_data(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with secured(certificates) as (_, near):
            near.resume()
            (session,) = await event(near, "session")
            with pytest.raises(ValueError, match="before connect"):
                near.set_session(session)

    play(scenario)


def test_the_certificate_of_a_peer(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with secured(certificates) as (_, near):
            found = near.get_peer_certificate(detailed=True)
            assert found is not None and near.ssl_object is not None
            assert found["raw"] == near.ssl_object.getpeercert(True)
            assert found["subject"] == {"CN": "localhost", "O": "server"} and found["issuer"] == {"CN": "authority"}
            assert len(found["fingerprint256"].split(":")) == 32 and found["valid_to"].endswith("GMT")
            assert int(found["serial_number"], 16)

    play(scenario)


# === Proxies ===


@pytest.mark.parametrize("upstream_tls", [False, True])
@pytest.mark.parametrize("tls", [False, True])
def test_a_proxy(play: Player, certificates: Certificates, tls: bool, upstream_tls: bool) -> None:
    data = bytes(range(256)) * 2000

    async def scenario() -> None:
        def answer(socket: uvnet.Socket) -> None:
            socket.pipe(socket)

        backend: uvnet.Server = uvnet.create_server(answer, allow_half_open=True)
        if upstream_tls:
            backend = uvnet.tls.create_server(answer, context=certificates.server(), allow_half_open=True)
        backend.listen(0)
        proxy = uvnet.create_proxy(
            backend.port,
            tls={"cert": certificates.path("server")} if tls else None,
            upstream_tls={"ca": certificates.authority} if upstream_tls else None,
        ).listen(0)
        assert isinstance(proxy, uvnet.tls.Server) == tls
        client: uvnet.Socket
        if tls:
            client = uvnet.tls.connect(proxy.port, "localhost", context=certificates.client(), allow_half_open=True)
        else:
            client = uvnet.connect(proxy.port, "localhost", allow_half_open=True)
        client.end(data)
        assert await received(client) == data
        await closed(client)
        await proxy.shutdown(1)
        await backend.shutdown(1)

    play(scenario)


def test_headers_stand_in_front_of_tls(play: Player, certificates: Certificates) -> None:
    """Both of the client and to the upstream, as other proxies have them."""

    async def scenario() -> None:
        addresses: list[Any] = []

        def answer(socket: Any) -> None:
            addresses.append((socket.remote_address, socket.remote_port))
            socket.end("hello")

        backend = uvnet.tls.create_server(answer, context=certificates.server(), accept_proxy_protocol=True)
        backend.listen(0)
        proxy = uvnet.create_proxy(
            backend.port,
            accept_proxy_protocol=True,
            send_proxy_protocol=2,
            tls=certificates.server(),
            upstream_tls=certificates.client(),
        ).listen(0)
        plainly = await uvnet.open_connection(proxy.port, "localhost")
        plainly.write(HEADERS["version 1"])
        client = await plainly.start_tls(certificates.client(), server_hostname="localhost")
        assert await received(client) == b"hello"
        assert addresses == [("192.0.2.1", 56324)]
        await proxy.shutdown(1)
        await backend.shutdown(1)

    play(scenario)
    assert build_header(1, None, None)


def test_an_upstream_that_is_not_who_it_should_be(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with listening(certificates, cert=certificates.path("other")) as backend:
            backend.on("tlsClientError", lambda error, socket: None)
            proxy = uvnet.create_proxy(backend.port, upstream_tls={"ca": certificates.authority}).listen(0)
            failed: Any = asyncio.ensure_future(event(proxy, "upstreamError"))
            client = uvnet.connect(proxy.port, "localhost")
            client.on("error", lambda _: None)
            client.write("a secret")
            with pytest.raises(ConnectionResetError):
                await received(client)
            error, _ = await failed
            assert error.code == "DEPTH_ZERO_SELF_SIGNED_CERT"
            await proxy.shutdown(1)

    play(scenario)


def test_self_signed(play: Player) -> None:
    pytest.importorskip("cryptography", reason="cryptography is not installed")

    async def scenario() -> None:
        made = uvnet.tls.self_signed()
        server = uvnet.tls.create_server(lambda socket: socket.end("hello"), cert=made.cert, key=made.key).listen(0)
        for host in ("localhost", "127.0.0.1"):
            client = await uvnet.open_connection(server.port, host, tls=True, ca=made.cert)
            assert await received(client) == b"hello" and client.authorized
        await server.shutdown(1)
        for names, days in ((("",), 1), (("x",), 0), ((3,), 1), (("x",), "1"), (("ü",), 1)):
            with pytest.raises((TypeError, ValueError)):
                uvnet.tls.self_signed(*names, days=days)  # type: ignore[arg-type]

    play(scenario)
