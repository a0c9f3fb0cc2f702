"""pipe() to a destination that takes no more, while somebody resumes the source (rule 3.3)."""

from __future__ import annotations

import asyncio
import socket as plain

from harness import Player

import uvnet


class Full:
    """Takes everything, and always asks for a pause."""

    def __init__(self) -> None:
        self.events = uvnet.EventEmitter()
        self.chunks: list[bytes] = []
        for name in ("on", "once", "off", "emit", "prepend_listener", "listener_count"):
            setattr(self, name, getattr(self.events, name))

    def write(self, chunk: bytes) -> bool:
        self.chunks.append(chunk)
        return False


def test_a_source_that_is_resumed_while_the_pipe_waits_is_paused_again(play: Player) -> None:
    async def scenario() -> None:
        near, far = plain.socketpair()
        with far:
            source = uvnet.Socket(handle=near)
            destination = Full()
            source.pipe(destination)
            for expected in (1, 2, 3):
                far.send(b"chunk")
                while len(destination.chunks) < expected:
                    await asyncio.sleep(0)
                assert source.is_paused()
                # As Node does: one more chunk, and another pause.
                source.resume()
            source.pause()
            destination.emit("drain")
            assert not source.is_paused()
            source.destroy()
            await uvnet.once(source, "close")

    play(scenario)
