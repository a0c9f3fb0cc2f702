"""Attacks from another process: who does nothing wrong is served, and everything stays bounded.

How long that takes is measured by `python -m bench attacks`.  UVNET_ATTACK_SCALE=10 makes the attacks ten times as large.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from programs import Program, Result, run, started

HERE = Path(__file__).parent
SCALE = int(os.environ.get("UVNET_ATTACK_SCALE", "1"))
MEBIBYTE = 2**20
HOST = "127.0.0.1"
NEW_NETWORK = 0x40000000
Report = dict[str, Any]

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="all of 127/8 is this host's own on Linux alone"),
    pytest.mark.timeout(120 + 6 * (SCALE - 1)),
]


@contextlib.contextmanager
def own_network() -> Iterator[None]:
    """What is started meanwhile has a network of its own, in which all of 2001:db8::/32 is this host's."""
    library = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as before:
        if library.unshare(NEW_NETWORK) != 0:
            pytest.skip(f"no network namespace can be had here: {os.strerror(ctypes.get_errno())}")
        try:
            for command in ("link set lo up", "-6 route add local 2001:db8::/32 dev lo"):
                subprocess.run(["ip", *command.split()], check=True)
            yield
        finally:
            assert library.setns(before.fileno(), NEW_NETWORK) == 0


class Stage:
    """A server, one who attacks it, and one who is served meanwhile."""

    def __init__(self, server: Program, port: int, host: str = HOST) -> None:
        self.server = server
        self.port = port
        self.host = host
        self.attacker: Program | None = None

    def asked(self) -> Report:
        self.server.stdin.write(b"report\n")
        self.server.stdin.flush()
        report: Report = json.loads(self.server.line())
        return report

    def asked_until(self, condition: Callable[[Report], bool]) -> Report:
        """The first report of which that is true; the one after a minute where none is."""
        for _ in range(600):
            report = self.asked()
            if condition(report):
                break
            time.sleep(0.1)
        return report

    def serves(self, rounds: int = 100) -> Report:
        result = run(str(HERE / "good_client.py"), str(self.port), str(rounds), self.host)
        assert (result.code, result.errors) == (0, "")
        times: Report = json.loads(result.output)
        assert times["standing"]["rounds"] + times["fresh"]["rounds"] == rounds
        return times

    def attack_is_over(self) -> Report:
        assert self.attacker is not None
        result = self.attacker.result()
        assert (result.code, result.errors) == (0, "")
        report: Report = json.loads(result.output.splitlines()[-1])
        return report


@contextlib.contextmanager
def attacked(protection: str, attack: str, count: int, host: str = HOST) -> Iterator[Stage]:
    with started(str(HERE / "attacked.py"), protection) as server:
        word, _, port = server.line().partition(" ")
        assert word == "listening", server.result()
        stage = Stage(server, int(port), host=host)
        with started(str(HERE / "attacker.py"), attack, port.strip(), str(count), host) as attacker:
            stage.attacker = attacker
            line = attacker.line()
            assert line == "attacking\n", attacker.result()
            yield stage
        ended: Result = server.result()
        assert (ended.code, ended.errors) == (0, "")


def check_bounds(report: Report, descriptors: int, memory: int) -> None:
    assert report["descriptors"] <= descriptors, report
    assert report["grown"] <= memory, report
    for subject, lines in report["logged"].items():
        assert lines <= report["seconds"] + 1, (subject, report)


def test_slow_loris() -> None:
    """Many connections that send a byte now and then: too slow for the rate that they have to keep."""
    count = min(200 * SCALE, 1000)
    with attacked("slow-loris", "slow-loris", count) as stage:
        stage.serves()
        report = stage.asked_until(lambda report: report["dropped"].get("receive rate", 0) >= count)
        stage.serves(50)
        stage.attack_is_over()
        assert set(report["dropped"]) <= {"receive rate", "host limit"}
        assert report["dropped"]["receive rate"] >= count
        check_bounds(report, count + 40, 32 * MEBIBYTE)


def test_who_says_nothing() -> None:
    count = 200 * SCALE
    with attacked("silence", "silence", count) as stage:
        stage.serves()
        report = stage.asked_until(lambda report: report["dropped"].get("no data", 0) >= 2 * count)
        stage.serves(50)
        stage.attack_is_over()
        assert set(report["dropped"]) <= {"no data", "host limit", "host rate"}
        check_bounds(report, count + 40, 32 * MEBIBYTE)


