"""Several addresses of one host: attempts beside each other (RFC 8305; rule 8.1, and what differs from it)."""

from __future__ import annotations

import asyncio
import itertools
import socket as plain
import threading
from typing import Any

import pytest
from attempts_scene import ANSWERS, Address, addresses, expected
from descriptors import open_sockets, option_of
from free_ports import free_port
from harness import Player
from waiting import turns, until, upcoming

import uvnet
from uvnet._loop.counters import snapshot

EVENTS = (
    "connectionAttempt", "connectionAttemptFailed", "connectionAttemptTimeout", "connect", "ready", "error", "close",
)  # fmt: skip


class Attempts:
    """A socket that connects to these addresses, and its events with the numbers of the addresses."""

    def __init__(self, where: list[Address], delay: float, **options: Any) -> None:
        self.where = where
        self.socket = options.pop("kind", uvnet.Socket)(options.pop("of_socket", None))
        self.events: list[tuple[Any, ...]] = []
        self.errors: dict[int, Any] = {}
        self.goes_on = False
        for name in EVENTS:
            self.socket.on(name, lambda *arguments, name=name: self.note(name, *arguments))
        self.options = {
            "port": where[0].port,
            "host": "somewhere.invalid",
            "lookup": lambda host, query, callback: callback(None, [each.host for each in where]),
            "auto_select_family_attempt_timeout": delay,
            **options,
        }

    def note(self, name: str, *arguments: Any) -> None:
        if name.startswith("connectionAttempt"):
            assert arguments[1:3] == (self.where[0].port, 4)
            number = self.number_of(arguments[0])
            if name == "connectionAttempt" and self.goes_on:
                # When the SYN that it begins with has got no answer.
                asyncio.get_running_loop().call_later(0.02, self.where[number].go_on)
            elif name == "connectionAttemptFailed":
                self.errors[number] = arguments[3]
            self.events.append((name, number))
        elif name == "connect":
            self.events.append((name, self.number_of(str(self.socket.remote_address))))
        else:
            self.events.append((name, *(arguments if name == "close" else ())))

    def number_of(self, host: str) -> int:
        return [each.host for each in self.where].index(host)

    def connect(self) -> uvnet.Socket:
        return self.socket.connect(self.options)

    async def happened(self, events: list[tuple[Any, ...]]) -> None:
        """Wait for these events; no other may come before them."""
        while self.events != events:
            assert self.events == events[: len(self.events)]
            await asyncio.sleep(0.002)


async def _race(answers: tuple[str, ...], delay: float) -> None:
    with addresses(*answers) as where:
        events = expected(answers, delay)
        attempts = Attempts(where, delay)
        attempts.goes_on = True
        socket = attempts.connect()
        await attempts.happened(events)
        last = events[-1][0]
        tried = [number for name, number in (each[:2] for each in events if len(each) > 1) if name == "connectionAttempt"]
        if len(answers) > 1:
            texts = [f"{where[number].host}:{where[0].port}" for number in tried]
            assert socket.auto_select_family_attempted_addresses == texts
        if last == "ready":
            await _only_the_winner_talks(attempts, events[-2][1])
        elif last == "close":
            _error_of_all(attempts, tried)
        else:
            assert uvnet.active_handles().count(socket) == 1
            socket.destroy()
            await attempts.happened([*events, ("close", False)])
        await turns()
        assert attempts.events[: len(events)] == events and len(attempts.events) <= len(events) + 1
        assert not socket.destroyed or socket not in uvnet.active_handles()


async def _only_the_winner_talks(attempts: Attempts, winner: int) -> None:
    """One connection has reached the winner and lives; what reached others is at its end."""
    socket = attempts.socket
    assert not socket.connecting and socket.remote_port == attempts.where[0].port
    for number, each in enumerate(attempts.where):
        peers = each.accepted()
        assert len(peers) == 1 if number == winner else len(peers) <= 1
        for peer in peers:
            peer.settimeout(5)
            if number == winner:
                socket.write(b"to the winner")
                # In the same thread as the loop, which has to send it.
                await turns()
                assert peer.recv(100) == b"to the winner"
                peer.sendall(b"and back")
                assert await upcoming(socket, "data") == (b"and back",)
            else:
                assert peer.recv(100) == b""
            peer.close()
    socket.destroy()
    await until(lambda: socket.closed)


