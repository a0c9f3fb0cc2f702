"""What is buffered: read(n), unshift(), decoding, and sockets that are paused from the start."""

from __future__ import annotations

from typing import Any

from oracle.language import (
    FLOW,
    Scenario,
    client,
    data,
    finish,
    it,
    peer,
    show,
    spaced,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]

ARRIVED = ["peer sent", "client ready"]


def _decoded(encoding: str, *pieces: str, **more: Any) -> Scenario:
    """Pieces of a text that come one by one, as characters."""
    return Scenario(
        f"decoding {encoding}",
        "2.15.7",
        accept=[
            it.watch(),
            wait(5, *spaced(*[it.write(data(piece)) for piece in pieces], it.end())),
        ],
        steps=[
            client.make(),
            show(client.setEncoding(encoding)),
            client.get("readableEncoding"),
            client.watch(),
            client.on("data", client.get("readableLength", "bytesRead")),
            client.dial(),
        ],
        until=BOTH_CLOSED,
        **more,
    )


def _by_hand(name: str, *steps: Any, ended: bool = True) -> Scenario:
    """read() of what is buffered, once six bytes are there, and the end too or not."""
    return Scenario(
        name,
        "3.1.3",
        accept=[
            it.watch(),
            it.write(data("abcdef")),
            wait(5, *([it.end()] if ended else []), wait(10, it.mark("sent"))),
        ],
        steps=[
            client.make(highWaterMark=16_384),
            client.watch(),
            client.dial(),
            when(
                ARRIVED,
                client.get(*FLOW),
                *steps,
                client.get(*FLOW),
                wait(15, client.resume(), peer.end()),
            ),
        ],
        until=BOTH_CLOSED,
    )


