"""create_proxy(): what its arguments may be."""

from __future__ import annotations

import asyncio
import inspect
import socket as plain
from pathlib import Path
from typing import Any

import pytest
from descriptors import KEEP_ALIVE, NO_DELAY, system_option
from harness import Player
from proxy_stage import (
    End,
    Stage,
    echo_once,
)

import uvnet

# === Arguments ===

NOBODY = "127.0.0.1:1"
BAD: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "no upstream": (None, {}, TypeError, "ERR_INVALID_ARG_TYPE"),
    "an empty path": ("", {}, TypeError, "ERR_INVALID_ARG_TYPE"),
    "a bool": (True, {}, TypeError, "ERR_INVALID_ARG_TYPE"),
    "a list": (["127.0.0.1", 80], {}, TypeError, "ERR_INVALID_ARG_TYPE"),
    "three parts": (("127.0.0.1", 80, 0), {}, TypeError, "ERR_INVALID_ARG_TYPE"),
    "a port too large": (65_536, {}, ValueError, "ERR_SOCKET_BAD_PORT"),
    "a negative port": (-1, {}, ValueError, "ERR_SOCKET_BAD_PORT"),
    "a port too large in text": ("127.0.0.1:65536", {}, ValueError, "ERR_SOCKET_BAD_PORT"),
    "a port that is none": (("127.0.0.1", "http"), {}, ValueError, "ERR_SOCKET_BAD_PORT"),
    "no port": (("127.0.0.1", None), {}, TypeError, "ERR_INVALID_ARG_TYPE"),
    "a host that is none": ((127, 80), {}, TypeError, "ERR_INVALID_ARG_TYPE"),
    "an address alone": ("127.0.0.1", {}, ValueError, "ERR_INVALID_ARG_VALUE"),
    "an IPv6 address alone": ("::1", {}, ValueError, "ERR_INVALID_ARG_VALUE"),
    "IPv6 without brackets": ("2001:db8:1:2:3:4:5:6:80", {}, ValueError, "ERR_INVALID_ARG_VALUE"),
    "an empty mapping": ({}, {}, TypeError, "ERR_MISSING_ARGS"),
    "a bad option of connect()": ({"port": 1, "family": 5}, {}, ValueError, "ERR_INVALID_ARG_VALUE"),
    "a bad option of Socket": ({"port": 1, "high_water_mark": -1}, {}, ValueError, "ERR_OUT_OF_RANGE"),
    "no connect_timeout": (NOBODY, {"connect_timeout": None}, TypeError, "ERR_INVALID_ARG_TYPE"),
    "connect_timeout 0": (NOBODY, {"connect_timeout": 0}, ValueError, "ERR_OUT_OF_RANGE"),
    "a negative connect_timeout": (NOBODY, {"connect_timeout": -1}, ValueError, "ERR_OUT_OF_RANGE"),
    "idle_timeout in text": (NOBODY, {"idle_timeout": "1"}, TypeError, "ERR_INVALID_ARG_TYPE"),
    "idle_timeout that is none": (NOBODY, {"idle_timeout": float("nan")}, ValueError, "ERR_OUT_OF_RANGE"),
    "version 3": (NOBODY, {"send_proxy_protocol": 3}, ValueError, "ERR_INVALID_ARG_VALUE"),
    "version 0": (NOBODY, {"send_proxy_protocol": 0}, ValueError, "ERR_INVALID_ARG_VALUE"),
    "version True": (NOBODY, {"send_proxy_protocol": True}, ValueError, "ERR_INVALID_ARG_VALUE"),
    "max_connections": (NOBODY, {"max_connections": -1}, ValueError, "ERR_OUT_OF_RANGE"),
    "block_list": (NOBODY, {"block_list": ["127.0.0.1"]}, TypeError, "ERR_INVALID_ARG_TYPE"),
    "high_water_mark": (NOBODY, {"high_water_mark": "1"}, TypeError, "ERR_INVALID_ARG_TYPE"),
}


@pytest.mark.parametrize(("upstream", "options", "kind", "code"), BAD.values(), ids=BAD)
def test_bad_arguments(
    play: Player, upstream: Any, options: dict[str, Any], kind: type[Exception], code: str
) -> None:
    async def scenario() -> None:
        with pytest.raises(kind) as caught:
            uvnet.create_proxy(upstream, **options)
        assert caught.value.code == code
        assert uvnet.active_handles() == []

    play(scenario)


