"""without_splice.py ERROR REFUSED: a bulk pipe in a process where the kernel refuses splice(2).

REFUSED is "both", or "out" for the moves out of a kernel pipe alone: those whose length is not that of a whole
pipe.  Exit code 77 where the system lets nobody refuse anything.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from relay_scene import BULK, Scene, pattern  # noqa: E402

error, refused = sys.argv[1:]
SPLICE = {"x86_64": 275, "aarch64": 76}
WHOLE_PIPE = 1 << 20
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
OFFSET_OF_NUMBER, OFFSET_OF_LENGTH = 0, 16 + 4 * 8


def refuse_splice() -> bool:
    """False where there is no way to do it."""
    number = SPLICE.get(platform.machine())
    if number is None:
        return False
    allowed_length = WHOLE_PIPE if refused == "out" else 0
    instructions = [
        (LOAD, 0, 0, OFFSET_OF_NUMBER),
        (JUMP_IF_EQUAL, 0, 2, number),
        (LOAD, 0, 0, OFFSET_OF_LENGTH),
        (JUMP_IF_EQUAL, 0, 1, allowed_length),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE | getattr(errno, error)),
    ]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    program = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(program))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0) == 0


async def main() -> None:
    scene = Scene()
    source, _ = scene.connect("source", "tcp")
    sink, _ = scene.connect("sink", "unix")
    source.pipe(sink)
    received = scene.peers["sink"].received
    scene.peers["source"].send(pattern(BULK))
    await scene.until(lambda: len(received) == BULK)
    scene.peers["source"].send(pattern(BULK, 1))
    await scene.until(lambda: len(received) == 2 * BULK)
    assert received == pattern(BULK) + pattern(BULK, 1)
    assert source._relayed
    await scene.close()
    print("all of it")


if not refuse_splice():
    print("no way to refuse a system call here")
    sys.exit(77)
uvloop.run(main())
