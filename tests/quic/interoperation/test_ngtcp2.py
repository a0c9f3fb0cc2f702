"""ngtcp2's programs (Debian: ngtcp2-client, ngtcp2-server), which speak HTTP/3: theirs as client, then as server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates
from free_ports import free_port
from harness import Player
from quic_pair import gone, quic_server, upcoming, within
from quic_peers import BODY, needs, program, serve_requests
from waiting import until

from uvnet import create_quic_socket

H3 = {"alpn": "h3"}


async def ask(
    server: Any, directory: Path, *options: str, data: bytes | None = BODY, path: str = "echo"
) -> tuple[bytes, Any, str]:
    """What their client gets, the session that it had with us, and what it has said."""
    sessions: list[Any] = []
    server.on("session", lambda session: (sessions.append(session), serve_requests(session)))
    port = server.endpoints[0].address.port
    sent = ()
    if data is not None:
        (directory / "sent").write_bytes(data)
        sent = ("-m", "POST", "-d", str(directory / "sent"))
    client = needs("gtlsclient", "ngtcp2-client")
    async with program(
        client, "--no-quic-dump", "--no-http-dump", "--exit-on-all-streams-close", "--download", directory, *sent,
        *options, "127.0.0.1", port, f"https://localhost:{port}/{path}",
    ) as running:  # fmt: skip
        assert await running.ended() == 0, running.said.decode()[-3000:]
        said = running.said.decode(errors="replace")
    server.remove_all_listeners("session")
    await until(lambda: sessions and sessions[-1].destroyed)
    return (directory / path).read_bytes(), sessions[-1], said


def test_their_client(play: Player, certificates: Certificates, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quic_server(certificates, **H3) as server:
            received, session, _ = await ask(server, tmp_path)
            assert received == BODY
            # H3_NO_ERROR of the application.
            assert session.close_code["family"] == 2 and session.close_code["code"] == 0x100
            assert session.alpn_protocol == "h3" and session.servername == "localhost"

    play(scenario, timeout=60)


def test_their_client_is_sent_a_retry(play: Player, certificates: Certificates, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quic_server(certificates, {"validate_address": True}, **H3) as server:
            received, _, said = await ask(server, tmp_path)
            assert received == BODY and "type=Retry" in said

    play(scenario, timeout=60)


def test_their_client_updates_keys(play: Player, certificates: Certificates, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quic_server(certificates, **H3) as server:
            received, session, _ = await ask(server, tmp_path, "--key-update=10ms", "--delay-stream=200ms")
            assert received == BODY
            assert session.key_update_count == 1

    play(scenario, timeout=60)


@pytest.mark.parametrize("options", [[], ["--nat-rebinding"]], ids=["migration", "rebinding"])
def test_their_client_changes_its_address(
    play: Player, certificates: Certificates, tmp_path: Path, options: list[str]
) -> None:
    async def scenario() -> None:
        async with quic_server(certificates, **H3) as server:
            told: list[Any] = []
            server.on("session", lambda session: session.on("pathValidation", lambda *what: told.append(what[0])))
            received, _, _ = await ask(server, tmp_path, "--change-local-addr=10ms", "--delay-stream=200ms", *options)
            assert received == BODY
            assert told == ["success"]

    play(scenario, timeout=60)


def test_their_client_resumes_and_sends_at_once(play: Player, certificates: Certificates, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quic_server(certificates, **H3) as server:
            kept = (f"--session-file={tmp_path / 'session'}", f"--tp-file={tmp_path / 'parameters'}")
            received, session, _ = await ask(server, tmp_path, *kept, data=None, path="1000")
            assert received == BODY[:1000] and (tmp_path / "session").exists()
            received, session, said = await ask(server, tmp_path, *kept, data=None, path="2000")
            assert received == BODY[:2000]
            assert "0RTT" in said
            assert session.using_early_data

    play(scenario, timeout=60)


def test_their_client_asks_for_another_version(play: Player, certificates: Certificates, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quic_server(certificates, **H3) as server:
            options = ("--version=0x1a2a3a4a", "--preferred-versions=v1")
            received, _, said = await ask(server, tmp_path, *options)
            assert received == BODY and "type=VN" in said

    play(scenario, timeout=60)


def test_their_client_says_nothing_any_more(play: Player, certificates: Certificates, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with quic_server(certificates, **H3) as server:
            sessions: list[Any] = []
            server.on("session", sessions.append)
            port = server.endpoints[0].address.port  # type: ignore[union-attr]
            client = needs("gtlsclient", "ngtcp2-client")
            async with program(client, "-q", "--timeout=700ms", "127.0.0.1", port) as running:
                await until(lambda: sessions and sessions[0].handshake_complete)
                await within(upcoming(sessions[0], "close"))
                assert sessions[0].idle_timeout
                await running.ended()

    play(scenario, timeout=60)


class Theirs:
    """Their server, and a socket of ours to ask it."""

    def __init__(self, certificates: Certificates, directory: Path, *options: str) -> None:
        self.port = free_port()
        (directory / "file").write_bytes(BODY)
        path = certificates.path("server")
        self.command = (
            needs("gtlsserver", "ngtcp2-server"), "--no-http-dump", "--no-quic-dump", "-d", directory, *options,
            "127.0.0.1", self.port, path, path,
        )  # fmt: skip
        self.options = {
            "alpn": "h3", "address": "127.0.0.1", "port": self.port, "servername": "localhost",
            "ca": str(certificates.authority),
        }  # fmt: skip

    async def get(self, session: Any) -> bytes:
        stream = await within(session.open_stream())
        headers = upcoming(stream, "initialHeaders")
        authority = f"localhost:{self.port}"
        stream.submit_initial_headers(
            {":method": "GET", ":scheme": "https", ":authority": authority, ":path": "/file"}, terminal=True
        )
        assert dict((await within(headers))[0])[":status"] == "200"
        return bytes(await within(stream.read_all(len(BODY))))


async def connected(client: Any, theirs: Theirs, tickets: list[Any]) -> Any:
    """A session whose handshake is over; their server is there a moment after it was started."""
    session = await within(client.connect(theirs.options))
    session.on("sessionTicket", lambda *ticket: tickets.append(ticket))
    if not session.handshake_complete:
        await within(upcoming(session, "secure"))
    return session


@pytest.mark.parametrize("options", [[], ["--validate-addr"]], ids=["", "retry"])
def test_their_server(play: Player, certificates: Certificates, tmp_path: Path, options: list[str]) -> None:
    """A file, keys changed, at another address of ours, resumed with a request that goes at once, closed."""
    theirs = Theirs(certificates, tmp_path, *options)

    async def scenario() -> None:
        async with program(*theirs.command) as running:
            client, other = (create_quic_socket(endpoint={"address": "127.0.0.1"}) for _ in range(2))
            tickets: list[Any] = []
            session = await connected(client, theirs, tickets)
            assert await theirs.get(session) == BODY
            await until(lambda: session.handshake_confirmed if hasattr(session, "handshake_confirmed") else True)
            assert session.update_key()
            assert await theirs.get(session) == BODY
            assert session.key_update_count == 1
            await within(session.set_socket(other))
            assert await theirs.get(session) == BODY
            assert session.address == other.endpoints[0].address
            await until(lambda: tickets)
            ticket, parameters = tickets[0]
            resumed = await within(
                client.connect(theirs.options, session_ticket=ticket, remote_transport_params=parameters)
            )
            assert await theirs.get(resumed) == BODY
            assert resumed.using_early_data
            resumed.destroy(code=77)
            if options:
                assert b"Retry" in running.said
            await gone(client)
            await gone(other)

    play(scenario, timeout=60)


def test_their_server_says_nothing_any_more(play: Player, certificates: Certificates, tmp_path: Path) -> None:
    theirs = Theirs(certificates, tmp_path, "--timeout=700ms")

    async def scenario() -> None:
        async with program(*theirs.command):
            client = create_quic_socket(endpoint={"address": "127.0.0.1"})
            session = await connected(client, theirs, [])
            await within(upcoming(session, "close"))
            assert session.idle_timeout
            await gone(client)
            await asyncio.sleep(0)

    play(scenario, timeout=60)