SCENARIOS = [
    _by_hand("read() everything", show(client.read()), show(client.read())),
    _by_hand(
        "read(n)",
        show(client.read(2)),
        show(client.read(10)),
        show(client.read()),
        show(client.read()),
    ),
    _by_hand("read(0)", show(client.read(0)), client.get(*FLOW)),
    _by_hand("read(n) of exactly what there is", show(client.read(6)), show(client.read(1))),
    _by_hand("read(n) of more than there is, after the end", show(client.read(7))),
    _by_hand(
        "read(n) of more than there is, before the end",
        show(client.read(7)),
        client.get("readableHighWaterMark"),
        show(client.read(2)),
        ended=False,
    ),
    _by_hand(
        "read(n) with an encoding",
        client.setEncoding("utf8"),
        show(client.read(2)),
        show(client.read()),
    ),
    _by_hand("read() emits 'data'", client.pause(), client.on("data"), show(client.read(2))),
    _by_hand(
        "unshift and read", show(client.read(3)), client.unshift(data("xyz")), show(client.read())
    ),
    _by_hand("unshift a string", client.unshift("\u00e9"), show(client.read(4))),
    _by_hand("unshift nothing", client.unshift(data("")), client.get(*FLOW)),
    _by_hand(
        "set_encoding with buffered data",
        client.setEncoding("hex"),
        client.get(*FLOW),
        show(client.read(3)),
    ),
    Scenario(
        "unshift in 'data'",
        "3.1.5",
        accept=[it.watch(), it.end(data("abcdef")), wait(10, it.mark("sent"))],
        steps=[
            client.make(),
            client.watch(),
            client.once(
                "data",
                client.pause(),
                client.unshift(data("again")),
                client.get(*FLOW),
                label="first",
            ),
            client.dial(),
            when(ARRIVED, client.on("data"), client.resume()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "unshift in a flow",
        "3.1.5",
        accept=[it.watch(), it.end(data("abc"))],
        steps=[
            client.make(),
            client.watch(),
            client.once("data", client.unshift(data("again")), client.get(*FLOW), label="first"),
            client.on("data", label="second"),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "unshift before anything could be read",
        "3.1.5, 2.15.2",
        accept=[it.watch(), it.end(data("abc"))],
        steps=[
            client.make(),
            client.watch("resume"),
            client.on(
                "connect",
                client.on("data"),
                client.unshift(data("again")),
                client.get(*FLOW),
                client.tick("tick"),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "unshift after pause() and resume()",
        "3.1.5, 2.15.3",
        accept=[it.watch(), it.write(data("abc"))],
        steps=[
            client.make(),
            client.watch("resume", "pause"),
            client.on("data"),
            client.dial(),
            when(
                ["client data"],
                client.pause(),
                client.resume(),
                client.unshift(data("again")),
                client.get(*FLOW),
                client.tick("tick"),
                client.end(),
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "unshift when paused from the start",
        "3.1.5, 2.15.4",
        accept=[it.watch(), it.write(data("abc"))],
        steps=[
            client.make(),
            client.watch("resume"),
            client.pause(),
            client.on("data"),
            client.dial(),
            when(
                ["client ready"],
                client.resume(),
                client.unshift(data("again")),
                client.get(*FLOW),
                client.tick("tick"),
            ),
            when(["client data", "client data"], client.end()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "unshift into a flow without a connection",
        "3.1.5",
        server=None,
        transports=("tcp",),
        steps=[
            client.make(),
            client.on("resume"),
            client.on("data"),
            client.unshift(data("again")),
            client.get(*FLOW),
            client.tick("tick"),
        ],
        until=["client tick"],
    ),
    Scenario(
        "destroy drops what nobody took",
        "2.11.4",
        accept=[it.on("close"), it.on("error"), it.end(data("abc")), wait(10, it.mark("sent"))],
        without=("peer",),
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            when(
                ARRIVED,
                client.destroy(),
                show(client.read()),
                client.get(*FLOW, "bytesRead"),
                client.on("data"),
            ),
        ],
        until=["client close"],
    ),
    Scenario(
        "pauseOnConnect",
        "1.8.3",
        server={"pauseOnConnect": True},
        accept=[it.get(*FLOW, "bytesRead"), show(it.isPaused()), it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            client.end(data("abc")),
            when(["client finish"], wait(20, peer.get(*FLOW, "bytesRead"), peer.resume())),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "pauseOnConnect and 'readable'",
        "1.8.3, 3.1.4",
        server={"pauseOnConnect": True},
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            client.end(data("abc")),
            when(["client finish"], wait(20, peer.on("readable", show(peer.read())))),
        ],
        until=BOTH_CLOSED,
    ),
    _decoded("utf8", "h\xc3", "\xa9 \xe2\x82", "\xac", "\xf0\x9f\x98", "\x80."),
    _decoded("UTF-8", "\xc3\xa9", "tail \xe2\x82"),
    _decoded("latin1", "h\xe9", "\xff"),
    _decoded("binary", "h\xe9", "\xff"),
    _decoded("ascii", "h\xe9", "\xff"),
    _decoded("hex", "a", "bc\xff"),
    _decoded("base64", "a", "bcde", "f\xff"),
    _decoded("base64url", "\xfb", "\xff\xfe\xfa", "f"),
    _decoded("utf16le", "h\x00\xe9", "\x00\x3d\xd8", "\x00\xde"),
    _decoded(
        "UTF-16LE",
        "h\x00",
        "x",
        decision="2.15.7: an incomplete tail is U+FFFD in every encoding of characters",
        differs={
            "client": [
                ["setEncoding =", "<client>"],
                ["state", {"readableEncoding": "utf16le"}],
                ["connect"],
                ["ready"],
                ["data", "h"],
                ["state", {"bytesRead": 2, "readableLength": 0}],
                ["data", "\ufffd"],
                ["state", {"bytesRead": 3, "readableLength": 0}],
                ["end"],
                ["prefinish"],
                ["finish"],
                ["close", False],
            ]
        },
    ),  # fmt: skip
    _decoded("ucs2", "h", "\x00"),
    Scenario(
        "an encoding that does not exist",
        "2.15.7",
        server=None,
        transports=("tcp",),
        steps=[
            client.make(),
            client.setEncoding("klingon"),
            client.get("readableEncoding"),
            show(client.setEncoding()),
            client.get("readableEncoding"),
            finish(),
        ],
    ),
    Scenario(
        "an encoding set between two chunks",
        "2.15.7",
        accept=[
            it.watch(),
            wait(5, *spaced(it.write(data("a\xc3\xa9")), it.end(data("b\xc3\xa9")))),
        ],
        steps=[
            client.make(),
            client.watch(),
            client.on("data", client.setEncoding("utf8")),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
]
