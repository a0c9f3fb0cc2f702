"""Servers and sockets that are sent; handles.js is the same for Node."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from stage import after, all_of, code, plain, play, scenario, trace

import uvnet

HOST = "127.0.0.1"


def child() -> Any:
    return uvnet.fork(sys.argv[0], [scenario, "child"])


def parent() -> Any:
    return uvnet.parent_process()


def nothing(*_: Any) -> None:
    pass


def connection(callback: Callable[[Any, Any, Any], object]) -> None:
    """A server, and a client that is connected to it: callback(server, socket, client)."""
    clients: list[Any] = []

    def on_connection(socket: Any) -> None:
        socket.on("error", nothing)
        callback(server, socket, clients[0])

    def listening() -> None:
        client = uvnet.connect(server.address().port, HOST)
        client.on("error", nothing)
        clients.append(client)

    server = uvnet.create_server(on_connection, pause_on_connect=True)
    server.listen(0, HOST, listening)


class AServer:
    def primary() -> None:
        it = child()

        def listening() -> None:
            port = server.address().port

            def on_message(message: Any, _handle: Any) -> None:
                trace("message", message["port"] == port, message["listening"])
                server.close(closed)

            def closed(*_: Any) -> None:
                trace("closed")
                client = uvnet.connect(port, HOST)
                client.on("data", lambda data: trace("data", data.decode()))
                client.on("close", lambda _: it.disconnect())

            it.send("server", server, lambda error: trace("sent", error, server.listening))
            it.once("message", on_message)

        server = uvnet.create_server()
        server.listen(0, HOST, listening)
        it.on("exit", lambda code, _: trace("exit", code))

    def child() -> None:
        def on_message(message: Any, server: Any) -> None:
            trace("message", message, isinstance(server, uvnet.Server), server.listening)

            def on_connection(socket: Any) -> None:
                socket.end("from the child")
                server.close(lambda *_: trace("closed"))

            server.on("connection", on_connection)
            parent().send({"port": server.address().port, "listening": server.listening})

        parent().on("message", on_message)


class ASocket:
    def primary() -> None:
        it = child()

        def connected(server: Any, socket: Any, client: Any) -> None:
            socket.on("close", lambda _: trace("socket", "close"))
            socket.on("end", lambda: trace("socket", "end"))
            returned = it.send("socket", socket, lambda error: trace("sent", error, socket.destroyed))
            trace("send() has returned", returned, socket.destroyed, socket.pending, socket.remote_address)

            def on_data(data: bytes) -> None:
                trace("client", "data", data.decode())
                client.end()

            client.write("to the child")
            client.on("data", on_data)
            client.on("close", lambda _: it.disconnect())
            server.close(lambda *_: trace("server", "closed"))

        connection(connected)

    def child() -> None:
        def on_message(message: Any, socket: Any) -> None:
            trace(
                "message",
                message,
                isinstance(socket, uvnet.Socket),
                socket.readable,
                socket.writable,
                socket.remote_address,
            )

            def on_data(data: bytes) -> None:
                trace("data", data.decode())
                socket.write("from the child")

            socket.on("data", on_data)
            socket.on("end", lambda: trace("end"))
            socket.on("close", lambda _: trace("close"))

        parent().on("message", on_message)


class ASocketThatIsKept:
    def primary() -> None:
        it = child()

        def connected(server: Any, socket: Any, client: Any) -> None:
            text = ""

            def on_data(data: bytes) -> None:
                nonlocal text
                text += data.decode()
                if text == "the child and the parent":
                    trace("client", text)
                    socket.destroy()
                    client.destroy()
                    server.close()
                    it.disconnect()

            def sent(error: Any) -> None:
                trace("sent", error, socket.destroyed, socket.pending, socket.writable)

            it.send("socket", socket, {"keep_open": True}, sent)
            it.on("message", lambda *_: socket.write("and the parent"))
            client.on("data", on_data)

        connection(connected)

    def child() -> None:
        def on_message(_message: Any, socket: Any) -> None:
            def written(*_: Any) -> None:
                parent().send("written")
                socket.destroy()

            trace("message", socket.writable)
            socket.write("the child ", written)

        parent().on("message", on_message)


class TheCountOverProcesses:
    def primary() -> None:
        it = child()

        def connected(server: Any, socket: Any, client: Any) -> None:
            def count(following: Callable[[], object]) -> None:
                def counted(error: Any, number: int) -> None:
                    trace("connections", error, number)
                    following()

                server.get_connections(counted)

            def send() -> None:
                it.send("socket", socket)
                it.once("message", lambda *_: count(close))

            def close() -> None:
                server.close(closed)
                after(0.2, not_yet)

            def not_yet() -> None:
                trace("not yet")
                client.end()

            def closed(*_: Any) -> None:
                trace("server", "closed")
                it.disconnect()

            count(send)

        connection(connected)

    def child() -> None:
        def on_message(_message: Any, socket: Any) -> None:
            socket.resume()
            parent().send("got it")

        parent().on("message", on_message)


class ADeadReceiver:
    def primary() -> None:
        it = child()

        def connected(server: Any, socket: Any, client: Any) -> None:
            def called(error: Any) -> None:
                trace("callback", plain(error), socket.destroyed, socket.pending)
                socket.end("still here")

            it.on("error", lambda error: trace("error", plain(error)))
            trace("send()", it.send("socket", socket, called))
            client.on("data", lambda data: trace("client", data.decode()))
            client.on("close", lambda _: server.close())

        it.on("exit", lambda *_: connection(connected))

    def child() -> None:
        pass


class AClosedServer:
    def primary() -> None:
        it = child()
        it.on("error", lambda error: trace("error", code(error)))
        try:
            trace("send()", it.send("server", uvnet.create_server()))
        except RuntimeError as error:
            trace("raised", code(error))

        def on_message(message: Any, _handle: Any) -> None:
            trace("message", message)
            it.disconnect()

        it.on("message", on_message)
        it.send("end")

    def child() -> None:
        def on_message(message: Any, handle: Any) -> None:
            trace("message", message, handle is None)
            if message == "end":
                parent().send("heard")

        parent().on("message", on_message)


class ThereAndBack:
    def primary() -> None:
        it = child()

        def connected(server: Any, socket: Any, client: Any) -> None:
            def on_message(message: Any, back: Any) -> None:
                trace("message", message, back is socket, back.remote_address)
                text = ""

                def on_data(data: bytes) -> None:
                    nonlocal text
                    text += data.decode()
                    if text == "after":
                        trace("data", text)
                        back.end("done")

                back.on("data", on_data)
                client.write("after")

            def on_end() -> None:
                client.end()
                it.disconnect()

            server.close()
            it.send("socket", socket)
            it.on("message", on_message)
            client.on("data", lambda data: trace("client", data.decode()))
            client.on("end", on_end)

        connection(connected)

    def child() -> None:
        parent().on("message", lambda _, socket: parent().send("back", socket))


class ToAWorkerThatServes:
    def primary() -> None:
        it = child()
        number = 0

        def close() -> None:
            server.close(closed)

        def closed(*_: Any) -> None:
            trace("closed")
            it.disconnect()

        done = all_of([0, 1, 2], close)

        def on_connection(socket: Any) -> None:
            nonlocal number
            it.send(number, socket)
            number += 1

        def request(index: int) -> None:
            client = uvnet.connect(server.address().port, HOST)
            text = ""

            def on_data(data: bytes) -> None:
                nonlocal text
                text += data.decode()

            def on_close(_had_error: bool) -> None:
                if text != f"answer to request {index}":
                    trace("wrong", text)
                done(index)

            client.end(f"request {index}")
            client.on("data", on_data)
            client.on("close", on_close)

        server = uvnet.create_server(on_connection, pause_on_connect=True)
        server.listen(0, HOST, lambda: [request(index) for index in range(3)])

    def child() -> None:
        def on_message(message: Any, socket: Any) -> None:
            trace("message", message)
            text = ""

            def on_data(data: bytes) -> None:
                nonlocal text
                text += data.decode()

            socket.on("data", on_data)
            socket.on("end", lambda: socket.end(f"answer to {text}"))

        parent().on("message", on_message)


class TheReceiverEnds:
    """A socket that the child had when it died is gone, and no more counted."""

    def primary() -> None:
        it = child()

        def connected(server: Any, socket: Any, client: Any) -> None:
            it.on("message", lambda *_: it.kill("SIGKILL"))
            it.send("socket", socket)
            client.on("close", lambda _: trace("client", "close"))
            client.resume()
            server.close(lambda *_: trace("server", "closed"))
            it.on("exit", lambda code, signal: trace("exit", code, signal))

        connection(connected)

    def child() -> None:
        def on_message(_message: Any, socket: Any) -> None:
            socket.on("close", nothing)
            parent().send("got it")

        parent().on("message", on_message)


play(globals())