def _error_of_all(attempts: Attempts, tried: list[int]) -> None:
    """The errors are in the order of the addresses, whichever came first."""
    error: Any = attempts.socket.errored
    assert error.code == "ECONNREFUSED" and isinstance(error, ConnectionRefusedError)
    if len(attempts.where) == 1:
        assert error is attempts.errors[0]
        return
    assert error.errors == [attempts.errors[number] for number in tried]
    assert (error.address, error.port) == (attempts.where[0].host, attempts.where[0].port)
    assert [each.address for each in error.errors] == [each.host for each in attempts.where]
    told = "; ".join(each.strerror for each in error.errors)
    assert error.strerror == f"every connection attempt failed: {told}"


@pytest.mark.parametrize("delay", [0.1, 0.6])
@pytest.mark.parametrize("first", ANSWERS)
def test_whatever_the_addresses_answer(play: Player, first: str, delay: float) -> None:
    """Up to three addresses in all combinations, against a model: no attempt that could succeed is cut.

    With the longer delay an attempt fails while a later one waits, and the next one does not wait for the delay.
    """

    async def scenario() -> None:
        rest = [other for count in range(3) for other in itertools.product(ANSWERS, repeat=count)]
        await asyncio.gather(*(_race((first, *others), delay) for others in rest))

    play(scenario, timeout=60)


def test_what_asyncio_reaches_is_reached(play: Player) -> None:
    """The first address answers after a second, the second one refuses."""

    async def scenario() -> None:
        with addresses("accepts later", "refuses") as where:
            loop = asyncio.get_running_loop()
            loop.call_later(0.3, where[0].go_on)

            async def lookup(_host: str, _query: Any) -> list[str]:
                return [each.host for each in where]

            async with await uvnet.open_connection(where[0].port, "both.invalid", lookup=lookup) as socket:
                assert socket.remote_address == where[0].host

    play(scenario)


SILENT = ("is silent",) * 3


@pytest.mark.parametrize("event", ["connectionAttempt", "connectionAttemptTimeout", "connectionAttemptFailed"])
@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("way", ["destroy", "destroy with an error", "reconnect", "end the loop"])
def test_destroyed_in_the_middle(play: Player, event: str, number: int, way: str) -> None:
    """Only 'close' follows, and no attempt is left; a new life begins with attempts of its own."""
    answers = ["is silent"] * 3
    if event == "connectionAttemptFailed":
        answers[number] = "refuses"
    if (event, number) == ("connectionAttemptTimeout", 2):
        # Nothing comes after the last one.
        answers = ["is silent"] * 4

    async def scenario() -> None:
        with addresses(*answers) as where, addresses("accepts") as other:
            attempts = Attempts(where, 0.03)
            problem = OSError("enough") if way == "destroy with an error" else None
            reached = asyncio.get_running_loop().create_future()

            def act(address: str, *_: Any) -> None:
                if attempts.number_of(address) != number or reached.done():
                    return
                reached.set_result(len(attempts.events))
                if way == "end the loop":
                    return
                attempts.socket.destroy(problem)
                if way == "reconnect":
                    attempts.where = other
                    attempts.socket.connect(other[0].port, other[0].host)

            attempts.socket.on(event, act)
            attempts.connect()
            count = await reached
            if way == "end the loop":
                # The loop is closed while attempts are under way.
                return
            after = {
                "destroy": [("close", False)],
                "destroy with an error": [("error",), ("close", True)],
                "reconnect": [("connectionAttempt", 0), ("close", False), ("connect", 0), ("ready",)],
            }[way]
            await until(lambda: len(attempts.events) >= count + len(after))
            await asyncio.sleep(0.05)
            assert sorted(attempts.events[count:]) == sorted(after)
            attempts.socket.destroy()
            await until(lambda: attempts.socket.closed)
            assert uvnet.active_handles() == []

    play(scenario)


def test_a_new_life_hears_nothing_of_the_attempts_before(play: Player) -> None:
    """Rule 2.14.2: the system cancels them while those of the new life are under way."""

    async def scenario() -> None:
        with addresses(*SILENT) as where, addresses("is silent") as other:
            attempts = Attempts(where, 0.02)
            socket = attempts.connect()
            await until(lambda: ("connectionAttempt", 1) in attempts.events)
            attempts.events.clear()
            socket.destroy()
            attempts.where = other
            socket.connect(other[0].port, other[0].host)
            await until(lambda: ("close", False) in attempts.events)
            await turns()
            assert sorted(attempts.events) == [("close", False), ("connectionAttempt", 0)]
            assert socket.connecting
            socket.destroy()
            await until(lambda: socket.closed)

    play(scenario)


