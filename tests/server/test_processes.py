"""One listening socket in several processes: inherited, kept over a fork, or sent (rules 1.7.1 and 7.2)."""

from __future__ import annotations

import socket as plain

import pytest
from harness import Player, close, event
from serving import Serving, told

import uvnet


@pytest.mark.parametrize("listens", [True, False], ids=["listening", "bound"])
def test_an_inherited_descriptor(listens: bool) -> None:
    """Section 9 (listen-fd-server): the child serves, also after the parent has closed its copy."""
    with plain.socket() as made:
        made.bind(("127.0.0.1", 0))
        if listens:
            made.listen()
        port = made.getsockname()[1]
        serving = Serving(f"fd {made.fileno()}", made.fileno())
        assert serving.line() == str(port)
    assert told(port) == serving.pid
    serving.end()


def test_a_socket_made_before_a_fork() -> None:
    """Parent and child accept from it; nobody is left without an answer."""
    serving = Serving("fork")
    ports = {serving.line(), serving.line()}
    (port,) = ports
    answers = [told(int(port)) for _ in range(20)]
    assert all(answers)
    assert len(set(answers)) <= 2
    serving.end()


def test_a_socket_that_was_sent() -> None:
    """Rule 7.2: socket.send_fds() over a Unix socket."""
    ours, theirs = plain.socketpair()
    with ours, theirs, plain.create_server(("127.0.0.1", 0)) as made:
        serving = Serving(f"received {theirs.fileno()}", theirs.fileno())
        plain.send_fds(ours, [b"x"], [made.fileno()])
        port = made.getsockname()[1]
        assert serving.line() == str(port)
    assert told(port) == serving.pid
    serving.end()


def test_another_process_goes_on(play: Player) -> None:
    """Closing a server here does not close the socket that another process has."""

    async def scenario() -> None:
        with plain.create_server(("127.0.0.1", 0)) as made:
            port = made.getsockname()[1]
            serving = Serving(f"fd {made.fileno()}", made.fileno())
            assert serving.line() == str(port)
            server = uvnet.create_server().listen(made)
            await event(server, "listening")
            await close(server)
        assert told(port) == serving.pid
        serving.end()

    play(scenario)


def test_a_port_of_another_process(play: Player) -> None:
    """Rule 1.5."""

    async def scenario() -> None:
        serving = Serving('{"port": 0, "host": "127.0.0.1"}')
        port = int(serving.line())
        (error,) = await event(uvnet.create_server().listen(port, "127.0.0.1"), "error")
        assert error.code == "EADDRINUSE"
        assert told(port) == serving.pid
        serving.end()

    play(scenario)
