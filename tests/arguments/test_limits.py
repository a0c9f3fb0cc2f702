"""The limits of every number that options take, and the texts that stand for numbers (rules 1.2, 1.3, 2.2)."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Player

import uvnet
from uvnet.addresses import endpoint
from uvnet.arguments import checks
from uvnet.server import listening
from uvnet.socket import options

# What is given, and what becomes of it: a value, or the class of the error.
GIVEN: dict[Callable[..., Any], dict[Any, Any]] = {
    lambda value: checks.check_port(value, "port", "port"): {
        0: 0, 65_535: 65_535, 65_536: ValueError, -1: ValueError, 80.0: 80, 0.5: ValueError, 65_535.5: ValueError,
        "80": 80, " 80 ": 80, "0x50": 80, "0X50": 80, "0o120": 80, "0b101": 5, "8e1": 80, "+80": 80,
        "": ValueError, " ": ValueError, "x": ValueError, "0x": ValueError, "8_0": ValueError, "0x5_0": ValueError,
        "nan": ValueError, "-1": ValueError, math.nan: ValueError, math.inf: ValueError,
        None: TypeError, b"80": TypeError,
    },
    lambda value: checks.check_integer(value, "number", 10): {
        0: 0, 10: 10, 11: ValueError, -1: ValueError, 3.0: 3, 3.5: ValueError, 10.5: ValueError,
        math.inf: ValueError, math.nan: ValueError, "1": TypeError, None: TypeError,
    },
    lambda value: checks.check_seconds(value, "seconds"): {
        0: 0, 1: 1000, 0.0001: 1, 1.0001: 1001, 2_147_483.647: 2**31 - 1, 2_147_484: 2**31 - 1, 2**31: 2**31 - 1,
        1e300: 2**31 - 1, -0.001: ValueError, math.inf: ValueError, math.nan: ValueError,
        "1": TypeError, None: TypeError,
    },
    lambda value: checks.check_high_water_mark(value, "mark"): {
        0: 0, 1: 1, 2**40: 2**40, 2**40 + 1: ValueError, -1: ValueError,
        2.0: TypeError, "1": TypeError, None: TypeError,
    },
    lambda value: checks.check_max_buffered(value, "cap"): {
        None: 0, 1: 1, 2**40: 2**40, 2**40 + 1: ValueError, 0: ValueError, -1: ValueError,
        1.5: TypeError, "1": TypeError,
    },
    lambda value: checks.check_on_max_buffered(value, "what"): {
        "raise": True, "destroy": False, "RAISE": ValueError, None: ValueError, "": ValueError,
    },
    lambda value: checks.check_delay(value, "delay"): {
        0: 0, 1: 1, 1.9: 1, 32_767: 32_767, 32_768: ValueError, 32_767.5: ValueError, -1: 0, -0.5: 0, -1e300: 0,
        -math.inf: ValueError, math.inf: ValueError, math.nan: ValueError, "1": TypeError,
        None: TypeError,
    },
    lambda value: checks.check_attempt_timeout(value, "timeout"): {
        0.25: 0.25, 1: 1.0, 0.001: 0.01, 0.01: 0.01, 0.011: 0.011, 2_147_483.647: 2_147_483.647,
        2_147_483.648: ValueError, 0: ValueError, -1: ValueError, math.nan: ValueError, math.inf: ValueError,
        "1": TypeError, None: TypeError,
    },
    listening._check_backlog: {
        None: 511, 0: 511, 1: 1, 512: 512, 2**31 - 1: 2**31 - 1, 2**31: ValueError, -1: ValueError,
        "5": 5, "0x10": 16, "5.0": 5, "5.5": TypeError, "x": TypeError, "": 511, "-1": ValueError, "2147483648": ValueError,
        2.0: TypeError, b"5": TypeError,
    },
    listening._check_handle: {
        0: 0, 3: 3, 2**31 - 1: 2**31 - 1, 2**31: ValueError, -1: ValueError, "3": ValueError,
        2.0: ValueError,
    },
    endpoint.is_pipe_name: {
        "here": True, "-1": True, "-0.5": True, "0x": True, "nan": True, "1_0": True, "": False, " ": False,
        "0": False, "1": False, "-0": False, "1e3": False, "0b1": False, "infinity": True, "-inf": True,
        "\u0661": True, Path("1"): True, 1: False, None: False, b"here": False,
    },
    lambda value: checks.check_path(value, "path"): {
        "here": "here", b"here": "here", b"\xff": "\udcff", Path("here"): "here", "": "",
        "\ud800": ValueError, 1: TypeError, None: TypeError,
    },
    lambda value: endpoint.check_host(value, "host"): {
        None: None, "": None, "name": "name", "a\0b": ValueError, "\0": ValueError, 1: TypeError, b"name": TypeError,
    },
}  # fmt: skip
CASES = [(check, value, expected) for check, cases in GIVEN.items() for value, expected in cases.items()]


def name_of(check: Callable[..., Any]) -> str:
    names = (check.__name__, *check.__code__.co_names)
    return next(name for name in names if name.startswith(("check_", "_check_", "is_pipe")))


@pytest.mark.parametrize(
    ("check", "value", "expected"), CASES, ids=[f"{name_of(check)} {value!r}" for check, value, _ in CASES]
)
def test_given(check: Callable[..., Any], value: Any, expected: Any) -> None:
    if isinstance(expected, type):
        with pytest.raises(expected) as caught:
            check(value)
        assert type(caught.value).__name__ in ("NetTypeError", "NetValueError")
    else:
        made = check(value)
        assert made == expected
        assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("given", "found"),
    [(None, 0), (0, 0), (1, 1), (65_535, 65_535), (65_536, ValueError), (-1, ValueError), ("1", TypeError), (True, TypeError)],
)
def test_local_ports(given: Any, found: Any) -> None:
    """Rule 2.2.2: they are numbers alone."""
    asked = {"port": 80, "local_port": given}
    if isinstance(found, type):
        with pytest.raises(found):
            options.parse_connect_options(asked, True, 0.25)
    else:
        assert options.parse_connect_options(asked, True, 0.25).local_port == found


@pytest.mark.parametrize("port", [None, 80])
@pytest.mark.parametrize("descriptor", [0, 3, -1, True, False, "3"])
def test_what_is_no_descriptor_leaves_the_port(descriptor: Any, port: int | None) -> None:
    """Rule 1.2: listen() looks for a port then, and refuses where there is none."""
    given = {"fd": descriptor, "port": port}
    if type(descriptor) is int and descriptor >= 0:
        found, _ = listening.parse_listen_options((), given)
        assert found.handle == descriptor
    elif port is None:
        with pytest.raises(ValueError) as caught:
            listening.parse_listen_options((), given)
        assert caught.value.code == "ERR_INVALID_ARG_VALUE"  # type: ignore[attr-defined]
    else:
        found, _ = listening.parse_listen_options((), given)
        assert (found.handle, found.port) == (None, port)


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("check", GIVEN, ids=map(name_of, GIVEN))
def test_a_bool_is_no_number(check: Callable[..., Any], value: bool) -> None:
    if check is endpoint.is_pipe_name:
        assert check(value) is False
    else:
        with pytest.raises((TypeError, ValueError)):
            check(value)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0), (" \t\n", 0), ("12", 12), ("-12", -12), ("+1.5e3", 1500), (".5", 0.5), ("0xfF", 255), ("0O17", 15),
        ("0b11", 3), ("1e999", math.inf), ("\u2003 7 ", 7),
    ],
)  # fmt: skip
def test_texts_of_numbers(text: str, number: float) -> None:
    assert checks.to_number(text) == number


@pytest.mark.parametrize(
    "text", ["x", "0x", "0b2", "0o8", "0xg", "1_0", "0x1_0", "nan", "NaN", "inf", "-Infinity", "1e", "--1", "\u0661", "0x-1", "0x+1", "0x 1", "0x\u0661", "0b\u0661"]
)
def test_texts_of_no_number(text: str) -> None:
    assert math.isnan(checks.to_number(text))


def test_a_path_may_be_of_a_subclass_of_str(play: Player, tmp_path: Path) -> None:
    class Text(str):
        """As of templates and enumerations."""

    async def scenario() -> None:
        path = Text(tmp_path / "socket")
        server = uvnet.create_server().listen(path=path)
        await uvnet.once(server, "listening")
        assert type(server.address()) is str
        client = await uvnet.open_connection(path=path)
        client.destroy()
        await server.shutdown()

    play(scenario)


@pytest.mark.parametrize(
    ("name", "value"),
    [("local_port", True), ("local_port", 1.0), ("local_port", "1"), ("callback", 5), ("hints", True), ("family", True)],
)
def test_options_of_connect_of_another_type(play: Player, name: str, value: Any) -> None:
    async def scenario() -> None:
        with pytest.raises(TypeError) as caught:
            uvnet.Socket().connect(port=1, **{name: value})
        assert caught.value.code == "ERR_INVALID_ARG_TYPE"
        assert uvnet.active_handles() == []

    play(scenario)
