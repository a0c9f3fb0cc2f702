"""broken_pipe.py: SIGPIPE would end the process, and the sink of a bulk pipe goes away."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from relay_scene import BULK, Scene, kernel_pipes, new_pipes, pattern  # noqa: E402

signal.signal(signal.SIGPIPE, signal.SIG_DFL)


async def main() -> None:
    scene = Scene()
    before = set(kernel_pipes())
    source, _ = scene.connect("source")
    sink, _ = scene.connect("sink")
    sink.on("error", lambda error: print(error.code))
    source.pipe(sink)
    scene.peers["source"].send(pattern(BULK))
    await scene.quiet()
    assert source._relayed
    # Not even for a moment: the sink may be gone in any.
    assert not new_pipes(before)
    scene.peers["source"].send(pattern(BULK, 1))
    scene.peers["source"].turn()
    scene.peers["sink"].connection.shutdown(socket.SHUT_RD)
    await scene.until(lambda: sink.closed)
    await scene.close()
    print("alive")


uvloop.run(main())
