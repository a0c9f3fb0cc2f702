"""Every test runs on a loop of its own and leaves nothing behind.

`play(scenario)` runs a coroutine function inside a fresh uvloop and afterwards asserts that no handle, request
or pinned buffer is left, and that nothing was reported to the loop's exception handler that the test did
not expect.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Certificates
from harness import Player, Transport
from hypothesis import given, settings
from hypothesis import strategies as st

from uvnet._loop.counters import snapshot
from uvnet.socket.relaying import _enable

NOTHING = {"handles": 0, "requests": 0, "pinned": 0}


@pytest.fixture
def play() -> Iterator[Player]:
    player = Player()
    yield player
    assert len(player.reported) == player.expected, player.reported


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The workers of a parallel run find each other's tests by name.
    changing = [item.nodeid for item in items if re.search(" at 0x[0-9a-f]+", item.nodeid)]
    if changing:
        raise pytest.UsageError(f"names of tests that differ from run to run: {', '.join(changing)}")


@settings(max_examples=1, database=None)
@given(st.none())
def _draw(_nothing: None) -> None:
    """What hypothesis makes when it is first used."""


def pytest_collection_finish() -> None:
    # Tests and the modules they import stay to the end: collections after each test need not look at them.
    # Hypothesis asks the collector who refers to its random numbers, and would not hear of what is frozen.
    _draw()
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No test may leave a handle, a request or a pinned buffer, nor begin with one."""
    assert snapshot() == NOTHING
    # The collection afterwards is about what the test made. What pytest keeps of each test was half of the time.
    gc.freeze()
    yield
    gc.collect()
    assert snapshot() == NOTHING


@pytest.fixture
def relays_on() -> Iterator[None]:
    """Relays, also where UVNET_RELAY=0 has switched them off for the rest of the suite."""
    before = _enable(True)
    yield
    _enable(before)


@pytest.fixture(params=["tcp", "unix"])
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> Transport:
    """Where to listen and connect, once with TCP and once with a Unix socket."""
    return Transport(request.param, tmp_path)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority and certificates for localhost; skips where they cannot be made."""
    return Certificates(tmp_path_factory.mktemp("certificates"))
