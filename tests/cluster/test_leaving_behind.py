"""What a process leaves to another one, where there is no room for it."""

from __future__ import annotations

import errno
import os
import socket as plain
from pathlib import Path
from typing import Any, NoReturn

import pytest
from harness import Player

from uvnet import EventEmitter
from uvnet._accept.sharing import Wanted
from uvnet.cluster import last_words, upgrade
from uvnet.cluster.primary import Primary


@pytest.mark.parametrize("what", ["unnamed_file", "_execute"])
def test_connections_that_nobody_had_stay(play: Player, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """An upgrade that cannot be leaves all as it was."""

    def cannot(*_arguments: Any) -> NoReturn:
        raise OSError(errno.ENOSPC, "no space left")

    async def scenario() -> None:
        primary = Primary(EventEmitter())
        listening = plain.socket()
        listening.bind(("127.0.0.1", 0))
        shared = primary.sockets.add("key", listening, Wanted("127.0.0.1", 0, None, 5, False), True)
        near, far = plain.socketpair()
        shared.give_back([(near.detach(), b"")])
        with pytest.raises(OSError, match="no space left"):
            upgrade.execute_anew(primary, [], {})
        assert shared.waiting == 1
        primary.sockets.close()
        assert far.recv(1) == b""
        far.close()

    monkeypatch.setattr(upgrade, what, cannot)
    play(scenario)


def test_last_words_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    descriptor = os.open(path, os.O_RDONLY)
    monkeypatch.setattr(last_words, "_descriptor", descriptor)
    # Whoever has wanted to leave them raises the exception instead.
    assert not last_words.leave(ValueError("no such luck"))
    os.close(descriptor)