@pytest.mark.parametrize("protection", ["flood", "flood-server"])
def test_a_flood(protection: str) -> None:
    """Of one host, which gets what it may have; the limit of the whole server is for many of them."""
    with attacked(protection, "flood", 20) as stage:
        stage.serves()
        done = stage.attack_is_over()
        report = stage.asked()
        check_bounds(report, 200, 32 * MEBIBYTE)
        assert set(report["dropped"]) == {"host rate"}
        rate, burst = (10, 40) if protection == "flood" else (100, 200)
        taken = done["begun"] - report["dropped"]["host rate"]
        # Those that were over before they were accepted are not counted.
        assert taken <= burst + rate * (report["seconds"] + 1) + 20 + done["begun"] // 10
        assert report["dropped"]["host rate"] > 0


@pytest.mark.parametrize("attack", ["hosts", "networks"])
def test_many_hosts(attack: str) -> None:
    """Each has its third connection dropped, and none is remembered longer than it has to be."""
    count = 1000 * SCALE
    network: AbstractContextManager[None]
    if attack == "hosts":
        network, host = contextlib.nullcontext(), HOST
    elif os.geteuid() == 0 and shutil.which("ip"):
        network, host = own_network(), "::1"
    else:
        pytest.skip("who is not root, or has no ip(8), cannot make a network with addresses of its own")
    with network, attacked(attack, attack, count, host) as stage:
        assert stage.attacker is not None
        stage.serves(100)
        assert stage.attacker.line() == "done\n"
        done = stage.attack_is_over()
        report = stage.asked_until(lambda report: report["open"] == 0)
        assert (done["begun"], done["cut"], done["failed"]) == (3 * count, count, 0)
        assert report["dropped"] == {"host limit": count}
        check_bounds(report, 300, 48 * MEBIBYTE)


def test_header_bombs() -> None:
    with attacked("header-bombs", "header-bombs", 50) as stage:
        stage.serves()
        report = stage.asked_until(lambda report: report["dropped"].get("proxy header", 0) >= 200 * SCALE)
        stage.serves(50)
        stage.attack_is_over()
        assert set(report["dropped"]) == {"proxy header"}
        assert report["logged"]
        check_bounds(report, 150, 32 * MEBIBYTE)


def test_a_reader_that_stops() -> None:
    with attacked("stopped-reader", "stopped-reader", 20 * SCALE) as stage:
        stage.serves()
        report = stage.asked_until(lambda report: report["dropped"].get("host rate", 0) >= 100)
        stage.serves(50)
        stage.attack_is_over()
        assert set(report["dropped"]) <= {"buffered", "host rate"}
        assert report["lost"] + report["dropped"].get("buffered", 0) >= 30
        # What all may have, and what comes until the next look.
        check_bounds(report, 20 * SCALE + 40, 256 * MEBIBYTE)


def test_framing_bombs() -> None:
    """Lines without an end: no more of one is kept than its limit and what the system's buffer brings at once."""
    with attacked("framing-bombs", "framing-bombs", 20 * SCALE) as stage:
        stage.serves()
        report = stage.asked_until(lambda report: report["dropped"].get("host rate", 0) >= 100)
        stage.serves(50)
        stage.attack_is_over()
        assert set(report["dropped"]) == {"host rate"}
        assert report["overruns"] >= 30
        check_bounds(report, 20 * SCALE + 40, 64 * MEBIBYTE)


@pytest.mark.parametrize("limit", ["", "-connections", "-host", "-rate"])
def test_out_of_descriptors(limit: str) -> None:
    """Who is there already is served; with a limit on what others can have, who comes is, too."""
    with started(str(HERE / "attacked.py"), f"descriptors{limit}") as server:
        port = server.line().split()[1]
        stage = Stage(server, int(port))
        with socket.create_connection((HOST, stage.port)) as there:
            there.sendall(b"here\n")
            assert there.recv(10) == b"here\n"
            attack = "one-host" if limit in ("-host", "-rate") else "silence"
            with started(str(HERE / "attacker.py"), attack, port, "150") as attacker:
                stage.attacker = attacker
                assert attacker.line() == "attacking\n"
                # It has 100 of them.
                wanted = {
                    "": ("file descriptors", 1), "-connections": ("connection limit", 1),
                    "-host": ("host limit", 100), "-rate": ("host rate", 100),
                }[limit]  # fmt: skip
                report = stage.asked_until(lambda report: report["dropped"].get(wanted[0], 0) >= wanted[1])
                for _ in range(20):
                    there.sendall(b"still here\n")
                    assert there.recv(20) == b"still here\n"
                if limit in ("-host", "-rate"):
                    stage.serves(50)
                    report = stage.asked()
                stage.attack_is_over()
            assert report["dropped"].get(wanted[0], 0) >= wanted[1]
            assert ("file descriptors" in report["dropped"]) == (limit == "")
            check_bounds(report, 100, 32 * MEBIBYTE)
        # Everybody is served in the end.
        stage.asked_until(lambda report: report["open"] == 0)
        stage.serves(20)
        ended: Result = server.result()
        assert (ended.code, ended.errors) == (0, "")
