"""Looking up: errors in Python's terms, what is shown of it, and addresses in all their forms.  Rules 2.2, 2.3, 1.4."""

from __future__ import annotations

import asyncio
import os
import socket as plain
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from attempts_scene import addresses
from harness import Player, close
from waiting import turns, until, upcoming

import uvnet
from uvnet.errors.system import lookup_error

# libuv's UV_EAI_*, which are the same everywhere, and the names of Node's errors.
LIBUV = {
    "EAI_ADDRFAMILY": -3000,
    "EAI_AGAIN": -3001,
    "EAI_BADFLAGS": -3002,
    "EAI_CANCELED": -3003,
    "EAI_FAIL": -3004,
    "EAI_FAMILY": -3005,
    "EAI_MEMORY": -3006,
    "EAI_NODATA": -3007,
    "EAI_NONAME": -3008,
    "EAI_OVERFLOW": -3009,
    "EAI_SERVICE": -3010,
    "EAI_SOCKTYPE": -3011,
    "EAI_BADHINTS": -3013,
    "EAI_PROTOCOL": -3014,
}


@pytest.mark.parametrize("name", LIBUV)
def test_the_errno_of_every_error_is_pythons(name: str) -> None:
    """Rule 0.2.6."""
    error: Any = lookup_error(LIBUV[name], "host")
    assert type(error) is plain.gaierror
    assert error.errno == getattr(plain, name, plain.EAI_FAIL)
    assert error.code == ("ENOTFOUND" if name in ("EAI_NODATA", "EAI_NONAME") else name)
    assert (error.syscall, error.hostname) == ("getaddrinfo", "host")
    assert error.strerror == f"getaddrinfo {error.code} host"


@pytest.mark.parametrize("number", [getattr(plain, "EBADF", 9), 23, 24, 105, 1, 12, 22])
def test_the_errno_of_a_failure_of_the_system_is_its_own(number: int) -> None:
    """As from socket.getaddrinfo(); but what is wrong with a name is not the system's."""
    error: Any = lookup_error(-number, "host")
    named = {12: plain.EAI_MEMORY, 22: plain.EAI_NONAME}
    assert error.errno == named.get(number, number)
    assert isinstance(error, plain.gaierror) == (number in named)
    assert os.strerror(number) and error.code.startswith("E")


@pytest.mark.parametrize("host", ["a" * 64, "a" * 300, "a" * 10_000, "a..b", ".", "xn--a", "\xe4.invalid", "\udc80"])
@pytest.mark.parametrize("what", ["connect", "listen"])
def test_names_that_cannot_be(play: Player, what: str, host: str) -> None:
    async def scenario() -> None:
        known = {value for name, value in vars(plain).items() if name.startswith("EAI_")}
        target = uvnet.connect(1, host) if what == "connect" else uvnet.create_server().listen(0, host)
        (error,) = await upcoming(target, "error")
        assert isinstance(error, plain.gaierror)
        assert error.errno in known
        await until(lambda: not uvnet.active_handles())

    play(scenario)


def test_a_look_up_shows_whose_it_is(play: Player) -> None:
    """It keeps run() going like a handle, referenced or not, and so does one that was given up."""

    async def scenario() -> None:
        socket = uvnet.Socket()
        server = uvnet.create_server().unref()
        assert uvnet.active_handles() == []
        socket.connect(1, "localhost")
        server.listen(0, "localhost")
        assert sorted(map(id, uvnet.active_handles())) == sorted(map(id, (socket, server)))
        closed = upcoming(socket, "close")
        socket.destroy()
        await closed
        server.close()
        # Whether the thread pool had begun is not known.
        await until(lambda: not uvnet.active_handles())
        socket.connect(1, "localhost").destroy()
        socket.connect(1, "localhost")
        assert uvnet.active_handles() == [socket]
        socket.destroy()
        await until(lambda: not uvnet.active_handles())
        await turns()

    play(scenario)