@pytest.mark.parametrize("number", [0, 1])
def test_destroyed_when_an_attempt_fails_at_once(play: Player, number: int) -> None:
    """By whoever hears that an address is blocked: the next one is not tried."""

    async def scenario() -> None:
        with addresses("refuses", "refuses", "refuses") as where:
            block_list = uvnet.BlockList()
            for each in where:
                block_list.add_address(each.host)

            async def lookup(_host: str, _query: Any) -> list[str]:
                return [each.host for each in where]

            attempts = Attempts(where, 0.02, block_list=block_list, lookup=lookup)

            def failed(address: str, *_: Any) -> None:
                if attempts.number_of(address) == number:
                    attempts.socket.destroy()

            attempts.socket.on("connectionAttemptFailed", failed)
            attempts.connect()
            tried = [(name, each) for each in range(number + 1) for name in ("connectionAttempt", "connectionAttemptFailed")]
            await attempts.happened([*tried, ("close", False)])

    play(scenario)


@pytest.mark.parametrize("answers", [("is silent", "refuses"), ("refuses", "is silent")])
def test_what_has_failed_holds_no_descriptor(play: Player, answers: tuple[str, ...]) -> None:
    """While another attempt goes on."""

    async def scenario() -> None:
        with addresses(*answers) as where:
            before = len(open_sockets())
            attempts = Attempts(where, 0.02)
            attempts.connect()
            number = answers.index("refuses")
            await until(lambda: {("connectionAttemptFailed", number), ("connectionAttempt", 1)} <= {*attempts.events})
            await turns()
            assert len(open_sockets()) == before + 1
            attempts.socket.destroy()
            await until(lambda: attempts.socket.closed)

    play(scenario)


@pytest.mark.parametrize(
    "answers", [("accepts",), ("refuses",), ("refuses", "accepts"), ("refuses", "refuses"), ("is silent", "accepts")]
)
def test_no_handle_is_left(play: Player, answers: tuple[str, ...]) -> None:
    """While the loop goes on, whatever has become of the attempts."""

    async def handles_afterwards() -> int:
        with addresses(*answers) as where:
            attempts = Attempts(where, 0.02)
            attempts.connect()
            await until(lambda: {("ready",), ("error",)} & {*attempts.events})
            attempts.socket.destroy()
            await until(lambda: attempts.socket.closed)
            await turns()
            return snapshot()["handles"]

    async def scenario() -> None:
        # The first time the loop gets handles of its own.
        assert await handles_afterwards() == await handles_afterwards()

    play(scenario)


@pytest.mark.parametrize("when", ["connected", "destroyed"])
def test_run_does_not_wait_for_the_delay(when: str) -> None:
    """Rule 2.13.6: once it is decided what becomes of the attempts, the next one's time keeps nothing going."""
    with addresses("accepts", "is silent") as where:

        async def lookup(_host: str, _query: Any) -> list[str]:
            return [each.host for each in where]

        socket = uvnet.connect(
            where[0].port, "somewhere.invalid", lookup=lookup, auto_select_family_attempt_timeout=10_000
        )
        socket.on("connect" if when == "connected" else "connectionAttempt", lambda *_: socket.destroy())
        uvnet.run()
        assert socket.destroyed


@pytest.mark.parametrize("when", ["before", "first", "second", "third"])
def test_unref_and_ref_hold_for_all_attempts(play: Player, when: str) -> None:
    """Rule 2.13.6: whenever they are called."""

    async def scenario() -> None:
        with addresses(*SILENT) as where:
            attempts = Attempts(where, 0.02)
            socket = attempts.socket
            if when == "before":
                socket.unref()
            attempts.connect()
            for count, name in enumerate(("first", "second", "third"), 1):
                await until(lambda count=count: attempts.events.count(("connectionAttempt", count - 1)) == 1)
                if name == when:
                    socket.unref()
            await turns()
            assert uvnet.active_handles() == []
            socket.ref()
            assert uvnet.active_handles() == [socket]
            socket.destroy()
            await until(lambda: socket.closed)

    play(scenario)


