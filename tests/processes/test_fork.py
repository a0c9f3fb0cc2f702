"""uvnet.fork(): messages, and what goes with them."""

from __future__ import annotations

import asyncio
import socket as plain
import sys
from pathlib import Path
from typing import Any

from harness import Player

import uvnet

ECHO = """
import uvnet

async def main():
    parent = uvnet.parent_process()
    over = uvnet.once(parent, "disconnect")
    parent.on("message", lambda message, handle: parent.send(["echo", message], handle))
    await over

uvnet.run(main())
"""


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "child.py"
    path.write_text(text)
    return path


def test_messages_go_both_ways(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        child = uvnet.fork(script(tmp_path, ECHO))
        closed = uvnet.once(child, "close")
        messages: list[Any] = ["text", 1, None, {"a": [1.5, True, "\ud800"]}, "x" * 300_000]
        heard: list[Any] = []
        done = asyncio.get_running_loop().create_future()

        def listener(message: Any, handle: Any) -> None:
            heard.append(message)
            assert handle is None
            if len(heard) == len(messages):
                done.set_result(None)

        child.on("message", listener)
        for message in messages:
            child.send(message)
        await done
        assert heard == [["echo", message] for message in messages]
        child.disconnect()
        assert await closed == (0, None)

    play(scenario)


def test_a_connection_there_and_back(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        child = uvnet.fork(script(tmp_path, ECHO), exec_path=sys.executable)
        closed = uvnet.once(child, "close")
        near, far = plain.socketpair()
        far.setblocking(False)
        far.send(b"early")
        socket = uvnet.Socket(handle=near)
        while socket.readable_length == 0:
            await asyncio.sleep(0.001)
        answer = uvnet.once(child, "message")
        child.send("take this", socket)
        message, back = await answer
        assert message == ["echo", "take this"]
        far.send(b" and late")
        assert await back.read_exactly(14) == b"early and late"
        back.write(b"answer")
        loop = asyncio.get_running_loop()
        assert await loop.sock_recv(far, 10) == b"answer"
        back.destroy()
        assert await loop.sock_recv(far, 10) == b""
        far.close()
        child.disconnect()
        assert await closed == (0, None)

    play(scenario)
