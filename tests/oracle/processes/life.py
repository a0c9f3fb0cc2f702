"""Workers from their beginning to their end; life.js is the same for Node."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from stage import after, play, scenario, trace, turn, watch

import uvnet
from uvnet import cluster


def me() -> Any:
    return cluster.worker


def listen(callback: Any = None) -> Any:
    return uvnet.create_server().listen(0, "127.0.0.1", callback)


def state(it: Any) -> list[Any]:
    return [it.is_connected(), it.is_dead(), it.exited_after_disconnect]


def watch_all(it: Any) -> None:
    """Every event of a cluster and of one worker, with what is known of it then."""
    watch(
        "worker",
        it,
        online=lambda *given: [len(given), state(it)],
        listening=lambda address: [address.address, int(address.family[-1]), state(it)],
        disconnect=lambda *given: [len(given), state(it)],
        exit=lambda code, signal: [code, signal, it.is_dead(), it.exited_after_disconnect],
    )
    watch(
        "cluster",
        cluster,
        fork=lambda of: [of is it, state(of)],
        online=lambda of: [of is it],
        listening=lambda of, address: [of is it, address.address],
        disconnect=lambda of: [of is it, state(of)],
        exit=lambda of, code, signal: [of is it, code, signal, of.is_dead()],
    )


class PrimaryDisconnects:
    def primary() -> None:
        it = cluster.fork()
        trace("forked", state(it), it.id, it.process.connected)
        watch_all(it)
        it.on("listening", lambda _: trace("disconnect()", it.disconnect() is it, state(it)))

    def worker() -> None:
        trace("knows", cluster.is_primary, cluster.is_worker, me().id, me().process is uvnet.parent_process())
        watch("worker", me(), disconnect=lambda *given: [len(given), me().is_connected()])
        watch("process", uvnet.parent_process(), disconnect=lambda *given: [len(given)])
        listen().on("close", lambda: trace("server", "close"))


class WorkerDisconnects:
    def primary() -> None:
        watch_all(cluster.fork())

    def worker() -> None:
        watch(
            "worker",
            me(),
            disconnect=lambda: [me().exited_after_disconnect, me().is_connected(), me().is_dead()],
        )
        listen(
            lambda: turn(lambda: trace("disconnect()", me().disconnect() is me(), me().exited_after_disconnect))
        )


class NothingToDo:
    """A worker stays for as long as it is connected."""

    def primary() -> None:
        it = cluster.fork()
        watch_all(it)
        it.on("online", lambda: after(0.2, it.disconnect))

    def worker() -> None:
        trace("runs")


class AllDisconnect:
    def primary() -> None:
        workers = [cluster.fork(), cluster.fork()]
        listening = 0
        gone: list[Any] = []

        def on_exit(it: Any, code: Any, signal: Any) -> None:
            gone.append([code, signal])
            if all(each.is_dead() for each in workers):
                trace("none left", len(cluster.workers))

        def on_listening(_it: Any, _address: Any) -> None:
            nonlocal listening
            listening += 1
            if listening < 2:
                return
            cluster.disconnect(disconnected)
            trace("disconnect() has returned", gone)

        def disconnected(*given: Any) -> None:
            trace("callback", len(given), sorted(each for each in gone if isinstance(each, int)))
            trace([each.is_connected() for each in workers])

        cluster.on("disconnect", lambda it: gone.append(it.id))
        cluster.on("exit", on_exit)
        cluster.on("listening", on_listening)

    def worker() -> None:
        listen()


class TheTableOfWorkers:
    def primary() -> None:
        it = cluster.fork()

        def tell(when: str) -> None:
            trace(when, it.id in cluster.workers)

        def on_listening(_address: Any) -> None:
            it.disconnect()
            tell("disconnect()")

        tell("forked")
        it.on("listening", on_listening)
        it.on("disconnect", lambda: tell("disconnect"))
        it.on("exit", lambda *_: tell("exit"))

    def worker() -> None:
        listen()


class NobodyToDisconnect:
    def primary() -> None:
        cluster.disconnect(lambda *given: trace("callback", len(given)))
        trace("disconnect() has returned")


class PrimaryKills:
    def primary() -> None:
        it = cluster.fork()

        def on_exit(code: Any, signal: Any) -> None:
            process = it.process
            trace("exit", code, signal, it.exited_after_disconnect, process.killed, process.signal_code, process.exit_code)
            trace("again", process.kill(), it.is_dead())

        it.on("exit", on_exit)
        it.on("listening", lambda _: it.kill())

    def worker() -> None:
        listen()


class PrimaryKillsWithASignal:
    def primary() -> None:
        it = cluster.fork()
        it.on("exit", lambda code, signal: trace("exit", code, signal, it.exited_after_disconnect))
        it.on("listening", lambda _: it.kill(signal.SIGKILL))

    def worker() -> None:
        listen()


class WorkerKillsItself:
    def primary() -> None:
        watch_all(cluster.fork())

    def worker() -> None:
        listen(lambda: turn(me().kill))


class WorkerExits:
    def primary() -> None:
        it = cluster.fork()
        it.on("exit", lambda code, signal: trace("exit", code, signal, it.exited_after_disconnect))
        it.on("disconnect", lambda: trace("disconnect", it.exited_after_disconnect))
        it.on("listening", lambda _: it.send("go"))

    def worker() -> None:
        listen()
        uvnet.parent_process().on("message", lambda *_: sys.exit(3))


class ConnectionsAreWaitedFor:
    def primary() -> None:
        it = cluster.fork()

        def on_listening(address: Any) -> None:
            client = uvnet.connect(address.port, "127.0.0.1")

            def on_data(data: bytes) -> None:
                trace("client", data.decode(), it.is_connected(), it.is_dead())
                client.end()

            def on_message(message: Any, _handle: Any) -> None:
                trace("message", message)
                if message == "connection":
                    it.disconnect()
                else:
                    client.write("more")

            client.on("data", on_data)
            it.on("message", on_message)

        it.on("listening", on_listening)
        it.on("disconnect", lambda: trace("disconnect", it.exited_after_disconnect))
        it.on("exit", lambda code, signal: trace("exit", code, signal))

    def worker() -> None:
        def on_connection(socket: Any) -> None:
            socket.on("data", lambda _: socket.write("answer"))
            socket.on("close", lambda _: trace("socket", "close", me().is_connected()))
            me().send("connection")
            after(0.2, lambda: me().send(["after disconnect()", server.listening]))

        server = uvnet.create_server(on_connection)
        server.listen(0, "127.0.0.1")
        server.on("close", lambda: trace("server", "close", me().is_connected()))
        me().on("disconnect", lambda: trace("disconnect"))


def hear(name: str, stream: Any) -> None:
    """Trace all that comes, as one."""
    chunks: list[bytes] = []
    stream.on("data", chunks.append)
    stream.on("end", lambda: trace(name, b"".join(chunks).decode().strip()))


class Settings:
    def primary() -> None:
        cluster.on("setup", lambda settings: trace("setup", settings["args"], bool(settings.get("silent"))))
        cluster.setup_primary(exec=sys.argv[0], args=[scenario, "special"])
        trace("setupPrimary() has returned", cluster.settings["args"])
        cluster.setup_primary(silent=True)
        it = cluster.fork({"MORE": "given"})
        for name in ("stdout", "stderr"):
            hear(name, getattr(it.process, name))
        it.process.on("close", lambda code, signal: trace("close", code, signal))

    def special() -> None:
        trace("arguments", sys.argv[1:], os.environ["MORE"], cluster.is_worker)
        print("out", flush=True)
        print("error", file=sys.stderr, flush=True)
        me().disconnect()


class Policy:
    def primary() -> None:
        trace(cluster.scheduling_policy == cluster.SCHED_RR, [cluster.SCHED_NONE, cluster.SCHED_RR])
        trace(cluster.is_primary, cluster.is_worker, cluster.worker, list(cluster.workers), list(cluster.settings))


play(globals())
