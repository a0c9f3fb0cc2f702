"""serve(): workers that are kept, replaced and ended, while nobody is refused."""

from __future__ import annotations

import contextlib
import os
import signal
import socket as plain
from collections.abc import Iterator

import pytest
from asyncio_programs import needs
from supervised import LIMIT, Clients, ask, served


@pytest.mark.parametrize("kind", ["net", "uvicorn"])
def test_rolling_restarts_lose_nothing(kind: str) -> None:
    if kind == "uvicorn":
        needs("uvicorn")
    with served(kind, workers=2) as program:
        first = {program.listening()[0], (second := program.listening())[0]}
        port = second[1]
        program.line("serving with 2 workers")
        with Clients(port) as clients:
            for _ in range(2):
                program.send(signal.SIGHUP)
                program.line("rolling restart: done")
        assert clients.failed == []
        assert clients.answers
        assert len(program.pids()) == 6
        assert ask(port) not in first
        program.end()


def test_a_worker_that_is_killed_is_replaced() -> None:
    with served("net", workers=2, max_failures=100) as program:
        pids = [program.listening()[0], (second := program.listening())[0]]
        with Clients(second[1]) as clients:
            for _ in range(3):
                os.kill(pids.pop(0), signal.SIGKILL)
                pids.append(program.listening()[0])
        # Those that it had.
        assert len(clients.failed) <= 3 * 4
        assert not any("Refused" in failure for failure in clients.failed)
        assert {ask(second[1]), ask(second[1])} == set(pids)
        program.end()


def test_all_workers_killed_refuse_nobody() -> None:
    with served("net", workers=2) as program:
        pids = {program.listening()[0], (second := program.listening())[0]}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        # It waits in the backlog.
        assert ask(second[1]) not in pids
        program.end()


def test_a_program_that_raises_is_no_crash_loop() -> None:
    with served("raising", workers=2) as program:
        program.end(None, code=1)
        assert "ended with exit code 1: ValueError: no such luck\nTraceback" in program.output
        assert "stopping: the first workers cannot serve" in program.output
        assert len(program.pids()) == 2


def test_a_program_that_leaves_is_no_crash_loop() -> None:
    with served("leaving", workers=1) as program:
        program.end(None, code=1)
        assert "ended with exit code 3\n" in program.output


def test_workers_that_fail_again_and_again_end_it() -> None:
    with served("fragile", workers=1, max_failures=3) as program:
        pid, _ = program.listening()
        os.kill(pid, signal.SIGKILL)
        program.end(None, code=1)
        assert program.output.count("ValueError: not again\n") >= 3
        assert "the next worker is started in 0.2 s" in program.output
        assert "more than 3 workers have failed within 60 s" in program.output


def test_a_restart_that_fails_leaves_the_old_workers() -> None:
    with served("fragile", workers=1) as program:
        pid, port = program.listening()
        program.send(signal.SIGHUP)
        program.line("given up, the workers that serve stay: worker 2 .* ValueError: not again")
        assert ask(port) == pid
        program.end()


def test_who_is_meant_by_signals_to_all() -> None:
    """Not a worker, even where they come before it could say so."""
    with served("hurried", workers=1) as program:
        pid, port = program.listening()
        assert ask(port) == pid
        program.end()


def test_restarts_that_do_not_come_are_told_of() -> None:
    """One is under way, and one to follow, when everything ends."""
    with served("reloading", workers=1) as program:
        program.listening()
        program.line(r"replaced: \[False, False\]")
        program.end(None)


def test_what_makes_it_impossible_to_start_workers() -> None:
    """Whatever it is, it is tried again, later and later, and not for ever."""
    with served("unstartable", workers=1, max_failures=2) as program:
        program.end(None, code=1)
        assert program.output.count("a worker cannot be started: can't start new thread\n") == 3
        assert "the next worker is started in 0.2 s" in program.output


def test_a_worker_that_does_not_listen_is_told_of_with_its_stack() -> None:
    with served("deaf", workers=1, start_timeout=1, max_failures=1) as program:
        program.end(None, code=1)
        assert "did not listen within 1 s" in program.output
        assert "Fatal Python error: Aborted" in program.output


def test_a_worker_whose_main_returns_is_replaced() -> None:
    with served("returning", workers=1) as program:
        pid, port = program.listening()
        assert ask(port) == pid
        program.line("ended with exit code 0")
        assert program.listening() != (pid, port)
        program.end()


@contextlib.contextmanager
def half_a_request(port: int, pid: int) -> Iterator[plain.socket]:
    """A connection that the worker has; in the end the rest is sent, and it has to answer."""
    with plain.create_connection(("127.0.0.1", port), timeout=LIMIT) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        # Connections are dealt out in their order.
        assert ask(port) == pid
        yield client
        client.sendall(b"\r\n")
        with client.makefile("rb") as file:
            assert file.read().endswith(b"pid %d" % pid)


@pytest.mark.parametrize("kind", ["net", "idle", "streams"])
def test_what_was_begun_is_finished(kind: str) -> None:
    with served(kind, workers=1) as program:
        pid, port = program.listening()
        with half_a_request(port, pid):
            # What is meant for the primary does no harm, and one that leaves by itself is replaced before it is gone.
            for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGTERM):
                os.kill(pid, number)
            program.line(f"pid {pid}.* listens no more")
            new, _ = program.listening()
        program.line(f"pid {pid}.* ended with exit code 0")
        with half_a_request(port, new):
            program.send(signal.SIGTERM)
            program.line("stopping: SIGTERM")
        program.end(None)


def test_the_end_has_a_limit() -> None:
    with served("stubborn", workers=1, shutdown_timeout=0.2) as program:
        _, port = program.listening()
        with plain.create_connection(("127.0.0.1", port), timeout=20) as client:
            assert client.recv(4) == b"stay"
            program.send(signal.SIGTERM)
            assert client.recv(1) == b""
            program.line("has not ended within 0.2 s, and is killed")
        program.end(None)


def test_interrupted_twice_it_ends_at_once() -> None:
    with served("stubborn", workers=2) as program:
        _, port = program.listening()
        program.listening()
        with plain.create_connection(("127.0.0.1", port), timeout=20) as client:
            assert client.recv(4) == b"stay"
            program.send(signal.SIGINT)
            program.line("stopping: SIGINT")
            program.send(signal.SIGINT)
            program.end(None, code=-signal.SIGINT)
        assert "KeyboardInterrupt" in program.output


@pytest.mark.parametrize("kind", ["net", "uvicorn"])
def test_workers_end_with_their_primary(kind: str) -> None:
    if kind == "uvicorn":
        needs("uvicorn")
    with served(kind, workers=2) as program:
        program.listening()
        program.listening()
        program.send(signal.SIGKILL)
        program.wait_until_all_are_gone()