@pytest.mark.parametrize("winner", [0, 1, 2])
@pytest.mark.parametrize("order", [(True, False, False), (False, True, False), (False, False, True), (True,) * 3])
def test_options_are_those_of_the_winner(play: Player, winner: int, order: tuple[bool, ...]) -> None:
    """Whichever attempt was the newest when they were set."""

    async def scenario() -> None:
        answers = ["is silent"] * 3
        answers[winner] = "accepts later"
        with addresses(*answers) as where:
            attempts = Attempts(where, 0.02)
            socket = attempts.socket
            socket.on("connectionAttempt", lambda address, *_: socket.set_no_delay(order[attempts.number_of(address)]))
            attempts.connect()
            await until(lambda: len(attempts.events) == 5)
            where[winner].go_on()
            await until(lambda: ("ready",) in attempts.events)
            assert socket.remote_address == where[winner].host
            assert bool(option_of(socket, plain.IPPROTO_TCP, plain.TCP_NODELAY)) is order[-1]
            socket.destroy()
            await until(lambda: socket.closed)

    play(scenario)


def test_reading_from_the_winner_is_activity(play: Player) -> None:
    """Also where the timeout was set while another attempt was the newest."""

    async def scenario() -> None:
        with addresses("accepts later", "is silent") as where:
            attempts = Attempts(where, 0.02)
            socket = attempts.connect()
            await until(lambda: ("connectionAttempt", 1) in attempts.events)
            socket.set_timeout(1.5, socket.destroy).resume()
            where[0].go_on()
            await until(lambda: ("ready",) in attempts.events)
            (peer,) = where[0].accepted()
            for _ in range(4):
                peer.send(b"x")
                await asyncio.sleep(0.45)
            assert not socket.destroyed
            peer.close()
            await until(lambda: socket.closed)

    play(scenario)


@pytest.mark.parametrize("referenced", [True, False])
def test_run_waits_for_an_attempt(referenced: bool) -> None:
    """Rule 2.13.6: where nothing else is left, but not for a socket that was unref()ed."""
    with addresses("accepts later") as where:
        connected: list[bool] = []
        socket = uvnet.connect(where[0].port, where[0].host, lambda: (connected.append(True), socket.destroy()))
        if not referenced:
            socket.unref()
        answer = threading.Timer(0.1, where[0].go_on)
        answer.start()
        uvnet.run()
        answer.join()
        assert connected == [True] * referenced
        assert socket.destroyed


def test_onread_reads_from_the_winner(play: Player) -> None:
    async def scenario() -> None:
        with addresses("accepts later", "is silent") as where:
            received: list[bytes] = []
            reader = {
                "buffer": bytearray(100),
                "callback": lambda count, buffer: received.append(bytes(buffer[:count])),
            }
            attempts = Attempts(where, 0.02, of_socket={"onread": reader})
            attempts.connect()
            await until(lambda: ("connectionAttempt", 1) in attempts.events)
            where[0].go_on()
            await until(lambda: ("ready",) in attempts.events)
            (peer,) = where[0].accepted()
            peer.send(b"hello")
            await until(lambda: received == [b"hello"])
            peer.close()
            attempts.socket.destroy()
            await until(lambda: attempts.socket.closed)

    play(scenario)


def test_very_many_addresses_that_fail_at_once(play: Player) -> None:
    """One is tried after another, not inside another."""

    async def scenario() -> None:
        block_list = uvnet.BlockList()
        block_list.add_subnet("127.0.0.0", 8)
        blocked = [f"127.3.{number >> 8}.{number & 255}" for number in range(3000)]

        async def lookup(_host: str, _query: Any) -> list[str]:
            return blocked

        with pytest.raises(OSError) as caught:
            await uvnet.open_connection(1, "many.invalid", lookup=lookup, block_list=block_list)
        errors = caught.value.errors  # type: ignore[attr-defined]
        assert len(errors) == 3000 and {error.code for error in errors} == {"ERR_IP_BLOCKED"}

    play(scenario)


@pytest.mark.parametrize("step", ["_renew_handle", "_current_handle", "_start_connect", "_close_handle", "_blocked"])
@pytest.mark.parametrize("answer", ["refuses", "is silent"])
def test_memory_runs_out_in_the_middle(play: Player, step: str, answer: str) -> None:
    """The whole fails then, and nothing is left."""

    class Short(uvnet.Socket):
        times = 0

    def short(socket: Any, *arguments: Any) -> Any:
        socket.times += 1
        # The first attempt begins, the second one does not.
        if socket.times == (1 if step in ("_renew_handle", "_close_handle") else 2):
            raise MemoryError
        return getattr(super(Short, socket), step)(*arguments)

    setattr(Short, step, short)

    async def scenario() -> None:
        with addresses(answer, "refuses", "refuses") as where:
            socket = Short()
            events: list[Any] = []
            socket.on("connect", lambda: events.append("connect"))
            socket.on("error", events.append)
            socket.on("close", lambda had_error: events.append("close"))

            def lookup(_host: str, _query: Any, callback: Any) -> None:
                callback(None, [each.host for each in where])

            socket.connect(
                where[0].port, "short.invalid", lookup=lookup, auto_select_family_attempt_timeout=0.02
            )
            await until(lambda: "close" in events or (answer, step) == ("is silent", "_close_handle"))
            if events:
                assert [type(event) for event in events] == [MemoryError, str]
            socket.destroy()
            await until(lambda: socket.closed)

    play(scenario)


