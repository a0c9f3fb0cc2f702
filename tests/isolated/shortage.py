"""An operation again and again, each time with another allocation failing, until it meets none any more.

A script says `main(OPERATIONS)` and is run as SCRIPT OPERATION ALLOCATOR [FIRST].  ALLOCATOR: "python", of everybody,
or "c", which is malloc of uvnet's modules: failing_allocators.c, compiled to what FAILING_ALLOCATORS names, and
preloaded for "c".

After each try: what arrived is the beginning of what was sent, all of it where nobody heard of an error, and no
handle, no descriptor is left.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import socket as plain
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import uvnet
from uvnet._loop.counters import snapshot
from uvnet._loop.loop import pending_loop

allocators = ctypes.PyDLL(os.environ["FAILING_ALLOCATORS"])
allocators.short_count.restype = ctypes.c_long


# A step lets the loop run.
Steps = Iterator[None]
# Does what is due before, fails somewhere in it, and lets the loop run.
Operation = Callable[["Stage", int], Steps]
loop: Any = pending_loop()


class Stage:
    """What one try has made, and what it has heard."""

    def __init__(self) -> None:
        self.trouble: list[Any] = []
        self.things: list[Any] = []
        self.received = bytearray()
        self.sent = b""
        self.short = False  # memory is
        self.met = False  # an allocation has failed
        self.afterwards: list[Callable[[], None]] = []  # what must be true when all is over is asserted there

    def heard(self, *what: Any) -> None:
        self.trouble.append(what)

    def keep(self, thing: Any) -> Any:
        self.things.append(thing)
        if isinstance(thing, (uvnet.Socket, uvnet.Server)):
            thing.on("error", self.heard)
        return thing

    def pair(self, **options: Any) -> tuple[uvnet.Socket, plain.socket]:
        ours, theirs = plain.socketpair()
        theirs.setblocking(False)
        self.things.append(theirs)
        return self.keep(uvnet.Socket(handle=ours, **options)), theirs

    def read(self, theirs: plain.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := theirs.recv(1 << 20):
                self.received += chunk

    def settle(self, *readers: plain.socket, turns: int = 12) -> Steps:
        for _ in range(turns):
            for theirs in readers:
                self.read(theirs)
            yield


def certainly(function: Callable[[], object]) -> None:
    """Call it; only one allocation fails."""
    try:
        function()
    except MemoryError:
        function()


class Short:
    """What uvnet does in here meets an allocation that fails."""

    def __init__(self, stage: Stage, number: int) -> None:
        self.stage = stage
        self.number = number

    def __enter__(self) -> None:
        self.stage.short = True
        number = ctypes.c_long(self.number)
        try:
            allocators.short_arm(number)
        except MemoryError:
            # The way back from there was the first to need some.
            self.stage.heard("at once")

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> bool:
        certainly(allocators.short_pause)
        self.stage.short = False
        if allocators.short_count() >= self.number:
            self.stage.met = True
        if isinstance(error, (MemoryError, OSError)):
            self.stage.heard(error)
            return True
        return False


def descriptors() -> dict[int, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{name}")
            if target.startswith("socket:"):
                found[int(name)] = target
    return found


def turn(stage: Stage) -> None:
    """Let the loop run for a moment."""
    if not stage.short:
        loop.call_later(0.0005, loop.stop)
        loop.run_forever()
        return
    certainly(allocators.short_pause)

    def stop() -> None:
        certainly(allocators.short_pause)
        loop.stop()

    # One of the two stops it, whichever allocation fails.
    timers = [loop.call_later(delay, stop) for delay in (0.0005, 0.02)]
    loop.call_soon(allocators.short_resume)
    loop.run_forever()
    for timer in timers:
        timer.cancel()
    certainly(allocators.short_resume)


def attempt(operation: Operation, number: int) -> Stage:
    stage = Stage()
    loop.set_exception_handler(lambda _, context: stage.heard(context["message"]))
    for _ in operation(stage, number):
        try:
            turn(stage)
        except MemoryError:
            turn(stage)
    for thing in stage.things:
        for way in ("destroy", "abort", "close"):
            if hasattr(thing, way):
                getattr(thing, way)()
                break
    for _ in range(3):
        turn(stage)
    for check in stage.afterwards:
        check()
    assert stage.sent.startswith(bytes(stage.received)), "what arrived is not what was sent"
    if not stage.trouble:
        assert stage.received == stage.sent, (len(stage.received), len(stage.sent))
    stage.things.clear()
    stage.afterwards.clear()
    gc.collect()
    turn(stage)
    return stage


def main(operations: dict[str, Operation]) -> None:
    name, allocator, *first = sys.argv[1:]
    if allocator == "python":
        allocators.short_install()
    # What cannot raise says so on standard error; here that is no defect.
    sys.unraisablehook = lambda _: None
    warnings.simplefilter("ignore")
    # What is made once is made, the loop's timer for limits of time too.
    stage = Stage()
    timed, _ = stage.pair()
    timed.set_timeout(1000)
    timed.destroy()
    attempt(operations[name], 1_000_000)
    gc.collect()
    before = descriptors()
    number = int(first[0]) if first else 0
    met = True
    while met:
        number += 1
        left = snapshot()
        try:
            stage = attempt(operations[name], number)
            for _ in range(1000):
                # A look-up that was given up goes on in its thread.
                if snapshot() == left:
                    break
                turn(stage)
            assert snapshot() == left, (left, snapshot(), stage.trouble)
            assert descriptors() == before, (before, descriptors(), stage.trouble)
        except BaseException:
            print("allocation", number, file=sys.stderr)
            raise
        met = stage.met
    print("allocations:", "some" if number > 1 else "none")
