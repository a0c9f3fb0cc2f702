"""next_tick(): its arguments, exceptions in ticks, and whose queue it is.  Decision 22."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest
import uvloop
from harness import Player

import uvnet


def test_an_exception_is_reported_once_and_the_others_run(play: Player) -> None:
    async def scenario() -> None:
        log: list[int] = []
        done = asyncio.Event()

        def fails() -> None:
            raise LookupError("tick")

        uvnet.next_tick(log.append, 1)
        uvnet.next_tick(fails)
        uvnet.next_tick(log.append, 2)
        uvnet.next_tick(done.set)
        await done.wait()
        assert log == [1, 2]

    play(scenario)
    assert str(play.expect_report(LookupError)) == "tick"


def test_a_failing_exception_handler_is_no_end(play: Player) -> None:
    async def scenario() -> None:
        log: list[int] = []
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        handler = loop.get_exception_handler()
        calls: list[Any] = []

        def broken(_loop: Any, context: dict[str, Any]) -> None:
            calls.append(context["exception"])
            # From here on asyncio's own reports are of the handler's failure.
            loop.set_exception_handler(lambda *_: None)
            raise ZeroDivisionError

        def fails() -> None:
            raise LookupError("tick")

        loop.set_exception_handler(broken)
        uvnet.next_tick(fails)
        uvnet.next_tick(log.append, 1)
        uvnet.next_tick(done.set)
        await done.wait()
        loop.set_exception_handler(handler)
        assert [type(error) for error in calls] == [LookupError]
        assert log == [1]

    play(scenario)


@pytest.mark.parametrize("wrong", [None, 1, "text", [], object()], ids=lambda value: type(value).__name__)
def test_only_callables(play: Player, wrong: Any) -> None:
    async def scenario() -> None:
        done = asyncio.Event()
        with pytest.raises(TypeError, match="callable"):
            uvnet.next_tick(wrong)
        uvnet.next_tick(done.set)
        await done.wait()

    play(scenario)


def test_wrong_calls(play: Player) -> None:
    async def scenario() -> None:
        with pytest.raises(TypeError):
            uvnet.next_tick()  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            uvnet.next_tick(print, end="")  # type: ignore[call-arg]

    play(scenario)


def test_before_run() -> None:
    """At module level a tick waits for the loop that run() will run."""
    log: list[Any] = []
    uvnet.next_tick(log.append, 1)
    uvnet.next_tick(lambda: uvnet.next_tick(log.append, 3))
    uvnet.next_tick(log.append, 2)
    assert log == []
    uvnet.run()
    assert log == [1, 2, 3]


def test_before_run_with_a_coroutine() -> None:
    log: list[Any] = []

    async def main() -> None:
        done = asyncio.Event()
        uvnet.next_tick(done.set)
        await done.wait()
        log.append("main")

    uvnet.next_tick(log.append, "tick")
    uvnet.run(main())
    assert log == ["tick", "main"]


def test_every_loop_has_a_queue_of_its_own() -> None:
    """What waits for run() does not run on a loop that somebody else runs meanwhile."""
    log: list[str] = []

    async def other() -> None:
        done = asyncio.Event()
        uvnet.next_tick(done.set)
        await done.wait()
        log.append("other")

    uvnet.next_tick(log.append, "mine")
    uvloop.run(other())
    assert log == ["other"]
    uvnet.run()
    assert log == ["other", "mine"]


def test_another_thread_has_a_queue_of_its_own(play: Player) -> None:
    ran: list[tuple[str, int]] = []

    def work() -> None:
        uvnet.next_tick(lambda: ran.append(("other", threading.get_ident())))
        uvnet.run()

    async def scenario() -> None:
        done = asyncio.Event()
        await asyncio.to_thread(work)
        uvnet.next_tick(lambda: ran.append(("main", threading.get_ident())))
        uvnet.next_tick(done.set)
        await done.wait()

    play(scenario)
    assert [name for name, _ in ran] == ["other", "main"]
    assert ran[0][1] != threading.get_ident() == ran[1][1]


def test_what_a_tick_holds_is_let_go(play: Player) -> None:
    class Argument:
        """Can be referred to weakly."""

    async def scenario() -> None:
        argument = Argument()
        reference = weakref.ref(argument)
        done = asyncio.Event()
        uvnet.next_tick(id, argument)
        uvnet.next_tick(done.set)
        del argument
        assert reference() is not None
        await done.wait()
        assert reference() is None

    play(scenario)


def test_what_waits_when_the_loop_is_closed_is_let_go() -> None:
    class Argument:
        """Can be referred to weakly."""

    loop = uvloop.new_event_loop()
    references: list[weakref.ref[Argument]] = []
    ran: list[Any] = []

    async def main() -> None:
        argument = Argument()
        references.append(weakref.ref(argument))

        def stop_and_queue() -> None:
            loop.stop()
            for _ in range(100):
                uvnet.next_tick(ran.append, argument)

        loop.call_soon(stop_and_queue)
        await asyncio.sleep(0)

    task = loop.create_task(main())
    loop.run_forever()
    loop.run_until_complete(task)
    loop.close()
    ran.clear()
    del task
    gc.collect()
    assert references[0]() is None
