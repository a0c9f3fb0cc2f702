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
    uvnet.Socket(high_water_mark="64k")  # type: ignore[call-overload]
    server.listen(1.5)  # type: ignore[call-overload]
    server.listen(port=80, hots="localhost")  # type: ignore[call-overload]
    socket.write(1)  # type: ignore[call-overload]
    socket.set_timeout("3")  # type: ignore[arg-type]
    socket.destroyed = True  # type: ignore[misc]