ASKED: list[tuple[dict[str, Any], int, int, bool]] = [
    ({}, 0, plain.AI_ADDRCONFIG, True),
    ({"hints": plain.AI_ALL}, 0, plain.AI_ALL, True),
    ({"family": None}, 0, plain.AI_ADDRCONFIG, True),
    ({"family": 0}, 0, plain.AI_ADDRCONFIG, True),
    ({"family": 4}, 4, 0, False),
    ({"family": 6}, 6, 0, False),
    ({"family": "IPv4"}, 4, 0, False),
    ({"family": "IPv6"}, 6, 0, False),
    ({"family": 4, "hints": plain.AI_ALL}, 4, plain.AI_ALL, False),
    ({"local_address": "127.0.0.1"}, 0, plain.AI_ADDRCONFIG, False),
    ({"auto_select_family": False}, 0, plain.AI_ADDRCONFIG, False),
]


@pytest.mark.parametrize(("options", "family", "hints", "many"), ASKED, ids=lambda value: str(value))
def test_what_a_look_up_of_the_users_is_asked(
    play: Player, options: dict[str, Any], family: int, hints: int, many: bool
) -> None:
    """Rules 2.3.2 and 8.1.1: for all addresses only where any of them will do."""

    async def scenario() -> None:
        asked: list[Any] = []

        def lookup(host: str, query: dict[str, Any], callback: Any) -> None:
            asked.append((host, query))
            callback(OSError("enough"))

        socket = uvnet.connect(port=1, host="x.invalid", lookup=lookup, **options)
        await upcoming(socket, "error")
        assert asked == [("x.invalid", {"family": family, "hints": hints, "all": many})]
        await until(lambda: socket.closed)

    play(scenario)


@pytest.mark.parametrize("again", [False, True])
def test_an_answer_that_comes_too_late(play: Player, again: bool) -> None:
    """It is nothing to a socket that was destroyed, nor to its next life."""

    async def scenario() -> None:
        events: list[str] = []
        answers: list[Any] = []
        socket = uvnet.Socket()
        for name in ("lookup", "connectionAttempt", "error"):
            socket.on(name, lambda *_, name=name: events.append(name))
        socket.connect(1, "x.invalid", lookup=lambda _host, _query, callback: answers.append(callback))
        closed = upcoming(socket, "close")
        socket.destroy()
        if again:
            socket.connect(1, "x.invalid", lookup=lambda *_: None)
        answers[0](None, "127.0.0.1", 4)
        await closed
        answers[0](OSError("none"))
        await turns()
        assert events == []
        assert socket.connecting is again
        socket.destroy()
        await until(lambda: socket.closed)

    play(scenario)


def test_a_coroutine_of_the_life_before(play: Player) -> None:
    """It is cancelled, and that is nothing to the next life."""

    async def scenario() -> None:
        log: list[str] = []

        async def lookup(host: str, _query: Any) -> Any:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                log.append(host)

        socket = uvnet.Socket().connect(1, "first.invalid", lookup=lookup)
        await turns()
        closed = upcoming(socket, "close")
        socket.destroy()
        socket.connect(1, "second.invalid", lookup=lookup)
        await closed
        await turns()
        assert log == ["first.invalid"]
        assert socket.connecting
        socket.destroy()
        await until(lambda: len(log) == 2)

    play(scenario)


def test_destroyed_by_whoever_hears_of_the_first_address(play: Player) -> None:
    async def scenario() -> None:
        events: list[tuple[Any, ...]] = []

        def lookup(_host: str, _query: Any, callback: Any) -> None:
            callback(None, ["127.0.0.1", "127.0.0.2"])

        socket = uvnet.Socket()
        for name in ("lookup", "connectionAttempt", "error", "close"):
            socket.on(name, lambda *arguments, name=name: events.append((name, *arguments)))
        socket.on("lookup", lambda *_: socket.destroy())
        socket.connect(1, "x.invalid", lookup=lookup)
        await until(lambda: socket.closed)
        assert events == [("lookup", None, "127.0.0.1", 4, "x.invalid"), ("close", False)]

    play(scenario)


def test_a_coroutine_that_fails(play: Player) -> None:
    """Rule 2.3.3: as one that calls back with an error."""

    async def scenario() -> None:
        problem = LookupError("in the look-up")
        heard: list[Any] = []

        async def lookup(_host: str, _query: Any) -> Any:
            raise problem

        socket = uvnet.Socket().on("lookup", lambda *arguments: heard.append(arguments))
        socket.on("error", heard.append)
        socket.connect(1, "x.invalid", lookup=lookup)
        await until(lambda: socket.closed)
        assert heard == [(problem, None, None, "x.invalid"), problem]

    play(scenario)


