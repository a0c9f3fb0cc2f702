"""Datagrams that nobody should send: no crash, no memory kept, no more than three times their bytes in answers.

UVNET_QUIC_DATAGRAMS in the environment has more of them sent than the 4,000 of every day.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import socket as plain
import sys
from collections.abc import Callable
from typing import Any

import pytest
from certificates import Certificates
from harness import Player
from quic_pair import client_options, gone, quic_server

from uvnet import create_quic_socket

COUNT = int(os.environ.get("UVNET_QUIC_DATAGRAMS", "4000"))
PATIENCE = 60 + COUNT // 100  # seconds
HANDSHAKES = 40
SENDERS = 40
# Linux has all of 127.0.0.0/8 on its loopback interface.
HOSTS = [f"127.0.9.{number}" for number in range(1, SENDERS + 1)] if sys.platform == "linux" else ["127.0.0.1"] * SENDERS


async def first_datagrams(certificates: Certificates) -> list[bytes]:
    """What real clients begin with."""
    loop = asyncio.get_running_loop()
    found: list[bytes] = []
    with plain.socket(plain.AF_INET, plain.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        nobody.setblocking(False)
        client = create_quic_socket(endpoint={"address": "127.0.0.1"})
        for _ in range(HANDSHAKES):
            session = await client.connect(
                alpn="test", address="127.0.0.1", port=nobody.getsockname()[1], servername="localhost",
                ca=str(certificates.authority),
            )  # fmt: skip
            found.append(await asyncio.wait_for(loop.sock_recv(nobody, 65536), 10))
            session.destroy()
        await gone(client)
    # Among them is what ended the one before.
    return [data for data in found if data[0] & 0xC0 == 0xC0 and len(data) >= 1200]


def mutations(choice: random.Random, handshakes: list[bytes]) -> list[Callable[[], bytes]]:
    def handshake() -> bytearray:
        return bytearray(choice.choice(handshakes))

    def damaged() -> bytes:
        data = handshake()
        for _ in range(choice.randint(1, 20)):
            data[choice.randrange(min(60, len(data)) if choice.random() < 0.7 else len(data))] = choice.randrange(256)
        return bytes(data)

    def of_another_length() -> bytes:
        data = handshake()
        return bytes(data[: choice.randrange(len(data))] if choice.random() < 0.7 else data * choice.randint(2, 30))

    def of_another_version() -> bytes:
        data = handshake()
        data[1:5] = choice.choice((bytes(4), b"\xfa\xfa\xfa\xfa", b"\x6b\x33\x43\xcf", choice.randbytes(4)))
        return bytes(data[: choice.choice((len(data), 1199, 30))])

    def with_other_ids() -> bytes:
        data = handshake()
        data[5] = choice.randrange(256)
        return bytes(data)

    def for_nobody() -> bytes:
        return bytes([0x40 | choice.randrange(64)]) + choice.randbytes(choice.choice((0, 1, 8, 20, 40, 100, 1200)))

    def noise() -> bytes:
        return choice.randbytes(choice.choice((0, 1, 5, 7, 50, 1200, 3000, 60_000)))

    def of_another_kind() -> bytes:
        data = handshake()
        data[0] = choice.randrange(256)
        return bytes(data)

    def as_it_was() -> bytes:
        return bytes(handshake())

    return [
        damaged, of_another_length, of_another_version, with_other_ids, for_nobody, noise, of_another_kind, as_it_was,
    ]  # fmt: skip


@pytest.mark.timeout(PATIENCE + 30)
@pytest.mark.parametrize("validate", [False, True], ids=["", "retry"])
def test_they_do_no_harm(play: Player, certificates: Certificates, validate: bool) -> None:
    choice = random.Random(5)

    async def scenario() -> None:
        handshakes = await first_datagrams(certificates)
        assert len(handshakes) > HANDSHAKES // 2
        kinds = mutations(choice, handshakes)
        options = {"validate_address": validate, "max_connections": 50}
        async with quic_server(certificates, options, idle_timeout=1) as server:
            sessions: list[Any] = []
            server.on("session", sessions.append)
            address = server.endpoints[0].address
            assert address is not None
            target = ("127.0.0.1", address.port)
            senders = [plain.socket(plain.AF_INET, plain.SOCK_DGRAM) for _ in range(SENDERS)]
            sent, drawn = [0] * SENDERS, [0] * SENDERS

            def take_answers() -> None:
                for index, sender in enumerate(senders):
                    try:
                        while True:
                            drawn[index] += len(sender.recv(65536))
                    except BlockingIOError:
                        pass

            try:
                for host, sender in zip(HOSTS, senders, strict=True):
                    sender.bind((host, 0))
                    sender.setblocking(False)
                before = 0
                for number in range(COUNT):
                    index = choice.randrange(SENDERS)
                    data = choice.choice(kinds)()
                    senders[index].sendto(data, target)
                    sent[index] += len(data)
                    if number % 20 == 0:
                        await asyncio.sleep(0)
                        take_answers()
                    if number == COUNT // 2:
                        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                    open_sessions = [session for session in sessions if not session.destroyed]
                    assert len(open_sessions) <= 50
                    sessions[:] = open_sessions
                after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                # It still serves, once those who said no more have gone.
                while any(not session.destroyed for session in sessions):
                    await asyncio.sleep(0.05)
                take_answers()
                for index in range(SENDERS):
                    assert drawn[index] <= 3 * sent[index], HOSTS[index]
                assert sum(drawn) > 0
                assert after - before < 32768, "KiB"
                server.on("session", lambda session: session.on("stream", lambda stream: stream.pipe(stream)))
                client = create_quic_socket(endpoint={"address": "127.0.0.1"})
                session = await client.connect(client_options(certificates, server))
                stream = await session.open_stream()
                stream.end(b"still there")
                assert await stream.read_all(100) == b"still there"
                await gone(client)
            finally:
                for sender in senders:
                    sender.close()

    play(scenario, timeout=PATIENCE)
