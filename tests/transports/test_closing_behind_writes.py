"""close() behind several writes that the system has not taken yet: none of them is lost."""

from __future__ import annotations

import asyncio
import socket

import pytest
from tls_stage import in_thread, on_loop


@pytest.mark.parametrize("sizes", [(16_000_000, 100), (16_000_000, 100, 100), (100, 16_000_000, 16_000_000)])
def test_all_of_it_arrives(sizes: tuple[int, ...]) -> None:
    async def scenario() -> int:
        listening = socket.create_server(("127.0.0.1", 0))

        def peer() -> int:
            accepted, _ = listening.accept()
            count = 0
            with listening, accepted:
                accepted.settimeout(20)
                while data := accepted.recv(65536):
                    count += len(data)
            return count

        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol, *listening.getsockname()
        )
        for size in sizes:
            transport.write(bytes(size))
        transport.close()
        return await in_thread(peer)  # type: ignore[no-any-return]

    assert on_loop(scenario) == sum(sizes)