def test_an_object_that_is_called_as_a_coroutine(play: Player) -> None:
    class Resolver:
        async def __call__(self, host: str, _query: Any) -> Any:
            raise LookupError(host)

    async def scenario() -> None:
        with pytest.raises(LookupError, match=r"x\.invalid"):
            await uvnet.open_connection(1, "x.invalid", lookup=Resolver())

    play(scenario)


def test_a_coroutine_that_is_cancelled(play: Player) -> None:
    """By somebody else: no answer comes any more, so nothing is waited for."""

    async def scenario() -> None:
        async def lookup(_host: str, _query: Any) -> Any:
            raise asyncio.CancelledError

        socket = uvnet.connect(1, "x.invalid", lookup=lookup)
        assert await upcoming(socket, "close") == (False,)
        with pytest.raises(RuntimeError) as caught:
            await uvnet.open_connection(1, "x.invalid", lookup=lookup)
        assert caught.value.code == "ERR_SOCKET_CLOSED_BEFORE_CONNECTION"  # type: ignore[attr-defined]

    play(scenario)


def test_the_answer_is_activity(play: Player) -> None:
    """Rule 2.12: the idle time begins anew, so that a socket that got none is idle first."""

    async def scenario() -> None:
        idle: list[str] = []
        answers: list[Any] = []
        sockets: list[uvnet.Socket] = []
        with addresses("is silent") as where:
            for name in ("answered", "not answered"):
                socket = uvnet.Socket().set_timeout(0.5, lambda name=name: idle.append(name))
                socket.connect(where[0].port, name, lookup=lambda _host, _query, callback: answers.append(callback))
                sockets.append(socket)
            await asyncio.sleep(0.05)
            answers[0](None, where[0].host, 4)
            await until(lambda: len(idle) == 2)
            assert idle == ["not answered", "answered"]
            for socket in sockets:
                socket.destroy()
            await until(lambda: all(socket.closed for socket in sockets))

    play(scenario)


@pytest.mark.parametrize("family", [0, 5, None, "IPv4", True])
def test_a_family_that_there_is_not(play: Player, family: Any) -> None:
    """Rule 2.3.3: such an address is passed over, and an error where there is no other."""

    async def scenario() -> None:
        answer: list[Any] = [("127.0.0.1", family)]

        async def lookup(_host: str, _query: Any) -> Any:
            return answer

        with pytest.raises(ValueError) as caught:
            await uvnet.open_connection(1, "x.invalid", lookup=lookup)
        assert caught.value.code == "ERR_INVALID_ADDRESS_FAMILY"  # type: ignore[attr-defined]
        server = uvnet.create_server(lambda peer: peer.end()).listen(0, "127.0.0.2")
        await uvnet.once(server, "listening")
        answer.append("127.0.0.2")
        async with await uvnet.open_connection(server.address().port, "x.invalid", lookup=lookup) as socket:
            assert socket.remote_address == "127.0.0.2"
        await close(server)

    play(scenario)


