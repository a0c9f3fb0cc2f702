"""quic-go (Debian: golang-go, golang-github-lucas-clemente-quic-go-dev): theirs as client, then as server.

Its servers do not follow a client to another address, and its clients neither move nor update keys when told to; that
is tried with ngtcp2.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates
from free_ports import free_port
from harness import Player
from quic_pair import ALPN, gone, quic_server, upcoming, within
from quic_peers import BODY, program
from waiting import until

from uvnet import create_quic_socket

LIBRARIES = Path("/usr/share/gocode")
SOURCE = Path(__file__).with_name("quic_go.go")


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = shutil.which("go")
    if go is None or not (LIBRARIES / "src/github.com/lucas-clemente/quic-go").exists():
        pytest.skip("golang-go or golang-github-lucas-clemente-quic-go-dev (Debian packages) is not installed")
    built = tmp_path_factory.mktemp("quic-go") / "quic_go"
    made = subprocess.run(
        [go, "build", "-o", str(built), str(SOURCE)],
        env={**os.environ, "GO111MODULE": "off", "GOPATH": str(LIBRARIES), "HOME": os.environ.get("HOME", "/root")},
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return built


def echo(session: Any) -> None:
    session.on("stream", lambda stream: stream.pipe(stream))


def serving(certificates: Certificates, options: dict[str, Any] | None = None, **listen: Any) -> Any:
    return quic_server(certificates, options, **listen)


@pytest.mark.parametrize("validate", [False, True], ids=["", "retry"])
def test_their_client(play: Player, certificates: Certificates, peer: Path, validate: bool) -> None:
    async def scenario() -> None:
        async with serving(certificates, {"validate_address": validate}) as server:
            sessions: list[Any] = []
            server.on("session", lambda session: (sessions.append(session), echo(session)))
            port = server.endpoints[0].address.port
            async with program(peer, "client", port, certificates.authority, "echo") as running:
                assert await running.ended() == 0, running.said.decode()
            await until(lambda: sessions[0].destroyed)
            assert sessions[0].close_code["code"] == 5 and sessions[0].close_code["family"] == 2

    play(scenario, timeout=60)


def test_their_client_resumes(play: Player, certificates: Certificates, peer: Path) -> None:
    async def scenario() -> None:
        async with serving(certificates) as server:
            server.on("session", echo)
            port = server.endpoints[0].address.port
            async with program(peer, "client", port, certificates.authority, "resume") as running:
                assert await running.ended() == 0, running.said.decode()
            assert b"early data: true resumed: true" in running.said

    play(scenario, timeout=60)


def test_their_client_hears_a_code(play: Player, certificates: Certificates, peer: Path) -> None:
    async def scenario() -> None:
        async with serving(certificates) as server:
            sessions: list[Any] = []
            server.on("session", lambda session: (sessions.append(session), echo(session)))
            port = server.endpoints[0].address.port
            async with program(peer, "client", port, certificates.authority, "closed") as running:
                await running.says("waiting")
                sessions[0].destroy(code=88)
                assert await running.ended() == 0
            assert b"code: 88" in running.said

    play(scenario, timeout=60)


def test_their_client_is_quiet(play: Player, certificates: Certificates, peer: Path) -> None:
    async def scenario() -> None:
        async with serving(certificates) as server:
            sessions: list[Any] = []
            server.on("session", lambda session: (sessions.append(session), echo(session)))
            port = server.endpoints[0].address.port
            async with program(peer, "client", port, certificates.authority, "idle") as running:
                await running.says("waiting")
                await within(upcoming(sessions[0], "close"))
                assert sessions[0].idle_timeout
                assert await running.ended() == 0
            assert b"idle" in running.said

    play(scenario, timeout=60)


def test_their_client_is_told_that_nobody_knows_it(play: Player, certificates: Certificates, peer: Path) -> None:
    """A server that has come back with the same secret resets the sessions of the one before."""

    async def scenario() -> None:
        port = free_port()
        options = {
            "stateless_reset_secret": bytes(range(16)), "max_stateless_resets_per_host": 100,
            "endpoint": {"address": "127.0.0.1", "port": port},
        }  # fmt: skip
        first = serving(certificates, options)
        server = await first.__aenter__()
        server.on("session", echo)
        async with program(peer, "client", port, certificates.authority, "reset") as running:
            await running.says("waiting")
            # It ends as a process does: without a word.
            server.set_diagnostic_packet_loss(tx=1.0)
            await gone(server)
            async with serving(certificates, options) as other:
                assert await running.ended() == 0
                assert b"reset" in running.said, running.said.decode()
                assert other.stateless_reset_count > 0

    with pytest.warns(Warning):
        play(scenario, timeout=60)


class Theirs:
    """Their server, and how ours reaches it."""

    def __init__(self, peer: Path, certificates: Certificates, *options: str) -> None:
        self.port = free_port()
        self.command = (peer, "server", self.port, certificates.path("server"), *options)
        self.options = {
            "alpn": ALPN, "address": "127.0.0.1", "port": self.port, "servername": "localhost",
            "ca": str(certificates.authority),
        }  # fmt: skip


async def ask(session: Any) -> None:
    stream = await within(session.open_stream())
    stream.end(BODY)
    assert await within(stream.read_all(len(BODY))) == BODY


@pytest.mark.parametrize("options", [[], ["retry"]], ids=["", "retry"])
def test_their_server(play: Player, certificates: Certificates, peer: Path, options: list[str]) -> None:
    """An echo, keys changed, a session resumed with data that goes at once, and a code that it closes with."""
    theirs = Theirs(peer, certificates, *options)

    async def scenario() -> None:
        async with program(*theirs.command) as running:
            await running.says("listening")
            client = create_quic_socket(endpoint={"address": "127.0.0.1"})
            session = await within(client.connect(theirs.options))
            tickets: list[Any] = []
            session.on("sessionTicket", lambda *ticket: tickets.append(ticket))
            await ask(session)
            assert session.update_key()
            await ask(session)
            assert session.key_update_count == 1
            await until(lambda: tickets)
            ticket, parameters = tickets[0]
            resumed = await within(
                client.connect(theirs.options, session_ticket=ticket, remote_transport_params=parameters)
            )
            await ask(resumed)
            assert resumed.using_early_data
            stream = await within(session.open_stream())
            closed = upcoming(session, "close")
            stream.on("error", lambda _: None)
            stream.end(b"close")
            await within(closed)
            assert session.close_code["code"] == 77 and session.close_code["family"] == 2
            await gone(client)

    play(scenario, timeout=60)


def test_their_server_comes_back_and_knows_nobody(play: Player, certificates: Certificates, peer: Path) -> None:
    theirs = Theirs(peer, certificates)

    async def scenario() -> None:
        client = create_quic_socket(endpoint={"address": "127.0.0.1"})
        async with program(*theirs.command) as running:
            await running.says("listening")
            session = await within(client.connect(theirs.options))
            await ask(session)
            stream = await within(session.open_stream())
            stream.on("error", lambda _: None)
        closed = upcoming(session, "close")
        async with program(*theirs.command) as running:
            await running.says("listening")
            while not closed.done():
                # To less it does not answer.
                stream.write(bytes(100))
                await asyncio.sleep(0.02)
            assert session.stateless_reset
        await gone(client)

    play(scenario, timeout=60)


def test_their_server_is_quiet(play: Player, certificates: Certificates, peer: Path) -> None:
    theirs = Theirs(peer, certificates, "idle")

    async def scenario() -> None:
        async with program(*theirs.command) as running:
            await running.says("listening")
            client = create_quic_socket(endpoint={"address": "127.0.0.1"})
            session = await within(client.connect(theirs.options))
            await ask(session)
            await within(upcoming(session, "close"))
            assert session.idle_timeout
            await gone(client)

    play(scenario, timeout=60)
