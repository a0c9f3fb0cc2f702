"""An installed uvnet at work: echo over TCP and over a Unix socket.  Needs uvnet and nothing else.

    python tests/wheels/smoke.py

Fails where uvnet is imported from a source tree instead of the installed wheel.
"""

from __future__ import annotations

import asyncio
import platform
import site
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop

import uvnet

PAYLOAD = bytes(range(256)) * 4096
LIMIT = 30  # seconds after which the test counts as hung


def from_site_packages() -> None:
    places = [Path(place).resolve() for place in site.getsitepackages()]
    found = Path(uvnet.__file__).resolve()
    if not any(place in found.parents for place in places):
        sys.exit(f"uvnet is imported from {found}, which is not installed")


async def echo(*where: Any) -> None:
    server = uvnet.create_server(lambda connection: connection.pipe(connection))
    server.listen(*where)
    await uvnet.once(server, "listening")
    address = server.address()
    if isinstance(address, uvnet.Address):
        client = uvnet.connect(address.port, address.address)
    else:
        client = uvnet.connect(str(address))
    client.end(PAYLOAD)
    received = b"".join([chunk async for chunk in client])
    server.close()
    await uvnet.once(server, "close")
    if received != PAYLOAD:
        sys.exit(f"{len(received)} bytes came back from {address}, not the {len(PAYLOAD)} that were sent")


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="uvnet-") as directory:
        await echo(0, "127.0.0.1")
        await echo(str(Path(directory, "echo.sock")))


if __name__ == "__main__":
    from_site_packages()
    uvnet.run(asyncio.wait_for(main(), LIMIT))
    print(
        f"uvnet {uvnet.__version__} echoes over TCP and a Unix socket: uvloop {uvloop.__version__}, "
        f"Python {platform.python_version()}, {platform.platform()}"
    )
