"""A block list judges the address that a connection really reaches, whatever was asked for (rule 4.13).

What the kernel makes of an address is asked of the kernel: each way is tried without a list first.
"""

from __future__ import annotations

import itertools
import socket as plain
from ipaddress import IPv6Address, ip_address
from typing import Any

import pytest
from harness import Player, close

import uvnet


class Text(str):
    """A str of another class, as an enumeration's members are."""


def has_ipv6() -> bool:
    try:
        with plain.socket(plain.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


ASKED = [
    "127.0.0.1", "127.0.0.5", "0.0.0.0", "0", "127.1", "0x7f000001", "localhost",
    "::1", "::", "::0", "0:0:0:0:0:0:0:0", "::%lo", "::ffff:127.0.0.1", "::ffff:7f00:5", "::FFFF:0.0.0.0",
    "0:0:0:0:0:ffff:0:0",
]  # fmt: skip
LOCAL = [None, "127.0.0.2", "0.0.0.0", "::", "::1", "::ffff:127.0.0.3"]
WAYS = list(itertools.product(ASKED, LOCAL))

pytestmark = pytest.mark.skipif(not has_ipv6(), reason="no IPv6")


async def tried(port: int, **options: Any) -> str:
    """The address that was reached, or the code of the error."""
    try:
        async with await uvnet.open_connection(port=port, **options) as socket:
            return str(socket.remote_address)
    except (OSError, RuntimeError) as error:
        return str(error.code)  # type: ignore[union-attr]


def everything_but(address: str) -> uvnet.BlockList:
    """Also every form of other addresses, and no form of this one."""
    number = int(ip_address(address))
    mapped = IPv6Address(address).ipv4_mapped if ":" in address else ip_address(address)
    if mapped is not None:
        number = int(IPv6Address(f"::ffff:{mapped}"))
    block_list = uvnet.BlockList()
    block_list.add_range(IPv6Address(0), IPv6Address(number - 1))
    block_list.add_range(IPv6Address(number + 1), IPv6Address(2**128 - 1))
    if mapped is not None:
        block_list.add_range("0.0.0.0", mapped - 1)
        block_list.add_range(mapped + 1, "255.255.255.255")
    return block_list


@pytest.mark.parametrize(("asked", "local"), WAYS, ids=lambda value: str(value))
def test_what_is_reached_is_blocked(play: Player, asked: str, local: str | None) -> None:
    """And nothing else is: with a list of all other addresses only what was asked itself can be in the way."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: socket.end()).listen(0)
        port = server.address().port
        options = {"host": asked, "local_address": local}
        reached = await tried(port, **options)
        if not uvnet.is_ip(reached):
            # The system refuses this way.
            return await close(server)
        named = {entry[4][0] for entry in plain.getaddrinfo(asked.partition("%")[0], port, type=plain.SOCK_STREAM)}
        block_list = uvnet.BlockList()
        # Of several addresses of a name the next one is tried.
        block_list.add_addresses({ip_address(reached), *(map(ip_address, named) if len(named) > 1 else ())})
        accepted: list[Any] = []
        server.on("connection", accepted.append)
        assert await tried(port, **options, block_list=block_list) == "ERR_IP_BLOCKED"
        proxy = uvnet.create_proxy({"port": port, **options, "block_list": block_list}).listen(0)
        client = uvnet.connect(proxy.address().port, "127.0.0.1").on("error", lambda _: None)
        error, _ = await uvnet.once(proxy, "upstreamError")
        assert error.code == "ERR_IP_BLOCKED"
        client.destroy()
        await close(proxy)
        assert accepted == []
        others = everything_but(reached)
        expected = "ERR_IP_BLOCKED" if all(address in others for address in named) else reached
        assert await tried(port, **options, block_list=others) == expected
        await close(server)

    play(scenario)


FORMS = {
    "text": lambda address: address,
    "text of another class": Text,
    "object": ip_address,
    "pair": lambda address: [(address, uvnet.is_ip(address))],
    "pair with an object": lambda address: [(ip_address(address), uvnet.is_ip(address))],
    "mapping": lambda address: [{"address": Text(address), "family": uvnet.is_ip(address)}],
    "after another": lambda address: ["127.0.0.9", address],
    "with the wrong family": lambda address: [(address, 10 - uvnet.is_ip(address))],
    "bytes": lambda address: [(address.encode(), uvnet.is_ip(address))],
    "bytes that claim a family": lambda address: {"address": address.encode(), "family": 4},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:0:0"])
def test_what_a_look_up_returns_is_judged(play: Player, address: str, form: str) -> None:
    async def scenario() -> None:
        accepted: list[Any] = []
        server = uvnet.create_server(accepted.append).listen(0)
        block_list = uvnet.BlockList()
        for blocked in ("127.0.0.1", "127.0.0.9", "::1"):
            block_list.add_address(ip_address(blocked))

        async def lookup(_host: str, _options: Any) -> Any:
            return FORMS[form](address)

        options: dict[str, Any] = {"host": "somewhere.invalid", "lookup": lookup, "block_list": block_list}
        expected = "ERR_INVALID_IP_ADDRESS" if form.startswith("bytes") else "ERR_IP_BLOCKED"
        with pytest.raises((OSError, RuntimeError, TypeError)) as caught:
            await uvnet.open_connection(port=server.address().port, **options)
        error: Any = caught.value
        assert expected in (error.code, *[each.code for each in getattr(error, "errors", [])])
        assert accepted == []
        await close(server)

    play(scenario)


@pytest.mark.parametrize("client", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("listening", ["::", "0.0.0.0", "127.0.0.1", "::ffff:127.0.0.1", "::1"])
def test_a_server_knows_whoever_comes(play: Player, listening: str, client: str) -> None:
    """A server of both families sees IPv4 clients under mapped addresses."""

    async def scenario() -> None:
        rule = IPv6Address(client).ipv4_mapped or client if ":" in client else client
        block_list = uvnet.BlockList()
        block_list.add_address(ip_address(str(rule)))
        for with_list in (False, True):
            server = uvnet.create_server(**({"block_list": block_list} if with_list else {}))
            drops: list[Any] = []
            server.on("connection", lambda socket: socket.end("in"))
            server.on("drop", drops.append)
            server.listen(0, listening)
            await uvnet.once(server, "listening")
            try:
                async with await uvnet.open_connection(server.address().port, client) as socket:
                    received = b"".join([chunk async for chunk in socket])
            except ConnectionRefusedError:
                # This server is not at this address.
                return await close(server)
            assert (received, len(drops)) == ((b"", 1) if with_list else (b"in", 0))
            await close(server)

    play(scenario)