def test_memory_runs_out_when_one_has_won(play: Player) -> None:
    """The others cannot be closed: that is reported, and the connection given up with them."""

    class Short(uvnet.Socket):
        failed = False

        def _close_handle(self, handle: Any) -> None:
            if not self.failed:
                self.failed = True
                raise MemoryError
            super()._close_handle(handle)

    async def scenario() -> None:
        with addresses("is silent", "accepts") as where:
            attempts = Attempts(where, 0.02, kind=Short)
            attempts.connect()
            await attempts.happened(
                [("connectionAttempt", 0), ("connectionAttemptTimeout", 0), ("connectionAttempt", 1), ("close", False)]
            )
            assert uvnet.active_handles() == []

    play(scenario)
    play.expect_report(MemoryError)


def test_attempts_from_one_local_port(play: Player) -> None:
    async def scenario() -> None:
        with addresses("accepts later", "is silent", "accepts later") as where:
            port = free_port()
            attempts = Attempts(where, 0.05, local_port=port)
            attempts.goes_on = True
            socket = attempts.connect()
            await attempts.happened(expected(("accepts later", "is silent", "accepts later"), 0.05))
            assert (socket.local_port, socket.remote_address) == (port, where[0].host)
            for peer in itertools.chain(*(each.accepted() for each in where)):
                peer.close()
            socket.destroy()
            await until(lambda: socket.closed)

    play(scenario)


def test_a_rule_that_comes_while_it_connects(play: Player) -> None:
    """The list is asked again when the system knows what was reached."""

    async def scenario() -> None:
        with addresses("accepts later", "accepts") as where:
            block_list = uvnet.BlockList()
            attempts = Attempts(where, 2, block_list=block_list)
            attempts.connect()
            await turns()
            block_list.add_address(where[0].host)
            where[0].go_on()
            await until(lambda: ("ready",) in attempts.events)
            assert attempts.errors[0].code == "ERR_IP_BLOCKED"
            assert attempts.socket.remote_address == where[1].host
            attempts.socket.destroy()
            await until(lambda: attempts.socket.closed)

    play(scenario)


@pytest.mark.parametrize("again", ["at once", "later", "after an error"])
def test_a_look_up_that_answers_twice(play: Player, again: str) -> None:
    """The first answer counts."""

    async def scenario() -> None:
        with addresses("accepts", "accepts") as where:
            seen: list[Any] = []

            def lookup(_host: str, _query: Any, callback: Any) -> None:
                callback(OSError("none") if again == "after an error" else None, where[0].host, 4)
                if again == "later":
                    asyncio.get_running_loop().call_soon(callback, None, where[1].host, 4)
                else:
                    callback(None, where[1].host, 4)

            socket = uvnet.Socket().on("lookup", lambda *arguments: seen.append(arguments[1]))
            socket.on("error", lambda _: None)
            socket.connect(where[0].port, "twice.invalid", lookup=lookup)
            await upcoming(socket, "close" if again == "after an error" else "ready")
            await turns()
            assert seen == [None if again == "after an error" else where[0].host]
            peers = [each.accepted() for each in where]
            assert [len(found) for found in peers] == [again != "after an error", 0]
            for peer in itertools.chain(*peers):
                peer.close()
            socket.destroy()
            await until(lambda: socket.closed)

    play(scenario)


def test_one_address_at_a_time_where_families_are_not_selected(play: Player) -> None:
    """Rule 8.1.1: only the first address is tried."""

    async def scenario() -> None:
        with addresses("refuses", "accepts") as where:
            attempts = Attempts(where, 0.02, auto_select_family=False)
            attempts.connect()
            await attempts.happened(
                [("connectionAttempt", 0), ("connectionAttemptFailed", 0), ("error",), ("close", True)]
            )
            assert attempts.socket.auto_select_family_attempted_addresses is None
            assert where[1].accepted() == []

    play(scenario)
