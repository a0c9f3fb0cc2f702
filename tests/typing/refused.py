"""What type checkers must refuse.  Each line is a mistake; where one is not found, its comment is unused.

mypy --strict and the next line see to it that this is found.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=error

from __future__ import annotations

import uvnet


def takes_text(chunk: str, other: str) -> None: ...


def nothing() -> None: ...


def listeners(server: uvnet.Server, socket: uvnet.Socket) -> None:
    server.on("connection", nothing)  # type: ignore[deprecated]
    server.once("listening", print, 1)  # type: ignore[call-overload]
    server.on("upstream", takes_text)  # type: ignore[deprecated]
    server.on("drop", takes_text)  # type: ignore[deprecated]
    socket.on("data", takes_text)  # type: ignore[deprecated]
    socket.once("close", nothing)  # type: ignore[deprecated]
    socket.add_listener("end", takes_text)  # type: ignore[deprecated]
    socket.on("own event", "no function")  # type: ignore[call-overload]

    @socket.on("data")  # type: ignore[type-var]
    def no_arguments() -> None: ...


def arguments(server: uvnet.Server, socket: uvnet.Socket) -> None:
    uvnet.create_server(no_dealy=True)  # type: ignore[call-overload]
    uvnet.create_server({"no_dealy": True})  # type: ignore[call-overload]
    uvnet.connect(80, "localhost", 3)  # type: ignore[call-overload]
    uvnet.connect(prot=80)  # type: ignore[call-overload]
    uvnet.create_server(on_max_buffered="drop")  # type: ignore[call-overload]
    uvnet.create_proxy(80, send_proxy_protocol=3)  # type: ignore[arg-type]
    uvnet.create_proxy({"port": 80, "onread": None})  # type: ignore[arg-type]
    uvnet.create_proxy({"prot": 80})  # type: ignore[arg-type]
    uvnet.create_proxy(80, no_dealy=True)  # type: ignore[call-arg]
    uvnet.Socket(high_water_mark="64k")  # type: ignore[call-overload]
    server.listen(1.5)  # type: ignore[call-overload]
    server.listen(0, [1])  # type: ignore[list-item]
    server.listen(port=80, hots="localhost")  # type: ignore[call-overload]
    socket.write(1)  # type: ignore[call-overload]
    socket.set_timeout("3")  # type: ignore[arg-type]
    socket.set_option(1, 2, "3")  # type: ignore[arg-type]
    socket.destroyed = True  # type: ignore[misc]
    socket.max_buffered = "64k"  # type: ignore[assignment]
    server.max_connections = "many"  # type: ignore[assignment]
    socket.on_max_buffered = "raise"  # type: ignore[attr-defined]


async def awaited(server: uvnet.Server, socket: uvnet.Socket) -> None:
    await uvnet.open_connection(prot=80)  # type: ignore[call-overload]
    await socket.read_exactly("4")  # type: ignore[arg-type]
    await socket.read_until(4)  # type: ignore[arg-type]
    await socket.send_file("path")  # type: ignore[call-overload]
    await socket.read_all()  # type: ignore[call-arg]
    socket.lines("\n")  # type: ignore[arg-type]
    await socket.close("3")  # type: ignore[arg-type]
    await server.shutdown("3")  # type: ignore[arg-type]
    await server.close()  # type: ignore[misc]
    socket.closed()  # type: ignore[operator]
