"""Peers of a TLS server that mean no good, many at once: they are gone when their time is over, and leave nothing.

Nothing is left of them in the server's count of connections or of what the server can do afterwards; they are counted
as dropped, and the log has a line a second at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import tls_peer
from certificates import Certificates
from tls_stage import VERSIONS, Recorder, Reports, all_gone, in_thread, on_loop, recorded, serve

COUNT = 20
HANDSHAKE, SHUTDOWN = 1, 0.1  # seconds: the server's time limits; who means well is faster on any machine
RESET = (ConnectionError, BrokenPipeError)


def hello(certificates: Certificates) -> bytes:
    """A client's first message."""
    sent = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        certificates.client().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost").do_handshake()
    return sent.read()


def read_to_the_end(raw: socket.socket) -> None:
    with contextlib.suppress(*RESET):
        while raw.recv(65536):
            pass


class Attack:
    """What each peer does, in a thread of its own; it must find out that the server has closed."""

    def __init__(self, certificates: Certificates, version: ssl.TLSVersion, port: int) -> None:
        self.certificates = certificates
        self.version = version
        self.port = port
        self.over = threading.Event()

    def plain(self) -> socket.socket:
        raw = socket.create_connection(("127.0.0.1", self.port))
        raw.settimeout(tls_peer.LIMIT)
        return raw

    def secure(self) -> tls_peer.Peer:
        return tls_peer.connected(self.port, self.certificates.client(self.version))

    # Before the end of the handshake.

    def silence(self) -> None:
        with self.plain() as raw:
            read_to_the_end(raw)

    def half_a_hello(self) -> None:
        with self.plain() as raw:
            raw.sendall(hello(self.certificates)[:100])
            read_to_the_end(raw)

    def a_hello_and_no_more(self) -> None:
        with self.plain() as raw:
            raw.sendall(hello(self.certificates))
            read_to_the_end(raw)

    def a_hello_that_drips(self) -> None:
        """Something is always coming."""
        with self.plain() as raw, contextlib.suppress(*RESET):
            raw.sendall(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03")
            raw.settimeout(0.01)
            for _ in range(16000):
                raw.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    if not raw.recv(1):
                        return
            raise AssertionError("it takes everything")

    def garbage(self) -> None:
        with self.plain() as raw:
            with contextlib.suppress(*RESET):
                raw.sendall(b"GET / HTTP/1.1\r\n\r\n" * 1000)
            read_to_the_end(raw)

    def a_record_of_any_length(self) -> None:
        with self.plain() as raw:
            raw.sendall(b"\x16\x03\x01\xff\xff" + bytes(100))
            read_to_the_end(raw)

    # After it.

    def garbage_afterwards(self) -> None:
        with self.secure() as peer:
            with contextlib.suppress(*RESET):
                peer.raw.sendall(b"garbage " * 1000)
            read_to_the_end(peer.raw)

    def a_changed_record(self) -> None:
        with self.secure() as peer:
            record = bytearray(peer.records(b"x" * 100))
            record[50] ^= 1
            peer.raw.sendall(record)
            read_to_the_end(peer.raw)

    def an_end_in_a_record(self) -> None:
        with self.secure() as peer:
            peer.raw.sendall(peer.records(bytes(1000))[:500])

    def a_reset_in_a_record(self) -> None:
        with self.secure() as peer:
            peer.raw.sendall(peer.records(bytes(1000))[:500])
            tls_peer.reset(peer.raw)

    # When the server closes.

    def no_goodbye(self) -> None:
        with self.secure() as peer:
            peer.send(b"close")
            read_to_the_end(peer.raw)

    def no_reading(self) -> None:
        """... of more than the system buffers."""
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            raw.connect(("127.0.0.1", self.port))
            peer = tls_peer.Peer(raw, self.certificates.client(self.version)).shake_hands()
            peer.send(b"large")
            self.over.wait(tls_peer.LIMIT)

    def data_for_ever(self) -> None:
        with self.secure() as peer, contextlib.suppress(*RESET):
            peer.send(b"close")
            while True:
                peer.send(bytes(1000))


BEFORE = [
    Attack.silence,
    Attack.half_a_hello,
    Attack.a_hello_and_no_more,
    Attack.a_hello_that_drips,
    Attack.garbage,
    Attack.a_record_of_any_length,
]
AFTER = [
    Attack.garbage_afterwards,
    Attack.a_changed_record,
    Attack.an_end_in_a_record,
    Attack.a_reset_in_a_record,
    Attack.no_goodbye,
    Attack.no_reading,
    Attack.data_for_ever,
]
CASES = [(act, "1.3") for act in BEFORE] + [(act, version) for act in AFTER for version in VERSIONS]


async def served(server: Any, certificates: Certificates, port: int) -> None:
    """A client that means well."""
    transport, protocol = await asyncio.get_running_loop().create_connection(
        Recorder, "127.0.0.1", port, ssl=certificates.client(), server_hostname="localhost"
    )
    transport.write(b"hello")
    await protocol.until(5)
    transport.close()
    assert await protocol.lost is None
    await all_gone(server)


@pytest.mark.parametrize(("act", "version"), CASES, ids=[f"{act.__name__}-{version}" for act, version in CASES])
def test_hostile_peers(
    certificates: Certificates, version: str, act: Callable[[Attack], None], caplog: pytest.LogCaptureFixture
) -> None:
    reports: Reports = []
    drops: list[dict[str, Any]] = []

    def answer(protocol: Recorder) -> None:
        if protocol.data.startswith((b"close", b"large")):
            if protocol.data.startswith(b"large"):
                protocol.transport.write(bytes(6_000_000))
            protocol.transport.close()
        else:
            protocol.transport.write(bytes(protocol.data))

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(pool)
        protocols: list[Recorder] = []
        server, port = await serve(
            certificates.server(), recorded(protocols, data=answer),
            on_drop=drops.append, ssl_handshake_timeout=HANDSHAKE if act in BEFORE else 10, ssl_shutdown_timeout=SHUTDOWN,
        )  # fmt: skip
        attack = Attack(certificates, VERSIONS[version], port)
        peers = [asyncio.ensure_future(in_thread(act, attack)) for _ in range(COUNT)]
        while len(protocols) < COUNT:
            await asyncio.sleep(0.001)
        await all_gone(server)
        attack.over.set()
        await asyncio.gather(*peers)
        await served(server, certificates, port)
        del protocols[-1]
        for protocol in protocols:
            # Who has heard of a connection hears of its end.
            assert (protocol.trace[:1], protocol.lost.done()) == (([], False) if act in BEFORE else (["made"], True))
        # What ends without close_notify is an end, and a reset is none of TLS.
        peaceful = act in (Attack.an_end_in_a_record, Attack.a_reset_in_a_record)
        assert server.dropped == {**dict.fromkeys(server.dropped, 0), "tls": 0 if peaceful else COUNT}
        assert len(drops) == server.dropped["tls"]
        assert {(drop["reason"], drop["remote_address"]) for drop in drops} <= {("tls", "127.0.0.1")}
        server.close()

    began = time.monotonic()
    with ThreadPoolExecutor(COUNT) as pool, caplog.at_level(logging.INFO):
        on_loop(scenario, reports=reports)
    assert reports == []
    assert {record.name for record in caplog.records} <= {"uvnet"}
    assert min(1, len(drops)) <= len(caplog.records) <= time.monotonic() - began + 1
