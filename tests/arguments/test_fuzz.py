"""Odd arguments of listen(), connect() and the constructors, made up by hypothesis.

Whatever they are, the call raises a documented error or an event follows.  A call that raised has changed
nothing, nothing is left open, and nothing hangs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from descriptors import open_sockets
from harness import Player, event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oddities import HOSTS, ODD, PATHS, PORTS, EvilError, Givens, descriptors, rejected_hosts

import uvnet

DOCUMENTED = (TypeError, ValueError, uvnet.NetRuntimeError, OSError, EvilError)

few = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def odd_or(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(usual, usual, ODD)


def some_of(**options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A few options, each with a value that is usual or odd."""
    return st.lists(st.sampled_from(sorted(options)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: odd_or(options[name]) for name in names})
    )


def listener(*_: Any) -> None:
    """A callback or a listener."""


FLAGS = st.booleans()
LISTENERS = st.just(listener)
TIMES = st.sampled_from([0, 0.5, 1, 30, 1e6])
MARKS = st.sampled_from([0, 1, 65_536, 2**40])

LISTEN_OPTIONS = some_of(
    port=PORTS, host=HOSTS, path=PATHS, backlog=st.sampled_from([0, 1, 511]), exclusive=FLAGS,
    ipv6_only=FLAGS, readable_all=FLAGS, writable_all=FLAGS, fd=descriptors, handle=descriptors,
    callback=LISTENERS, nonsense=FLAGS,
)  # fmt: skip
LISTEN_ARGUMENTS = st.one_of(
    st.tuples(),
    st.tuples(odd_or(PORTS)),
    st.tuples(odd_or(PATHS)),
    st.tuples(odd_or(PORTS), odd_or(HOSTS)),
    st.tuples(odd_or(PORTS), HOSTS, ODD),
    st.tuples(odd_or(PATHS), ODD),
    st.tuples(odd_or(descriptors), ODD, odd_or(LISTENERS)),
    st.tuples(PORTS, HOSTS, st.just(5), odd_or(LISTENERS)),
    st.tuples(LISTEN_OPTIONS),
    st.tuples(LISTEN_OPTIONS, odd_or(LISTENERS)),
    st.lists(ODD, max_size=4).map(tuple),
)

NAMED = st.sampled_from(["cubic", "lo", "no-such-one", "far too long to be one"])
SERVER_OPTIONS = some_of(
    allow_half_open=FLAGS, pause_on_connect=FLAGS, no_delay=FLAGS, keep_alive=FLAGS,
    keep_alive_initial_delay=TIMES, high_water_mark=MARKS, nonsense=FLAGS,
    user_timeout=TIMES, send_buffer=MARKS, keep_alive_count=MARKS, keep_alive_interval=TIMES,
)  # fmt: skip
SOCKET_OPTIONS = some_of(
    allow_half_open=FLAGS, readable=FLAGS, writable=FLAGS, high_water_mark=MARKS,
    readable_high_water_mark=MARKS, writable_high_water_mark=MARKS, no_delay=FLAGS, keep_alive=FLAGS,
    keep_alive_initial_delay=TIMES, type_of_service=st.sampled_from([0, 16, 255]),
    encoding=st.sampled_from(["utf8", "hex"]), fd=descriptors, handle=descriptors,
    onread=st.builds(lambda: {"buffer": bytearray(8), "callback": listener}), nonsense=FLAGS,
    not_sent_low_water=MARKS, receive_buffer=MARKS, user_timeout=TIMES,
)  # fmt: skip


class LookUp:
    """A `lookup` option that answers with whatever it was given, and never asks anybody."""

    def __init__(self, *arguments: Any, times: int = 1) -> None:
        self.arguments = arguments
        self.times = times

    def __call__(self, host: str, query: Any, callback: Callable[..., None]) -> None:
        for _ in range(self.times):
            callback(*self.arguments)

    def __repr__(self) -> str:
        return f"LookUp({self.arguments!r}, {self.times})"


def raising_look_up(host: str, query: Any, callback: Any) -> None:
    """A `lookup` option that is broken."""
    raise EvilError