ANSWERS: dict[str, tuple[tuple[Any, ...], list[tuple[Any, Any]]]] = {
    "an address": (("127.0.0.1",), [("127.0.0.1", 4)]),
    "an address and its family": (("::1", 6), [("::1", 6)]),
    "a mapping": (({"address": "127.0.0.1", "family": 4},), [("127.0.0.1", 4)]),
    "a mapping and another family": (({"address": "127.0.0.1", "family": 4}, 6), [("127.0.0.1", 4)]),
    "a list": ((["127.0.0.1", ("::1", 6)],), [("127.0.0.1", 4), ("::1", 6)]),
    "a list and a family": ((["::1"], 4), [("::1", 6)]),
    "no address": (("nowhere",), [("nowhere", None)]),
    "no address and a family": (("nowhere", 4), [("nowhere", 4)]),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_forms_of_answers(play: Player, answer: str) -> None:
    """Rule 2.3.2: what 'lookup' tells of, and what is no address is not tried."""
    given, told = ANSWERS[answer]

    async def scenario() -> None:
        heard: list[Any] = []
        tried: list[Any] = []
        blocked = uvnet.BlockList()
        blocked.add_address("127.0.0.1")
        blocked.add_address("::1", "ipv6")
        socket = uvnet.Socket(block_list=blocked)
        socket.on("lookup", lambda *arguments: heard.append(arguments))
        socket.on("connectionAttempt", lambda address, port, family: tried.append((address, family)))
        socket.connect(1, "x.invalid", lookup=lambda _host, _query, callback: callback(None, *given))
        (error,) = await upcoming(socket, "error")
        assert heard == [(None, *each, "x.invalid") for each in told]
        is_address = "nowhere" not in told[0]
        assert tried == (told if is_address else [])
        assert is_address or error.code == "ERR_INVALID_IP_ADDRESS"
        await until(lambda: socket.closed)

    play(scenario)


@pytest.mark.parametrize(
    ("given", "tried"),
    [
        ("4466", "4646"),
        ("6644", "6464"),
        ("6444", "6444"),
        ("4446", "4644"),
        ("444", "444"),
    ],
)
def test_families_take_turns(play: Player, given: str, tried: str) -> None:
    """Rule 8.1.2: beginning with the first address's, each in the order of the answer."""

    async def scenario() -> None:
        blocked = uvnet.BlockList()
        blocked.add_subnet("127.0.0.0", 8)
        blocked.add_subnet("fd00::", 8, "ipv6")
        found = [f"127.0.0.{number}" if family == "4" else f"fd00::{number}" for number, family in enumerate(given, 1)]
        socket = uvnet.Socket(block_list=blocked)
        attempts: list[str] = []
        socket.on("connectionAttempt", lambda address, *_: attempts.append(address))
        socket.connect(1, "x.invalid", lookup=lambda _host, _query, callback: callback(None, found))
        await upcoming(socket, "error")
        assert "".join("6" if ":" in address else "4" for address in attempts) == tried
        for kind in (":", "."):
            assert [address for address in attempts if kind in address] == [address for address in found if kind in address]
        await until(lambda: socket.closed)

    play(scenario)


OTHERS = {"number": 127, "pair": ("127.0.0.1", 1), "bytes": b"127.0.0.1", "object": object(), "flag": False}


@pytest.mark.parametrize("other", OTHERS)
def test_other_types_are_no_address(play: Player, other: str) -> None:
    value: Any = OTHERS[other]

    async def scenario() -> None:
        for call in (
            lambda: uvnet.connect(1, host=value),
            lambda: uvnet.connect(1, local_address=value),
            lambda: uvnet.connect(1, address=value),
            lambda: uvnet.create_server().listen(0, host=value),
            lambda: uvnet.create_proxy((value, 1)),
        ):
            with pytest.raises(TypeError):
                call()

    play(scenario)


ADDRESSES = [IPv4Address("127.0.0.1"), IPv6Address("::1"), IPv6Address("::ffff:127.0.0.1")]


@pytest.mark.parametrize("address", ADDRESSES, ids=str)
def test_objects_of_ipaddress(play: Player, address: Any) -> None:
    """Wherever an address is taken as text."""

    async def scenario() -> None:
        seen: list[Any] = []
        server = uvnet.create_server(lambda socket: socket.end()).listen(0, address)
        server.on("connection", lambda socket: seen.append(ip_address(socket.remote_address)))
        await uvnet.once(server, "listening")
        port = server.address().port

        async def lookup(_host: str, _options: Any) -> Any:
            return [address]

        def lookup_back(_host: str, _options: Any, callback: Any) -> None:
            callback(None, address)

        ways: list[dict[str, Any]] = [
            {"host": address},
            {"address": address},
            {"host": address, "local_address": address},
            {"host": "somewhere.invalid", "lookup": lookup},
            {"host": "somewhere.invalid", "lookup": lookup_back},
            {"host": "somewhere.invalid", "lookup": lookup, "local_address": address},
        ]
        for options in ways:
            async with await uvnet.open_connection(port=port, **options) as socket:
                assert ip_address(socket.remote_address) == address
        async with await uvnet.open_connection(port, address) as socket:
            assert ip_address(socket.remote_address) == address
        for upstream in ((address, port), {"host": address, "port": port}):
            async with uvnet.create_proxy(upstream, send_proxy_protocol=None).listen(0, "127.0.0.1") as proxy:
                async with await uvnet.open_connection(proxy.address()) as socket:
                    assert [chunk async for chunk in socket] == []
        assert len(seen) == len(ways) + 3
        assert uvnet.is_ip(address) == address.version
        assert ip_address(uvnet.SocketAddress(address, 1).address) == address
        block_list = uvnet.BlockList()
        block_list.add_address(address)
        assert address in block_list and block_list.check(str(address), f"ipv{address.version}")
        await close(server)

    play(scenario)


@pytest.mark.parametrize("host", [None, "127.0.0.1", "127.0.0.5", "0.0.0.0", "::", "::1", "localhost"])
def test_the_address_of_a_server_can_be_connected_to(play: Player, host: str | None) -> None:
    """Rule 2.2.9: itself, as a mapping, as keywords.  Node takes its port and its family, and localhost."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda peer: peer.end("hello")).listen(0, host)
        if not server.listening:
            await uvnet.once(server, "listening")
        address = server.address()
        for arguments, keywords in (
            ((address,), {}),
            ((address._asdict(),), {}),
            ((), address._asdict()),
            ((address,), {"no_delay": True}),
        ):
            async with await uvnet.open_connection(*arguments, **keywords) as socket:
                assert await socket.read_exactly(5) == b"hello"
                assert socket.remote_port == address.port
                if host not in (None, "::", "0.0.0.0"):
                    assert socket.remote_address == address.address
        called: list[str] = []
        socket = uvnet.Socket().connect(address, lambda: called.append("connect"))
        socket.resume()
        await uvnet.once(socket, "close")
        assert called == ["connect"]
        async with uvnet.create_proxy(address).listen(0) as proxy:
            async with await uvnet.open_connection(proxy.address()) as socket:
                assert await socket.read_exactly(5) == b"hello"
        await close(server)

    play(scenario)


def test_a_host_wins_over_an_address(play: Player) -> None:
    async def scenario() -> None:
        server = uvnet.create_server(lambda peer: peer.end()).listen(0, "127.0.0.1")
        await uvnet.once(server, "listening")
        where = {**server.address()._asdict(), "address": "127.0.0.2"}
        async with await uvnet.open_connection(where, host="127.0.0.1") as socket:
            assert socket.remote_address == "127.0.0.1"
        with pytest.raises(ConnectionRefusedError):
            await uvnet.open_connection(where)
        await close(server)

    play(scenario)


FLAGS = [1 << bit for bit in range(20)] + [98, -1, 2**40, 0, 32, 40, 56, 57]


@pytest.mark.parametrize("hints", FLAGS)
def test_which_hints_there_are(play: Player, hints: int) -> None:
    """Rule 2.2.2: the flags of dns.lookup(); what a look-up of the user's own takes is its own business."""
    allowed = int(plain.AI_ADDRCONFIG | plain.AI_ALL | plain.AI_V4MAPPED)

    async def scenario() -> None:
        given: list[int] = []

        def lookup(_host: str, query: dict[str, Any], callback: Any) -> None:
            given.append(query["hints"])
            callback(OSError("enough"))

        for host in ("localhost", "127.0.0.1"):
            socket = uvnet.Socket()
            if 0 <= hints == hints & allowed:
                socket.connect(port=1, host=host, hints=hints).destroy()
            else:
                with pytest.raises(ValueError) as caught:
                    socket.connect(port=1, host=host, hints=hints)
                assert caught.value.code == "ERR_INVALID_ARG_VALUE"  # type: ignore[attr-defined]
                assert not socket.connecting and not socket.destroyed
        socket = uvnet.connect(port=1, host="x.invalid", hints=hints, lookup=lookup)
        await upcoming(socket, "error")
        # Rule 2.3.2: none are those of Node.
        assert given == [hints or plain.AI_ADDRCONFIG]
        await until(lambda: not uvnet.active_handles())

    play(scenario)