@pytest.mark.parametrize(
    ("upstream", "says"),
    [
        (True, '"upstream" argument must be a port, an address, a path or a mapping'),
        ("127.0.0.1", "must have a port"),
        ("[::1]", "must have a port"),
        ("::1", "must have a port"),
        ("localhost:80a", "'80a' cannot be"),
    ],
)
def test_what_an_upstream_was_taken_for(play: Player, upstream: Any, says: str) -> None:
    async def scenario() -> None:
        with pytest.raises((TypeError, ValueError), match=says):
            uvnet.create_proxy(upstream)

    play(scenario)


@pytest.mark.parametrize(
    "name",
    [
        "allow_half_open", "callback", "encoding", "fd", "handle", "onread", "readable", "timeout", "writable",
        "hots",
    ],
)  # fmt: skip
def test_options_of_upstream_that_make_no_sense(play: Player, name: str) -> None:
    async def scenario() -> None:
        with pytest.raises(TypeError, match=name):
            uvnet.create_proxy({"port": 1, name: None})

    play(scenario)


def test_unknown_options(play: Player) -> None:
    async def scenario() -> None:
        with pytest.raises(TypeError, match="idle_timout"):
            uvnet.create_proxy(NOBODY, idle_timout=1)

    play(scenario)


@pytest.mark.parametrize("form", ["port", "text", "host:port", ":port", "tuple", "address", "mapping", "path object"])
def test_forms_of_upstream(play: Player, tmp_path: Path, form: str) -> None:
    async def scenario() -> None:
        back = "unix" if form == "path object" else "tcp"
        backend = plain.socket(plain.AF_UNIX if back == "unix" else plain.AF_INET)
        backend.bind(str(tmp_path / "here") if back == "unix" else ("127.0.0.1", 0))
        backend.listen()
        backend.setblocking(False)
        port = 0 if back == "unix" else backend.getsockname()[1]
        upstream: Any = {
            "port": port,
            "text": str(port),
            "host:port": f"localhost:{port}",
            ":port": f":{port}",
            "tuple": ("127.0.0.1", port),
            "address": uvnet.Address("127.0.0.1", "IPv4", port),
            "mapping": {"host": "127.0.0.1", "port": port},
            "path object": tmp_path / "here",
        }[form]
        async with Stage(tmp_path, upstream=upstream) as stage:
            client = await stage.client()
            await client.send(b"request")
            end = End((await asyncio.get_running_loop().sock_accept(backend))[0])
            assert await end.receive(7) == b"request"
            end.close()
        backend.close()

    play(scenario)


def test_ipv6_in_brackets(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        backend = plain.socket(plain.AF_INET6)
        try:
            backend.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 on the loopback interface")
        backend.listen()
        backend.setblocking(False)
        async with Stage(tmp_path, upstream=f"[::1]:{backend.getsockname()[1]}") as stage:
            client = await stage.client()
            await client.send(b"request")
            end = End((await asyncio.get_running_loop().sock_accept(backend))[0])
            assert await end.receive(7) == b"request"
            end.close()
        backend.close()

    play(scenario)


# === What is the case unless told otherwise ===


@pytest.mark.parametrize("given", [None, False, True])
@pytest.mark.parametrize(("name", "option"), [("no_delay", NO_DELAY), ("keep_alive", KEEP_ALIVE)])
def test_options_of_both_sides(
    play: Player, tmp_path: Path, name: str, option: tuple[int, int], given: bool | None
) -> None:
    async def scenario() -> None:
        options = {} if given is None else {name: given}
        async with Stage(tmp_path, **options) as stage:
            await echo_once(*await stage.pair())
            for socket in (stage.clients[0], stage.upstreams[0]):
                assert bool(system_option(socket, option)) == (given is not False)

    play(scenario)


def test_an_option_of_upstream_itself_goes_before(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        with plain.create_server(("127.0.0.1", 0)) as backend:
            backend.setblocking(False)
            mapping = {"host": "127.0.0.1", "port": backend.getsockname()[1], "keep_alive": False}
            async with Stage(tmp_path, upstream=mapping) as stage:
                client = await stage.client()
                end = End((await asyncio.get_running_loop().sock_accept(backend))[0])
                await echo_once(client, end)
                assert system_option(stage.clients[0], KEEP_ALIVE)
                assert not system_option(stage.upstreams[0], KEEP_ALIVE)
                end.close()

    play(scenario)


def test_defaults() -> None:
    parameters = inspect.signature(uvnet.create_proxy).parameters.values()
    assert {each.name: each.default for each in parameters if each.default is not each.empty} == {
        "connect_timeout": 10,
        "idle_timeout": None,
        "send_proxy_protocol": None,
        "max_connections": None,
        "tls": None,
        "upstream_tls": None,
    }
