"""What other extension modules use: `cimport` of the public classes, is_blocked(), and that without the GIL.

The module in tests/extension/ is compiled against the installed package, as a user's would be.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blocklist_model import random_address, random_rule
from harness import Player
from places import TESTS

import uvnet
from uvnet import BlockList

SOURCE = TESTS / "extension" / "check_sockaddr.pyx"
COMPILER = shutil.which(os.environ.get("CC", "cc"))

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="no C compiler (Debian package gcc)"),
    pytest.mark.skipif(importlib.util.find_spec("Cython") is None, reason="Cython is not installed"),
]


def sockaddr_of(address: str) -> bytes:
    """A struct sockaddr; "" is a Unix socket's."""
    ip = ipaddress.ip_address(address.partition("%")[0]) if address else None
    family = socket.AF_UNIX if ip is None else socket.AF_INET if ip.version == 4 else socket.AF_INET6
    if ip is None:
        rest = bytes(14)
    elif ip.version == 4:
        rest = struct.pack("!H", 80) + ip.packed + bytes(8)
    else:
        rest = struct.pack("!HI", 80, 0) + ip.packed + bytes(4)
    # BSD: a byte of length, a byte of family.
    start = bytes((len(rest) + 2, family)) if sys.platform == "darwin" else struct.pack("=H", family)
    return start + rest


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The compiled module."""
    directory = tmp_path_factory.mktemp("extension")
    generated = directory / "check_sockaddr.c"
    built = directory / ("check_sockaddr" + sysconfig.get_config_var("EXT_SUFFIX"))
    packages = Path(uvnet.__file__).parent.parent
    subprocess.run(
        [sys.executable, "-m", "cython", "-3", "-X", "freethreading_compatible=True", f"-I{packages}", str(SOURCE), "-o", str(generated)], check=True
    )
    assert COMPILER is not None
    loose = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    subprocess.run(
        [COMPILER, "-shared", "-fPIC", "-O1", f"-I{sysconfig.get_path('include')}", *loose]
        + [str(generated), "-o", str(built)],
        check=True,
    )
    spec = importlib.util.spec_from_file_location("check_sockaddr", built)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def check(extension: Any) -> Callable[..., int]:
    """check(block_list, address, times) of the compiled module."""
    return lambda block_list, address, times=1: extension.check(block_list, sockaddr_of(address), times)


def test_the_public_classes_are_types_of_arguments(extension: Any, play: Player) -> None:
    async def main() -> None:
        emitter, server, client, address = uvnet.EventEmitter(), uvnet.Server(), uvnet.Socket(), uvnet.SocketAddress()
        names = ["EventEmitter", "Server", "Socket", "SocketAddress"]
        assert extension.kinds(emitter, server, client, address) == names
        # A socket is an emitter.
        assert extension.kinds(client, server, client, address)[0] == "Socket"
        for wrong in ((emitter, client, client, address), (address, server, client, address)):
            with pytest.raises(TypeError):
                extension.kinds(*wrong)
        with pytest.raises(TypeError):
            extension.check([], b"", 1)

    play(main)


def test_it_answers_like_check(check: Callable[..., int]) -> None:
    """Rule 4.10 and what surrounds it, while the list changes between the questions."""
    source = random.Random(8)
    block_list = BlockList()
    found = 0
    for number in range(3000):
        if number % 3 == 0:
            rule = random_rule(source)
            getattr(block_list, f"add_{rule.kind}")(*rule.arguments, rule.family)
        if number % 40 == 0:
            block_list.clear()
        family = source.choice(("ipv4", "ipv6"))
        address = random_address(source, family)
        assert check(block_list, address) == block_list.check(address, family), (address, block_list.rules)
        found += block_list.check(address, family)
    assert 500 < found < 2500


def test_other_addresses_are_never_blocked(check: Callable[..., int]) -> None:
    """Such as those of Unix sockets."""
    block_list = BlockList()
    block_list.add_cidrs(["0.0.0.0/0", "::/0"])
    assert check(block_list, "") == 0
    assert check(block_list, "1.2.3.4") == check(block_list, "::1") == 1


def test_threads_change_the_list_meanwhile(check: Callable[..., int]) -> None:
    """Questions run without the GIL while another thread adds and removes."""
    block_list = BlockList()
    block_list.add_address("1.1.1.1")
    answers: list[int] = []
    changing = threading.Event()

    def ask() -> None:
        changing.wait()
        answers.append(check(block_list, "1.1.1.1", 200_000))
        answers.append(check(block_list, "::ffff:3.3.3.3", 200_000))

    thread = threading.Thread(target=ask)
    thread.start()
    rounds = 0
    while thread.is_alive() and rounds < 100_000:
        for number in range(40):
            block_list.add_address(f"2.2.2.{number}")
        for number in range(40):
            block_list.remove_address(f"2.2.2.{number}")
        rounds += 1
        changing.set()
    thread.join()
    assert rounds and answers == [200_000, 0]
    assert block_list.size == 1
