"""Workers that listen at the same place; sharing.js is the same for Node."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from stage import after, code, message, place, plain, play, trace, turn

import uvnet
from uvnet import cluster

HOST = "127.0.0.1"


def me() -> Any:
    return cluster.worker


def ask(where: Any, callback: Callable[[str], object]) -> None:
    """Ask for a connection, which is answered with one chunk."""
    text = ""

    def on_data(data: bytes) -> None:
        nonlocal text
        text += data.decode()

    client = uvnet.connect(where) if isinstance(where, str) else uvnet.connect(where, HOST)
    client.on("data", on_data)
    client.on("error", lambda error: trace("client", code(error)))
    client.on("close", lambda _: callback(text))


def ask_often(where: Any, count: int, callback: Callable[[list[str]], object], answers: tuple[str, ...] = ()) -> None:
    if len(answers) == count:
        callback(list(answers))
    else:
        ask(where, lambda answer: ask_often(where, count, callback, (*answers, answer)))


def fork_and_hear(count: int, callback: Callable[[list[Any], list[Any]], object]) -> None:
    """Fork so many, and call back with what they said once each has said something."""
    said: dict[int, Any] = {}
    workers: list[Any] = []

    def listener(it: Any, message: Any, _handle: Any) -> None:
        said[it.id] = message
        if len(said) == count:
            cluster.off("message", listener)
            callback([said[number] for number in sorted(said)], workers)

    cluster.on("message", listener)
    for _ in range(count):
        workers.append(cluster.fork())


def serve() -> Any:
    return uvnet.create_server(lambda socket: socket.end(str(me().id)))


def tell_port(server: Any) -> None:
    server.listen(0, HOST, lambda: me().send(server.address().port))


def told(error: Any, port: int) -> list[Any]:
    return [
        [code(error), error.syscall, error.address, error.port == port],
        message(error).replace(str(port), "PORT"),
    ]


def listen_twice(first: Any, second: Any, callback: Callable[[list[Any]], object]) -> None:
    """Two servers, one after the other, and how each fared."""
    fared: list[Any] = []

    def done(server: Any, error: Any = None) -> None:
        fared.append(server.address() if error is None else plain(error))
        if len(fared) == 2:
            callback(fared)
        else:
            start(second)

    def start(where: Any) -> None:
        server = serve()
        server.on("error", lambda error: done(server, error))
        server.listen(where, lambda: done(server))

    start(first)


class OnePort:
    def primary() -> None:
        def heard(ports: list[Any], _workers: Any) -> None:
            trace("same", ports[0] == ports[1])
            ask_often(ports[0], 10, asked)

        def asked(answers: list[str]) -> None:
            trace("answers", answers.count("1"), answers.count("2"))
            cluster.disconnect()

        fork_and_hear(2, heard)

    def worker() -> None:
        server = serve()
        trace("before", server.listen(0, HOST) is server, server.listening, server.address())

        def listening() -> None:
            trace("listening", server.listening, server.address().address, server.address().family)
            me().send(server.address().port)

        server.on("listening", listening)


class TwoPorts:
    """listen(0) again is another socket, for all workers the same."""

    def primary() -> None:
        def heard(ports: list[Any], _workers: Any) -> None:
            trace("same", ports[0][0] == ports[1][0], ports[0][1] == ports[1][1], ports[0][0] == ports[0][1])
            cluster.disconnect()

        fork_and_hear(2, heard)

    def worker() -> None:
        where = {"port": 0, "host": HOST}
        listen_twice(where, where, lambda fared: me().send([each.port for each in fared]))


class Exclusive:
    def primary() -> None:
        def heard(ports: list[Any], _workers: Any) -> None:
            trace("same", ports[0] == ports[1])
            cluster.disconnect()

        fork_and_hear(2, heard)

    def worker() -> None:
        server = serve()
        server.listen({"port": 0, "host": HOST, "exclusive": True}, lambda: me().send(server.address().port))
        trace("at once", server.listening)
        me().on("disconnect", lambda: server.close())


class ThePrimaryHasIt:
    def primary() -> None:
        def listening() -> None:
            cluster.on("listening", lambda *_: trace("listening"))
            it = cluster.fork({"PORT": str(server.address().port)})
            it.on("exit", lambda *_: server.close())

        server = uvnet.create_server().listen(0, HOST, listening)

    def worker() -> None:
        port = int(os.environ["PORT"])

        def tell(name: str, options: dict[str, Any], following: Callable[[], object]) -> None:
            def on_error(error: Any) -> None:
                trace(name, *told(error, port), server.listening)
                following()

            server = serve()
            server.on("error", on_error)
            server.listen({"port": port, "host": HOST, **options})

        tell("shared", {}, lambda: tell("exclusive", {"exclusive": True}, me().disconnect))


class TheSamePortAgain:
    """Its own, by another server of the same worker."""

    def primary() -> None:
        cluster.on("listening", lambda *_: trace("listening"))
        cluster.fork()

    def worker() -> None:
        def listening() -> None:
            port = first.address().port
            second = serve()
            third = serve()

            def on_error(error: Any) -> None:
                trace(*told(error, port))
                first.close(lambda *_: third.listen(port, HOST, then))

            def then() -> None:
                trace("then", third.address().port == port)
                me().disconnect()

            second.on("error", on_error)
            second.listen(port, HOST)

        first = serve()
        first.listen(0, HOST, listening)


class APath:
    def primary() -> None:
        def there() -> bool:
            return os.path.exists(place("socket"))

        def heard(said: list[Any], _workers: Any) -> None:
            ask_often(place("socket"), 4, lambda answers: asked(said, answers))
            cluster.once("exit", lambda *_: cluster.once("exit", lambda *_: trace("afterwards", there())))

        def asked(said: list[Any], answers: list[str]) -> None:
            trace("said", said)
            trace("answers", answers.count("1"), there())
            cluster.disconnect()

        def listening(_it: Any, address: Any) -> None:
            nonlocal count
            count += 1
            if count == 2:
                trace("listening", address == place("socket"))

        count = 0

        fork_and_hear(2, heard)
        cluster.on("listening", listening)

    def worker() -> None:
        server = serve()
        server.listen(place("socket"), lambda: me().send(server.address() == place("socket")))
        trace("before", server.listening)


class OneOfTwoCloses:
    def primary() -> None:
        def heard(ports: list[Any], workers: list[Any]) -> None:
            workers[0].once("message", lambda *_: ask_often(ports[0], 4, asked))
            workers[0].send("close")

        def asked(answers: list[str]) -> None:
            trace("answers", answers)
            cluster.disconnect()

        fork_and_hear(2, heard)

    def worker() -> None:
        server = serve()
        tell_port(server)
        me().on("message", lambda *_: server.close(lambda *_: me().send("closed")))


class TheLastOneCloses:
    """Then the port is free."""

    def primary() -> None:
        def heard(ports: list[Any], workers: list[Any]) -> None:
            def closed(*_: Any) -> None:
                def listening() -> None:
                    trace("listening")
                    server.close()
                    workers[0].disconnect()

                server = uvnet.create_server()
                server.on("error", lambda error: trace("error", code(error)))
                server.listen(ports[0], HOST, listening)

            workers[0].once("message", closed)
            workers[0].send("close")

        fork_and_hear(1, heard)

    def worker() -> None:
        def closed(*_: Any) -> None:
            trace("closed", server.address(), server.listening)
            # What was said before it has come by then.
            after(0.1, lambda: me().send("closed"))

        server = serve()
        tell_port(server)
        me().on("message", lambda *_: server.close(closed))


class ListeningAgain:
    def primary() -> None:
        count = 0

        def listening(it: Any, address: Any) -> None:
            nonlocal count
            count += 1
            trace("listening", address.address)
            if count == 2:
                it.disconnect()

        cluster.on("listening", listening)
        cluster.fork()

    def worker() -> None:
        def again() -> None:
            port = server.address().port
            server.close(
                lambda *_: server.listen(port, HOST, lambda: trace("again", server.address().port == port))
            )

        server = serve()
        server.listen(0, HOST, lambda: turn(again))


class ClosedBeforeItListens:
    def primary() -> None:
        it = cluster.fork()
        cluster.on("listening", lambda *_: trace("listening"))
        it.on("message", lambda *_: it.disconnect())

    def worker() -> None:
        def closed(error: Any) -> None:
            trace("closed", None if error is None else code(error), server.listening)
            after(0.1, lambda: me().send("done"))

        server = serve()
        server.listen(0, HOST)
        server.on("listening", lambda: trace("listening"))
        server.close(closed)


class ALimit:
    """Who is beyond it waits until there is room."""

    def primary() -> None:
        def heard(ports: list[Any], workers: list[Any]) -> None:
            def on_first(data: bytes) -> None:
                trace("first", data.decode())
                second = uvnet.connect(ports[0], HOST)
                second.on("data", lambda data: trace("second", data.decode()))
                second.on("error", lambda _: None)
                second.on("close", on_second_close)
                after(1.5, lambda: first.destroy())

            def on_second_close(_had_error: bool) -> None:
                trace("second", "close")
                first.destroy()
                workers[0].disconnect()

            first = uvnet.connect(ports[0], HOST)
            first.on("data", on_first)

        fork_and_hear(1, heard)

    def worker() -> None:
        dropped: list[Any] = []
        server = uvnet.create_server(lambda socket: socket.end("welcome"))
        server.max_connections = 1
        tell_port(server)
        server.on("drop", dropped.append)
        server.on("close", lambda: trace("dropped", len(dropped)))


class AllAccept:
    def primary() -> None:
        def heard(ports: list[Any], _workers: Any) -> None:
            trace("same", ports[0] == ports[1])
            ask_often(ports[0], 6, asked)

        def asked(answers: list[str]) -> None:
            trace("answers", set(answers) <= {"1", "2"})
            cluster.disconnect()

        cluster.scheduling_policy = cluster.SCHED_NONE
        fork_and_hear(2, heard)

    def worker() -> None:
        tell_port(serve())


class Unreferenced:
    def primary() -> None:
        it = cluster.fork()
        it.on("listening", lambda address: trace("listening", address.address))
        it.on("exit", lambda code, _: trace("exit", code))
        it.on("disconnect", lambda: trace("disconnect", it.exited_after_disconnect))
        it.on("message", lambda *_: it.disconnect())

    def worker() -> None:
        server = serve()
        server.listen(0, HOST, lambda: me().send("listening"))
        trace("unref", server.unref() is server)


play(globals())
