"""run() with a coroutine: what it returns and raises, what it ends at its own end, and Ctrl-C, as asyncio.run()."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import uvnet


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Python's own handler, which a shell's background or somebody's test may have replaced."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Waiting:
    """A coroutine that waits for ever, and what it heard."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def main(self) -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise


# === Ends ===


def test_its_result_and_its_exception() -> None:
    async def gives() -> int:
        return 5

    async def fails() -> None:
        raise LookupError("by the test")

    assert uvnet.run(gives()) == 5
    with pytest.raises(LookupError, match="by the test"):
        uvnet.run(fails())


@pytest.mark.parametrize("debug", [True, False, None])
def test_the_debug_mode_is_as_asked(debug: bool | None) -> None:
    async def main() -> bool:
        return asyncio.get_running_loop().get_debug()

    usual = uvnet.run(main())
    assert uvnet.run(main(), debug=debug) is (usual if debug is None else debug)


def test_no_loop_is_current_afterwards() -> None:
    uvnet.run(asyncio.sleep(0))
    # Some versions of Python 3.10 warn instead.
    with pytest.raises((RuntimeError, DeprecationWarning)):
        asyncio.get_event_loop()


def test_a_coroutine_that_cancels_itself() -> None:
    """That is no Ctrl-C."""

    async def main() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        uvnet.run(main())


@pytest.mark.parametrize("leaving", [SystemExit, KeyboardInterrupt])
def test_a_callback_that_leaves(leaving: type[BaseException]) -> None:
    """The coroutine hears of it as a cancellation, and nothing comes after run()."""
    waiting = Waiting()

    def leave() -> None:
        raise leaving

    async def main() -> None:
        asyncio.get_running_loop().call_soon(leave)
        await waiting.main()

    with pytest.raises(leaving):
        uvnet.run(main())
    assert waiting.log == ["cancelled"]


def test_what_goes_wrong_on_the_way_out_is_reported() -> None:
    """It does not take the place of what the program leaves with."""
    reported: list[BaseException] = []
    problem = LookupError("by the test")

    def leave() -> None:
        raise SystemExit(3)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
        loop.call_soon(leave)
        try:
            await for_ever()
        finally:
            raise problem

    with pytest.raises(SystemExit) as caught:
        uvnet.run(main())
    assert caught.value.code == 3
    assert reported == [problem]


def test_a_coroutine_that_leaves() -> None:
    async def main() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit) as caught:
        uvnet.run(main())
    assert caught.value.code == 3


# === What is left ===


def test_tasks_that_are_left_are_cancelled() -> None:
    waiting = Waiting()
    reported: list[dict[str, Any]] = []
    problem = LookupError("when it was cancelled")

    async def fails() -> None:
        try:
            await for_ever()
        finally:
            raise problem

    async def goes_on() -> str:
        try:
            await for_ever()
        except asyncio.CancelledError:
            return "not cancelled"
        raise AssertionError

    async def main() -> list[asyncio.Task[Any]]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        tasks: list[asyncio.Task[Any]] = [loop.create_task(each) for each in (waiting.main(), fails(), goes_on())]
        await asyncio.sleep(0)
        return tasks

    cancelled, failed, went_on = uvnet.run(main())
    assert waiting.log == ["cancelled"]
    assert cancelled.cancelled()
    assert went_on.result() == "not cancelled"
    assert reported == [
        {"message": "unhandled exception during uvnet.run() shutdown", "exception": problem, "task": failed}
    ]


def test_generators_and_threads_that_are_left_are_ended() -> None:
    log: list[str] = []
    kept: list[AsyncIterator[int]] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            log.append("generator")

    def work() -> None:
        time.sleep(0.05)
        log.append("thread")

    async def main() -> None:
        kept.append(numbers())
        await anext(kept[0])
        asyncio.get_running_loop().run_in_executor(None, work)

    uvnet.run(main())
    assert log == ["generator", "thread"]


# === Ctrl-C ===


def test_ctrl_c_cancels(ctrl_c: None) -> None:
    waiting = Waiting()

    async def main() -> None:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
        await waiting.main()

    with pytest.raises(KeyboardInterrupt):
        uvnet.run(main())
    assert waiting.log == ["cancelled"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_nothing_happens(ctrl_c: None) -> None:
    waiting = Waiting()
    later = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    later.start()
    with pytest.raises(KeyboardInterrupt):
        uvnet.run(waiting.main())
    later.join()
    assert waiting.log == ["cancelled"]


def test_a_second_ctrl_c_interrupts_where_it_comes(ctrl_c: None) -> None:
    log: list[str] = []

    async def main() -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await for_ever()
        except asyncio.CancelledError:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                log.append("interrupted")
                raise

    with pytest.raises(KeyboardInterrupt):
        uvnet.run(main())
    assert log == ["interrupted"]


def test_ctrl_c_when_the_coroutine_is_done(ctrl_c: None) -> None:
    """There is nothing to cancel any more."""

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda _: signal.raise_signal(signal.SIGINT))

    with pytest.raises(KeyboardInterrupt):
        uvnet.run(main())


def test_ctrl_c_that_the_coroutine_takes(ctrl_c: None) -> None:
    """As asyncio.run(): who does not pass the cancellation on goes on."""

    async def main() -> int:
        signal.raise_signal(signal.SIGINT)
        try:
            await for_ever()
        except asyncio.CancelledError:
            return 5
        raise AssertionError

    assert uvnet.run(main()) == 5


@pytest.mark.parametrize("when", ["before", "inside"])
def test_a_handler_of_ones_own_stays(ctrl_c: None, when: str) -> None:
    heard: list[int] = []

    def handler(number: int, _frame: Any) -> None:
        heard.append(number)

    async def main() -> None:
        if when == "inside":
            signal.signal(signal.SIGINT, handler)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0)

    if when == "before":
        signal.signal(signal.SIGINT, handler)
    uvnet.run(main())
    assert heard == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is handler


def test_another_thread_runs_one(ctrl_c: None) -> None:
    """Where signals are none of its business."""
    results: list[int] = []

    async def main() -> int:
        return 5

    thread = threading.Thread(target=lambda: results.append(uvnet.run(main())))
    thread.start()
    thread.join()
    assert results == [5]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
