"""redis-py on uvnet's loop, with a real server: TCP, TLS, a Unix socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asyncio_programs import needs, python, running
from certificates import Certificates
from peers import need, unused_port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[dict[str, Any]]:
    """A Redis in a folder of its own: the ways to it, as arguments of a client."""
    needs("redis")
    binary = need("redis-server", "redis-server")
    directory = tmp_path_factory.mktemp("redis")
    port, secure, path = unused_port(), unused_port(), str(directory / "socket")
    file = str(certificates.path("server"))
    with running(
        directory, binary, "--port", str(port), "--bind", "127.0.0.1", "--unixsocket", path, "--save", "",
        "--tls-port", str(secure), "--tls-cert-file", file, "--tls-key-file", file,
        "--tls-ca-cert-file", str(certificates.authority), "--tls-auth-clients", "no",
        ready="eady to accept connections", quiet=False,
    ):  # fmt: skip
        yield {
            "plain": {"port": port},
            "tls": {"port": secure, "ssl": True, "ssl_ca_certs": str(certificates.authority)},
            "unix": {"unix_socket_path": path},
        }


@pytest.mark.parametrize("how", ["plain", "tls", "unix"])
def test_redis(server: dict[str, Any], how: str, tmp_path: Path) -> None:
    program = f'''
import asyncio, uvnet
import redis.asyncio as redis

async def main():
    client = redis.Redis(**{server[how]!r})
    await client.flushall()
    big = bytes(range(256)) * 4000
    await client.set("big", big)
    assert await client.get("big") == big
    async with client.pipeline() as pipe:
        for number in range(1000):
            pipe.incr("count")
        assert await pipe.execute() == list(range(1, 1001))
    async with client.pubsub() as channel:
        await channel.subscribe("news")
        await channel.get_message(timeout=5)
        await client.publish("news", "hello")
        while (message := await channel.get_message(timeout=5)) is None or message["type"] != "message":
            pass
        assert message["data"] == b"hello"
    assert await asyncio.gather(*[client.get("big") for _ in range(20)]) == [big] * 20
    await client.aclose()
    print("done")

uvnet.run(main())
'''
    assert python(tmp_path, program) == "done\n"
