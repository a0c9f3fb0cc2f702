"""fork_datagrams.py WHERE: a child is forked while a UDP socket is open, in a coroutine or in its own callback.

The child cannot use it, and closes nothing of the parent's.
"""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop
from datagrams import End
from waiting import until


def fork(end: End) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            end.handle.send([b"from the child"], end.name)
        except RuntimeError as error:
            status = 0 if "fork" in str(error) and end.handle.fileno() == -1 and not end.handle.is_open else 2
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


async def main() -> None:
    one, other = End(), End()
    if sys.argv[1] == "callback":
        received = one.received

        def receive(batch: list[object]) -> None:
            received(batch)  # type: ignore[arg-type]
            if len(one.batches) == 1:
                fork(one)

        one.received = receive  # type: ignore[method-assign,assignment]
        one.handle.close()
        one.__init__()  # type: ignore[misc]
    else:
        fork(one)
    one.handle.send([b"a"], other.name)
    other.handle.send([b"b"], one.name)
    await until(lambda: one.got and other.got)
    other.handle.send([b"c"], one.name)
    await until(lambda: len(one.got) == 2)
    assert one.data == [b"b", b"c"]
    await one.close()
    await other.close()


async def bounded() -> None:
    await asyncio.wait_for(main(), 20)


uvloop.run(bounded())
print("done")
