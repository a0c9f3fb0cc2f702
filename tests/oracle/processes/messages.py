"""Messages between a process and its children; messages.js is the same for Node."""

from __future__ import annotations

import sys
from typing import Any

from stage import after, code, plain, play, scenario, trace, turn, watch

import uvnet
from uvnet import cluster


def child(**options: Any) -> Any:
    return uvnet.fork(sys.argv[0], [scenario, "child"], **options)


def parent() -> Any:
    return uvnet.parent_process()


class LifeOfAChild:
    def primary() -> None:
        it = child()
        watch(
            "child",
            it,
            spawn=lambda *given: [len(given)],
            message=lambda message, handle: [message, handle],
            disconnect=lambda *given: [len(given), it.connected],
            exit=lambda code, signal: [code, signal, it.exit_code, it.signal_code],
            close=lambda code, signal: [code, signal],
        )
        trace("forked", it.connected, it.killed, it.exit_code, it.signal_code, it.stdin, it.spawn_arguments[-2:])
        it.on("message", lambda *_: it.disconnect())

    def child() -> None:
        watch("process", parent(), disconnect=lambda *given: [len(given), parent().connected])
        parent().send({"text": "ä€😀", "numbers": [1, -2.5, 1e21], "nothing": None, "yes": True})


class ChildDisconnects:
    def primary() -> None:
        it = child()
        it.on("message", lambda message, _: trace("message", message))
        it.on("disconnect", lambda: trace("disconnect", it.connected))
        it.on("exit", lambda code, signal: trace("exit", code, signal))

    def child() -> None:
        for number in range(3):
            parent().send(number)
        parent().on("disconnect", lambda: trace("disconnect", parent().connected))
        parent().disconnect()
        trace("disconnect() has returned", parent().connected)


class ChildThatListensToNothing:
    """Nothing keeps it."""

    def primary() -> None:
        it = child()
        it.on("disconnect", lambda: trace("disconnect"))
        it.on("exit", lambda code, signal: trace("exit", code, signal))

    def child() -> None:
        trace("runs", parent().connected)


class ChildThatListens:
    """A listener for 'message' keeps it."""

    def primary() -> None:
        it = child()
        it.on("exit", lambda code, signal: trace("exit", code, signal))
        after(0.2, lambda: it.send("end"))

    def child() -> None:
        def listener(message: Any, _handle: Any) -> None:
            trace("message", message)
            parent().disconnect()

        parent().on("message", listener)


class Callbacks:
    def primary() -> None:
        it = child()

        def third(*given: Any) -> None:
            trace("callback", 3, given)
            it.disconnect()

        it.send("one", lambda *given: trace("callback", 1, given))
        it.send("two", None, lambda *given: trace("callback", 2, given))
        it.send("three", None, {}, third)
        trace("send() has returned")

    def child() -> None:
        parent().on("message", lambda message, _: trace("message", message))


class AfterTheEnd:
    def primary() -> None:
        it = child()

        def late() -> None:
            trace("disconnect", it.connected)
            trace("send()", it.send("late", lambda error: trace("callback", plain(error))))
            trace("without a callback", it.send("late"))
            trace("has returned")

        it.on("error", lambda error: trace("error", plain(error)))
        it.on("disconnect", late)
        it.disconnect()
        trace("disconnect() has returned", it.connected)
        trace("send()", it.send("early", lambda error: trace("callback", plain(error))))

    def child() -> None:
        pass


class DisconnectTwice:
    def primary() -> None:
        it = child()
        it.on("error", lambda error: trace("error", plain(error)))
        it.on("disconnect", lambda: trace("disconnect"))
        it.disconnect()
        it.disconnect()
        trace("has returned")

    def child() -> None:
        pass


class BeforeThereIsAListener:
    def primary() -> None:
        it = child()
        after(0.4, lambda: it.on("message", lambda message, _: trace("message", message)))

    def child() -> None:
        parent().send("one")
        parent().send("two")
        after(0.8, parent().disconnect)


class ChildWithoutAListenerYet:
    def primary() -> None:
        it = child()
        it.send("one")
        it.send("two")
        it.on("disconnect", lambda: trace("disconnect"))

    def child() -> None:
        def listener(message: Any, _handle: Any) -> None:
            trace("message", message)
            if message == "two":
                turn(parent().disconnect)

        after(0.2, lambda: parent().on("message", listener))


class Much:
    def primary() -> None:
        it = child()
        sent = [it.send("little")]
        text = "x" * (1 << 20)
        sent.extend((it.send(text), it.send(text)))
        trace("returned", sent)

        def listener(message: Any, _handle: Any) -> None:
            trace("message", message)
            it.disconnect()

        it.on("message", listener)

    def child() -> None:
        lengths: list[int] = []

        def listener(message: Any, _handle: Any) -> None:
            lengths.append(len(message))
            if len(lengths) == 3:
                parent().send(lengths)

        parent().on("message", listener)


class BadArguments:
    def primary() -> None:
        it = child()

        def attempt(name: str, call: Any) -> None:
            try:
                trace(name, call())
            except (TypeError, ValueError) as error:
                trace(name, code(error))

        attempt("a handle that is none", lambda: it.send("x", {"a": 1}))
        attempt("options", lambda: it.send("x", None, "keep_open"))
        attempt("kill", lambda: it.kill("SIGNOTHING"))
        it.disconnect()

    def child() -> None:
        pass


class Kill:
    def primary() -> None:
        it = child()

        def on_message(_message: Any, _handle: Any) -> None:
            trace("kill(0)", it.kill(0), it.killed)
            trace("kill()", it.kill("SIGKILL"), it.killed)

        def on_exit(code: Any, signal: Any) -> None:
            trace("exit", code, signal, it.exit_code, it.signal_code, it.killed)
            trace("again", it.kill())

        it.on("message", on_message)
        it.on("exit", on_exit)
        it.on("close", lambda code, signal: trace("close", code, signal, it.connected))

    def child() -> None:
        parent().on("message", lambda *_: None)
        parent().send("there")


class NoSuchProgram:
    def primary() -> None:
        it = uvnet.fork(sys.argv[0] + ".no.py", silent=True)
        it.on("message", lambda *_: trace("message"))
        it.on("exit", lambda code, signal: trace("exit", code != 0, signal))
        it.on("close", lambda code, signal: trace("close", code != 0, signal))


class Silent:
    def primary() -> None:
        it = child(silent=True)
        it.stdout.on("data", lambda data: trace("stdout", data.decode()))
        it.stdout.on("end", lambda: trace("stdout", "end"))
        it.on("close", lambda code, signal: trace("close", code, signal))
        it.stdin.end("given")

    def child() -> None:
        sys.stdout.write(sys.stdin.read().upper())


class WorkerAndPrimary:
    def primary() -> None:
        it = cluster.fork()
        it.on("message", lambda *given: trace("worker", given))
        it.process.on("message", lambda *given: trace("process", given))

        def listener(of: Any, message: Any, handle: Any) -> None:
            trace("cluster", of is it, message, handle)
            it.send("answer" if message == "hello" else "end")

        cluster.on("message", listener)

    def worker() -> None:
        me: Any = cluster.worker

        def listener(message: Any, _handle: Any) -> None:
            trace("worker", message)
            if message == "end":
                me.disconnect()
            else:
                me.send("well")

        me.on("message", listener)
        parent().on("message", lambda message, _: trace("process", message))
        parent().send("hello")


play(globals())
