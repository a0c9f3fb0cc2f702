"""Handshakes that fail, that never end, that are cancelled: the client learns why, and the server goes on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest
import tls_peer
from certificates import Certificates
from tls_stage import LOOPS, VERSIONS, Recorder, Reports, in_thread, on_loop, serve, traces


@pytest.fixture(params=VERSIONS.values(), ids=VERSIONS)
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    return request.param  # type: ignore[no-any-return]


def no_shared_cipher(certificates: Certificates) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server, client = (make(VERSIONS["1.2"]) for make in (certificates.server, certificates.client))
    server.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    client.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    return server, client


def trusts_nobody(certificates: Certificates) -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def wants_a_certificate(certificates: Certificates) -> ssl.SSLContext:
    context = certificates.server(VERSIONS["1.2"])
    context.load_verify_locations(certificates.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


# The contexts of the server and of the client, the host that the client asks for, the error that it gets.
REFUSALS: dict[str, tuple[Callable[[Certificates], tuple[Any, Any]], str, type[Exception]]] = {
    "host": (lambda made: (made.server(), made.client()), "example.org", ssl.SSLCertVerificationError),
    "authority": (lambda made: (made.server(), trusts_nobody(made)), "localhost", ssl.SSLCertVerificationError),
    "other": (lambda made: (made.server(name="other"), made.client()), "localhost", ssl.SSLCertVerificationError),
    "expired": (lambda made: (made.server(name="expired"), made.client()), "localhost", ssl.SSLCertVerificationError),
    "cipher": (no_shared_cipher, "localhost", ssl.SSLError),
    "version": (
        lambda made: (made.server(VERSIONS["1.2"]), made.client(VERSIONS["1.3"])), "localhost", ssl.SSLError,
    ),
    "certificate": (lambda made: (wants_a_certificate(made), made.client()), "localhost", ssl.SSLError),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_the_client_learns_why(certificates: Certificates, name: str) -> None:
    make, host, kind = REFUSALS[name]
    contexts = make(certificates)
    async def scenario() -> Any:
        loop = asyncio.get_running_loop()
        protocols: list[Recorder] = []

        def factory() -> Recorder:
            protocols.append(Recorder())
            return protocols[-1]

        server, port = await serve(contexts[0], factory)
        found = []
        for _ in range(2):
            with pytest.raises(kind) as caught:
                await loop.create_connection(
                    factory, "127.0.0.1", port, ssl=contexts[1], server_hostname=host
                )
            error: Any = caught.value
            found.append((type(error).__name__, error.reason))
        # It goes on to serve.
        good = certificates.client()
        good.load_cert_chain(certificates.path("client"))
        if name in ("host", "authority", "version", "certificate"):
            transport, protocol = await loop.create_connection(
                Recorder, "127.0.0.1", port, ssl=good, server_hostname="localhost"
            )
            transport.close()
            await protocol.lost
        server.close()
        server_traces = [protocol.trace for protocol in protocols]
        return found, server_traces[:2]

    if name in ("cipher", "version", "certificate"):
        # asyncio's server sends no alert: its clients see the end alone.
        assert on_loop(scenario)[1] == [[], []]
        return
    ours, theirs = traces(scenario)
    assert ours == theirs
    assert ours[1] == [[], []]


@pytest.mark.parametrize("side", ["server", "client"])
def test_a_peer_that_never_speaks(certificates: Certificates, side: str) -> None:
    """Its time for the handshake is up: nothing but that ends it."""

    async def scenario() -> Any:
        loop = asyncio.get_running_loop()
        if side == "client":
            listening, port = tls_peer.pair_socket()
            with listening:
                with pytest.raises(ConnectionAbortedError, match="SSL handshake is taking longer than 0.05 seconds"):
                    await loop.create_connection(
                        Recorder, "localhost", port, ssl=certificates.client(), ssl_handshake_timeout=0.05
                    )
            return None
        protocols: list[Recorder] = []

        def factory() -> Recorder:
            protocols.append(Recorder())
            return protocols[-1]

        server, port = await serve(certificates.server(), factory, ssl_handshake_timeout=0.05)
        with socket.create_connection(("127.0.0.1", port)) as silent:
            silent.settimeout(20)
            assert await in_thread(silent.recv, 1) == b""
        server.close()
        await server.wait_closed()
        return [protocol.trace for protocol in protocols]

    ours, theirs = traces(scenario)
    assert ours == theirs


GARBAGE = {"text": b"GET / HTTP/1.1\r\n\r\n" * 10, "zeros": bytes(5000), "almost": b"\x16\x03\x01\x00\x05hello"}


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("side", ["server", "client"])
def test_garbage_instead_of_a_handshake(certificates: Certificates, side: str, garbage: str) -> None:
    async def scenario() -> Any:
        loop = asyncio.get_running_loop()
        if side == "client":
            listening, port = tls_peer.pair_socket()

            def talk() -> None:
                accepted, _ = listening.accept()
                with accepted:
                    accepted.sendall(GARBAGE[garbage])
                    with contextlib.suppress(ConnectionError):
                        while accepted.recv(1000):
                            pass

            with listening:
                talking = asyncio.ensure_future(in_thread(talk))
                with pytest.raises(ssl.SSLError):
                    await loop.create_connection(Recorder, "localhost", port, ssl=certificates.client())
                await talking
            return None
        server, port = await serve(certificates.server(), Recorder)
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.settimeout(20)
            peer.sendall(GARBAGE[garbage])
            with contextlib.suppress(ConnectionError):
                while await in_thread(peer.recv, 1000):
                    pass
        # It goes on to serve.
        transport, protocol = await loop.create_connection(
            Recorder, "localhost", port, ssl=certificates.client()
        )
        transport.close()
        await protocol.lost
        server.close()
        return None

    on_loop(scenario)


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("side", ["server", "client"])
@pytest.mark.parametrize("count", [0, 1, 100])
def test_a_peer_that_goes_during_the_handshake(
    certificates: Certificates, side: str, how: str, count: int
) -> None:
    hello = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        certificates.client().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost").do_handshake()
    first = hello.read()

    def leave(sock: socket.socket) -> None:
        with contextlib.suppress(ConnectionError):
            sock.sendall(first[:count])
        if how == "reset":
            tls_peer.reset(sock)
        else:
            sock.close()

    async def scenario() -> Any:
        loop = asyncio.get_running_loop()
        if side == "client":
            listening, port = tls_peer.pair_socket()

            def talk() -> None:
                accepted, _ = listening.accept()
                if how == "close":
                    accepted.recv(100_000)
                leave(accepted)

            with listening:
                talking = asyncio.ensure_future(in_thread(talk))
                # A client's hello is no answer to one; and a reset may come before the client knows of its connection.
                with pytest.raises(OSError):
                    await loop.create_connection(Recorder, "localhost", port, ssl=certificates.client())
                await talking
            return None
        protocols: list[Recorder] = []

        def factory() -> Recorder:
            protocols.append(Recorder())
            return protocols[-1]

        server, port = await serve(certificates.server(), factory)
        leave(socket.create_connection(("127.0.0.1", port)))
        transport, protocol = await loop.create_connection(
            Recorder, "localhost", port, ssl=certificates.client()
        )
        transport.close()
        await protocol.lost
        await protocols[-1].lost
        server.close()
        return [protocol.trace for protocol in protocols[:-1]]

    assert on_loop(scenario) in (None, [[]])


@pytest.mark.parametrize("loop", LOOPS)
def test_a_connection_that_is_cancelled_during_its_handshake(certificates: Certificates, loop: str) -> None:
    protocols: list[Recorder] = []

    async def scenario() -> None:
        listening, port = tls_peer.pair_socket()

        def factory() -> Recorder:
            protocols.append(Recorder())
            return protocols[-1]

        with listening:
            connecting = asyncio.ensure_future(
                asyncio.get_running_loop().create_connection(
                    factory, "localhost", port, ssl=certificates.client()
                )
            )
            accepted, _ = await in_thread(listening.accept)
            with accepted:
                assert await in_thread(accepted.recv, 1)
                connecting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await connecting
                accepted.settimeout(20)
                while await in_thread(accepted.recv, 10_000):
                    pass
        assert [protocol.trace for protocol in protocols] == [[]]

    on_loop(scenario, LOOPS[loop])


def test_a_server_that_closes_during_handshakes(certificates: Certificates) -> None:
    async def scenario() -> None:
        protocols: list[Recorder] = []

        def factory() -> Recorder:
            protocols.append(Recorder())
            return protocols[-1]

        server, port = await serve(certificates.server(), factory)
        with socket.create_connection(("127.0.0.1", port)) as first, socket.create_connection(
            ("127.0.0.1", port)
        ) as second:
            while len(protocols) < 2:
                await asyncio.sleep(0)
            server.close()
            server.close_clients()
            for sock in (first, second):
                sock.settimeout(20)
                assert await in_thread(sock.recv, 1) == b""
            await server.wait_closed()
        assert [protocol.trace for protocol in protocols] == [[], []]

    on_loop(scenario)


@pytest.mark.parametrize("method", ["close", "abort"])
def test_connection_made_closes(certificates: Certificates, method: str) -> None:
    async def scenario() -> Any:
        loop = asyncio.get_running_loop()
        server, port = await serve(certificates.server(VERSIONS["1.2"]), Recorder)
        transport, protocol = await loop.create_connection(
            lambda: Recorder(made=lambda each: getattr(each.transport, method)()),
            "localhost", port, ssl=certificates.client(),
        )  # fmt: skip
        await protocol.lost
        server.close()
        return [each for each in protocol.trace if each != "eof"], transport.is_closing()

    ours, theirs = traces(scenario)
    assert ours == theirs == (["made", ("lost", None)], True)


@pytest.mark.parametrize("side", ["server", "client"])
def test_connection_made_raises(certificates: Certificates, side: str) -> None:
    reports: Reports = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        protocols: list[Recorder] = []

        def factory() -> Recorder:
            protocols.append(Recorder(made=lambda _: 1 // 0))
            return protocols[-1]

        server, port = await serve(certificates.server(), factory if side == "server" else Recorder)
        with contextlib.suppress(OSError, ZeroDivisionError):
            _, protocol = await loop.create_connection(
                factory if side == "client" else Recorder, "localhost", port, ssl=certificates.client()
            )
            await protocol.lost
        while not protocols:
            await asyncio.sleep(0)
        await protocols[0].lost
        assert protocols[0].trace == ["made", ("lost", "ZeroDivisionError")]
        server.close()

    on_loop(scenario, reports=reports)
    assert [type(report["exception"]) for report in reports] == [ZeroDivisionError]


def test_mistaken_options(certificates: Certificates) -> None:
    async def scenario() -> Any:
        loop = asyncio.get_running_loop()
        context = certificates.client()
        attempts: list[Callable[[], Any]] = [
            lambda: loop.create_connection(Recorder, "localhost", 1, server_hostname="localhost"),
            lambda: loop.create_connection(Recorder, "localhost", 1, ssl_handshake_timeout=1),
            lambda: loop.create_server(Recorder, "localhost", 0, ssl=True),  # type: ignore[arg-type]
            lambda: loop.create_server(Recorder, "localhost", 0, ssl_handshake_timeout=1),
            lambda: loop.create_unix_connection(Recorder, "/nowhere", ssl=context),
            lambda: loop.create_unix_connection(Recorder, "/nowhere", server_hostname="localhost"),
            lambda: loop.start_tls(None, None, None),  # type: ignore[arg-type]
        ]
        kinds = []
        for attempt in attempts:
            with pytest.raises((TypeError, ValueError)) as caught:
                await attempt()
            kinds.append(type(caught.value))
        return kinds

    ours, theirs = traces(scenario)
    assert ours == theirs


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize("option", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_times_are_positive(certificates: Certificates, option: str, value: int) -> None:
    async def scenario() -> None:
        with pytest.raises(ValueError, match="positive"):
            await serve(certificates.server(), Recorder, **{option: value})

    on_loop(scenario)


def test_names_that_clients_ask_for(certificates: Certificates) -> None:
    """A server's context may be exchanged for another by the name."""
    asked: list[Any] = []

    async def scenario() -> Any:
        loop = asyncio.get_running_loop()
        first, second = certificates.server(name="other"), certificates.server()

        def choose(tls: Any, name: Any, _context: Any) -> None:
            asked.append(name)
            tls.context = second

        first.sni_callback = choose
        first.set_alpn_protocols(["h2", "http/1.1"])
        second.set_alpn_protocols(["h2", "http/1.1"])
        client = certificates.client()
        client.set_alpn_protocols(["http/1.1"])
        server, port = await serve(first, Recorder)
        transport, protocol = await loop.create_connection(Recorder, "localhost", port, ssl=client)
        chosen = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        transport.close()
        await protocol.lost
        server.close()
        return chosen

    assert traces(scenario) == ("http/1.1", "http/1.1")
    assert asked == ["localhost"] * 2
