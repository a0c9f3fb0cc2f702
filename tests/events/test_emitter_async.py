"""EventEmitter: listeners that are `async def`."""

from __future__ import annotations

import asyncio
import gc
import warnings
import weakref
from typing import Any

import pytest
from harness import Player

from uvnet import EventEmitter


def test_a_coroutine_runs_as_a_task(play: Player) -> None:
    async def scenario() -> None:
        emitter = EventEmitter()
        log: list[Any] = []
        done = asyncio.Event()

        async def listener(argument: int) -> None:
            log.append(argument)
            await asyncio.sleep(0)
            done.set()

        emitter.on("event", listener)
        assert emitter.emit("event", 1) is True
        assert log == []
        await done.wait()
        assert log == [1]

    play(scenario)


def test_once_with_a_coroutine(play: Player) -> None:
    async def scenario() -> None:
        emitter = EventEmitter()
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        @emitter.once("event")
        async def listener(argument: int) -> None:
            done.set_result(argument)

        assert emitter.emit("event", 1) is True
        assert emitter.emit("event", 2) is False
        assert await done == 1

    play(scenario)


@pytest.mark.parametrize("several", [False, True])
def test_a_pending_task_is_kept_alive(play: Player, several: bool) -> None:
    """asyncio itself only has a weak reference, and here nobody else has any."""

    async def scenario() -> None:
        emitter = EventEmitter()
        done: list[Any] = []
        gates: list[weakref.ref[Any]] = []

        class Gate:
            """The only strong reference to it is in the coroutine that waits for it."""

            def __init__(self) -> None:
                self.future = asyncio.get_running_loop().create_future()

            def __await__(self) -> Any:
                return self.future.__await__()

        async def listener() -> None:
            gate = Gate()
            gates.append(weakref.ref(gate))
            done.append(await gate)

        for _ in range(2 if several else 1):
            emitter.on("event", listener)
        emitter.emit("event")
        del emitter
        await asyncio.sleep(0)
        gc.collect()
        assert gates
        for number, gate in enumerate(gates):
            assert gate() is not None
            gate().future.set_result(number)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait([task for task in tasks if "listener" in str(task.get_coro())])
        assert done == list(range(len(gates)))

    play(scenario)


def test_a_finished_task_is_let_go(play: Player) -> None:
    async def scenario() -> None:
        emitter = EventEmitter()
        tasks: list[weakref.ref[Any]] = []
        done = asyncio.Event()

        async def listener() -> None:
            tasks.append(weakref.ref(asyncio.current_task()))
            done.set()

        emitter.on("event", listener)
        emitter.emit("event")
        await done.wait()
        # The task's own done callbacks run in the next turn.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gc.collect()
        assert tasks[0]() is None

    play(scenario)


def test_an_exception_goes_to_the_loop(play: Player) -> None:
    async def scenario() -> None:
        emitter = EventEmitter()
        done = asyncio.Event()

        async def listener() -> None:
            asyncio.get_running_loop().call_soon(done.set)
            raise LookupError("async")

        emitter.on("event", listener)
        assert emitter.emit("event") is True
        await done.wait()
        await asyncio.sleep(0)

    play(scenario)
    assert str(play.expect_report(LookupError)) == "async"
    context = play.reported[0]
    assert "'event'" in context["message"]
    assert isinstance(context["source"], EventEmitter)


def test_an_async_error_listener_counts_as_one(play: Player) -> None:
    async def scenario() -> None:
        emitter = EventEmitter()
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        @emitter.on("error")
        async def listener(error: BaseException) -> None:
            done.set_result(error)

        error = LookupError("error")
        assert emitter.emit("error", error) is True
        assert await done is error

    play(scenario)


def test_a_cancelled_task_is_not_reported(play: Player) -> None:
    async def scenario() -> None:
        emitter = EventEmitter()
        started: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        @emitter.on("event")
        async def listener() -> None:
            started.set_result(asyncio.current_task())
            await asyncio.Event().wait()

        emitter.emit("event")
        task = await started
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)
        assert task.cancelled()

    play(scenario)


def test_without_a_loop_the_coroutine_is_closed() -> None:
    """No "coroutine was never awaited": the caller is told, once and clearly."""
    emitter = EventEmitter()
    started: list[str] = []

    async def listener() -> None:
        started.append("started")

    emitter.on("event", listener)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(RuntimeError, match="no running event loop"):
            emitter.emit("event")
        gc.collect()
    assert caught == []
    assert started == []


@pytest.mark.parametrize(
    "result", [0, False, "text", (), object(), iter(())], ids=lambda value: type(value).__name__
)
def test_other_results_are_ignored(result: Any) -> None:
    emitter = EventEmitter()
    emitter.on("event", lambda: result)
    assert emitter.emit("event") is True


def test_generators_are_not_run() -> None:
    emitter = EventEmitter()
    log: list[str] = []

    @emitter.on("event")
    def listener() -> Any:
        log.append("started")
        yield

    assert emitter.emit("event") is True
    assert log == []


def test_futures_and_tasks_belong_to_others(play: Player) -> None:
    """A listener may return what somebody else already runs, such as loop.create_task(...)."""

    async def scenario() -> None:
        emitter = EventEmitter()
        tasks: list[asyncio.Task[None]] = []

        async def work() -> None:
            await asyncio.sleep(0)
            raise LookupError("mine")

        def listener() -> asyncio.Task[None]:
            tasks.append(asyncio.create_task(work()))
            return tasks[-1]

        emitter.on("event", listener)
        emitter.emit("event")
        with pytest.raises(LookupError, match="mine"):
            await tasks[0]

    play(scenario)


def test_callables_that_make_coroutines(play: Player) -> None:
    """What counts is what the call returns, not how the listener looks."""

    async def scenario() -> None:
        emitter = EventEmitter()
        done = asyncio.Event()

        class Listener:
            async def __call__(self) -> None:
                done.set()

        emitter.on("event", Listener())
        emitter.emit("event")
        await done.wait()

    play(scenario)