ADDRESSES = st.one_of(
    st.sampled_from(["127.0.0.1", "::1"]),
    st.just({"address": "127.0.0.1", "family": 4}),
    st.lists(odd_or(st.just({"address": "127.0.0.1", "family": 4})), max_size=3),
    ODD,
)
# What a `lookup` option answers: once, or twice, or never.
ANSWERS = st.one_of(
    st.tuples(st.none(), ADDRESSES, odd_or(st.sampled_from([4, 6]))),
    st.tuples(st.none(), ADDRESSES),
    st.tuples(ODD),
    st.just("broken"),
    # No look-up of our own: without the option connect() would ask the system.
    st.sampled_from([5, "x"]),
)
TIMES_ANSWERED = st.integers(0, 2)


def made_look_up(givens: Givens, answer: Any, times: int) -> Any:
    if isinstance(answer, tuple):
        return LookUp(*givens.fill(answer), times=times)
    return raising_look_up if answer == "broken" else answer


NAMES = st.sampled_from(["localhost", "odd.invalid"])
CONNECT_OPTIONS = some_of(
    port=PORTS, host=st.one_of(HOSTS, NAMES), path=PATHS, local_address=st.sampled_from(["127.0.0.1", "::1"]),
    local_port=PORTS, family=st.sampled_from([0, 4, 6, "IPv4", "IPv6"]), hints=st.sampled_from([0, 32]),
    auto_select_family=FLAGS, auto_select_family_attempt_timeout=TIMES, timeout=TIMES, no_delay=FLAGS,
    keep_alive=FLAGS, keep_alive_initial_delay=TIMES, callback=LISTENERS, nonsense=FLAGS,
    fast_open=FLAGS, send_buffer=MARKS, congestion=NAMED, bind_to_device=NAMED,
)  # fmt: skip
CONNECT_ARGUMENTS = st.one_of(
    st.tuples(),
    st.tuples(odd_or(PORTS)),
    st.tuples(odd_or(PATHS)),
    st.tuples(odd_or(PORTS), odd_or(st.one_of(HOSTS, NAMES))),
    st.tuples(odd_or(PORTS), HOSTS, ODD),
    st.tuples(CONNECT_OPTIONS),
    st.tuples(CONNECT_OPTIONS, odd_or(LISTENERS)),
    st.lists(ODD, max_size=4).map(tuple),
)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths lie in a directory of the test."""
    monkeypatch.chdir(tmp_path)


def counts(emitter: Any) -> dict[Any, int]:
    return {name: emitter.listener_count(name) for name in emitter.event_names()}


def state_of_server(server: uvnet.Server) -> tuple[Any, ...]:
    return (
        server.listening, server.address(), counts(server), server.max_connections,
        server.allow_half_open, server.pause_on_connect,
    )  # fmt: skip


def state_of_socket(socket: uvnet.Socket) -> tuple[Any, ...]:
    return (
        socket.connecting, socket.pending, socket.ready_state, socket.destroyed, socket.timeout,
        socket.address(), counts(socket), socket.allow_half_open, socket.readable_high_water_mark,
        socket.writable_high_water_mark,
    )  # fmt: skip


async def try_to_listen(server: uvnet.Server, arguments: Any, keywords: dict[str, Any]) -> None:
    """One call of listen(), and its outcome."""
    outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def came(*_: Any) -> None:
        if not outcome.done():
            outcome.set_result(None)

    server.on("listening", came)
    server.on("error", came)
    before = state_of_server(server)
    try:
        server.listen(*arguments, **keywords)
    except DOCUMENTED:
        assert state_of_server(server) == before
    else:
        await outcome
    # It works afterwards.
    server.close()
    await event(server, "close")
    server.listen(0)
    assert server.listening
    server.close()
    await event(server, "close")


@few
@given(
    options=SERVER_OPTIONS,
    arguments=LISTEN_ARGUMENTS,
    keywords=st.one_of(st.just({}), LISTEN_OPTIONS),
)
def test_listen(
    play: Player,
    tmp_path: Path,
    options: dict[str, Any],
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
) -> None:
    """Rules 1.1 to 1.3, decision 6."""
    before = open_sockets()
    givens = Givens(tmp_path)

    async def scenario() -> None:
        try:
            server = uvnet.Server(givens.fill(options))
        except DOCUMENTED:
            server = uvnet.Server()
        await try_to_listen(server, givens.fill(arguments), givens.fill(keywords))

    try:
        play(scenario)
    finally:
        givens.close()
    assert open_sockets() == before


async def outcome_of(socket: uvnet.Socket) -> None:
    """Wait until it is connected or has failed, then close it."""
    outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def came(*_: Any) -> None:
        if not outcome.done():
            outcome.set_result(None)

    for name in ("connect", "error", "close", "timeout"):
        socket.on(name, came)
    # A look-up that does not answer, and an adopted socket, say nothing.
    asyncio.get_running_loop().call_later(0.02, came)
    await outcome
    if not socket.destroyed:
        socket.destroy()
    if not socket.closed:
        await event(socket, "close")


@few
@given(
    arguments=CONNECT_ARGUMENTS, keywords=st.one_of(st.just({}), CONNECT_OPTIONS), answer=ANSWERS, times=TIMES_ANSWERED
)
def test_connect(
    play: Player,
    tmp_path: Path,
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
    answer: Any,
    times: int,
) -> None:
    """Rule 2.2, decisions 6 and 16."""
    before = open_sockets()
    givens = Givens(tmp_path)

    async def scenario() -> None:
        look_up = made_look_up(givens, answer, times)
        socket = uvnet.Socket()
        socket.on("error", listener)
        state = state_of_socket(socket)
        try:
            socket.connect(*givens.fill(arguments), **{**givens.fill(keywords), "lookup": look_up})
        except DOCUMENTED:
            assert state_of_socket(socket) == state
        else:
            await outcome_of(socket)

    try:
        play(scenario)
    finally:
        givens.close()
    assert open_sockets() == before


@few
@given(options=st.one_of(SOCKET_OPTIONS, ODD), keywords=st.one_of(st.just({}), SOCKET_OPTIONS))
def test_new_socket(play: Player, tmp_path: Path, options: Any, keywords: dict[str, Any]) -> None:
    """Rule 2.1."""
    before = open_sockets()
    givens = Givens(tmp_path)

    async def scenario() -> None:
        try:
            socket = uvnet.Socket(givens.fill(options), **givens.fill(keywords))
        except DOCUMENTED:
            return
        socket.on("error", listener)
        await outcome_of(socket)

    try:
        play(scenario)
    finally:
        givens.close()
    assert open_sockets() == before


@few
@given(
    function=st.sampled_from([uvnet.connect, uvnet.create_server, uvnet.Server]),
    options=st.one_of(SOCKET_OPTIONS, CONNECT_OPTIONS, SERVER_OPTIONS, ODD),
    listeners=st.lists(odd_or(LISTENERS), max_size=2),
    keywords=st.one_of(st.just({}), SOCKET_OPTIONS, SERVER_OPTIONS),
    answer=ANSWERS, times=TIMES_ANSWERED,
)
def test_functions(
    play: Player,
    tmp_path: Path,
    function: Any,
    options: Any,
    listeners: list[Any],
    keywords: dict[str, Any],
    answer: Any,
    times: int,
) -> None:
    """Rules 1.1 and 2.2.1: where they raise, nothing is left behind."""
    before = open_sockets()
    givens = Givens(tmp_path)

    async def scenario() -> None:
        named = givens.fill(keywords)
        if function is uvnet.connect:
            named["lookup"] = made_look_up(givens, answer, times)
        try:
            made = function(givens.fill(options), *givens.fill(listeners), **named)
        except DOCUMENTED:
            return
        if isinstance(made, uvnet.Socket):
            made.on("error", listener)
            await outcome_of(made)
        else:
            assert not made.listening

    try:
        play(scenario)
    finally:
        givens.close()
    assert open_sockets() == before


@pytest.mark.parametrize("method", ["listen", "connect"])
def test_hosts_that_are_refused_before_any_look_up(play: Player, method: str) -> None:
    """The fuzz relies on it: these texts do not reach a resolver."""
    hosts: list[str] = []

    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
    @given(host=rejected_hosts)
    def collect(host: str) -> None:
        hosts.append(host)

    collect()

    async def scenario() -> None:
        for host in sorted(set(hosts) - {""}):
            thing: Any = uvnet.create_server() if method == "listen" else uvnet.Socket()
            try:
                getattr(thing, method)(0, host)
            except ValueError:
                continue
            (error,) = await event(thing, "error")
            assert error.code in ("ENOTFOUND", "EINVAL"), (host, error)

    play(scenario)
