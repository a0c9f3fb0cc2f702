"""The readable side: flowing and paused, 'readable' and read(), encodings, unshift()."""

from __future__ import annotations

from typing import Any

from oracle.language import (
    FLOW,
    Scenario,
    client,
    data,
    fill,
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

# The peer sends two pieces, so far apart that they are two chunks, and ends.
TWO_PIECES = [it.watch(), wait(5, *spaced(it.write(data("abc")), it.end(data("def"))))]


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


def _by_hand(name: str, *steps: Any, accept: Any = None) -> Scenario:
    """read() of what is buffered, once six bytes are there."""
    return Scenario(
        name,
        "3.1.3",
        accept=accept or [it.watch(), it.end(data("abcdef"))],
        steps=[
            client.make(highWaterMark=16_384),
            client.watch(),
            client.dial(),
            wait(30, client.get(*FLOW), *steps, client.get(*FLOW), wait(15, client.resume())),
        ],
        until=BOTH_CLOSED,
    )


SCENARIOS = [
    Scenario(
        "listening to 'data' starts the flow",
        "2.15.2",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.get(*FLOW),
            client.on("data", client.get(*FLOW)),
            client.get(*FLOW),
            client.tick("tick", client.get(*FLOW)),
            client.on("resume"),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "listening to 'data' after the data",
        "2.15.1, 2.15.2",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            wait(
                60,
                client.get(*FLOW, "bytesRead"),
                client.on("data", client.get(*FLOW)),
                client.get(*FLOW),
                client.tick("tick"),
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "pause and resume",
        "2.15.3, 3.1.8",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch("pause", "resume"),
            client.on(
                "data",
                show(client.pause()),
                show(client.pause()),
                show(client.isPaused()),
                client.get(*FLOW),
                wait(
                    40,
                    show(client.resume()),
                    show(client.resume()),
                    show(client.isPaused()),
                    client.get(*FLOW),
                    client.tick("tick"),
                ),
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "pause before connect()",
        "2.15.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch("pause", "resume"),
            show(client.pause()),
            client.get(*FLOW),
            client.dial(),
            client.on("data"),
            wait(60, client.get(*FLOW, "bytesRead"), client.resume(), client.get(*FLOW)),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "pause while connecting, resume before 'connect'",
        "2.15.3, 2.15.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch("pause", "resume", "data"),
            client.dial(),
            client.pause(),
            client.resume(),
            client.get(*FLOW),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "pause in 'connect'",
        "2.15.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch("pause", "resume", "data"),
            client.on("connect", client.pause(), client.get(*FLOW), label="pauser"),
            client.dial(),
            wait(60, client.get(*FLOW), client.resume()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "resume without a listener",
        "2.15.6",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch("resume"),
            show(client.resume()),
            client.get(*FLOW),
            client.dial(),
            client.on("end", client.get(*FLOW, "bytesRead"), label="all gone"),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the last 'data' listener is removed",
        "2.15.6",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.on("data", client.off("data"), client.get(*FLOW)),
            client.dial(),
            client.on("end", client.get(*FLOW, "bytesRead"), label="at the end"),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "more than the high-water mark, and nobody reads",
        "2.15.1",
        accept=[it.on("close"), it.end(fill("x", 30_000))],
        steps=[
            client.make(readableHighWaterMark=1000),
            client.watch(),
            client.dial(),
            wait(40, client.on("end", client.get("bytesRead", *FLOW), label="all"), client.resume()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "'readable' and read()",
        "3.1.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.on("readable", client.get(*FLOW), show(client.read()), show(client.read()), client.get(*FLOW)),
            client.get(*FLOW),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "'readable' with buffered data",
        "3.1.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            wait(
                60,
                client.on("readable", client.get(*FLOW), show(client.read(4)), show(client.read())),
                client.get(*FLOW),
                client.tick("tick"),
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "'readable' that reads too little",
        "3.1.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.on("readable", show(client.read(2)), client.get(*FLOW)),
            client.dial(),
            wait(80, client.destroy()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "'readable' and 'data' together",
        "3.1.3, 3.1.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.on("data", client.get(*FLOW)),
            client.on("readable", show(client.read())),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "resume() with a 'readable' listener",
        "3.1.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch("resume"),
            client.on("readable"),
            client.resume(),
            client.get(*FLOW),
            client.dial(),
            wait(60, client.get(*FLOW), show(client.read()), show(client.read())),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the last 'readable' listener is removed",
        "3.1.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.on("data"),
            client.on("readable", client.off("readable"), client.get(*FLOW)),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "once 'readable'",
        "3.1.4",
        accept=[it.watch(), it.end(data("abc"))],
        steps=[
            client.make(),
            client.watch(),
            client.once("readable", show(client.read())),
            client.dial(),
            wait(40, client.get(*FLOW), client.resume()),
        ],
        until=BOTH_CLOSED,
    ),
    _by_hand("read() everything", show(client.read()), show(client.read())),
    _by_hand("read(n)", show(client.read(2)), show(client.read(10)), show(client.read()), show(client.read())),
    _by_hand("read(0)", show(client.read(0)), client.get(*FLOW)),
    _by_hand("read(n) of exactly what there is", show(client.read(6)), show(client.read(1))),
    _by_hand("read(n) of more than there is, after the end", show(client.read(7))),
    _by_hand(
        "read(n) of more than there is, before the end",
        show(client.read(7)),
        client.get("readableHighWaterMark"),
        show(client.read(2)),
        accept=[it.watch(), it.write(data("abcdef")), wait(60, it.end())],
    ),
    _by_hand("read(n) with an encoding", client.setEncoding("utf8"), show(client.read(2)), show(client.read())),
    _by_hand("read() emits 'data'", client.pause(), client.on("data"), show(client.read(2))),
    _by_hand("unshift and read", show(client.read(3)), client.unshift(data("xyz")), show(client.read())),
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
        accept=[it.watch(), it.end(data("abcdef"))],
        steps=[
            client.make(),
            client.watch(),
            client.once("data", client.pause(), client.unshift(data("again")), client.get(*FLOW), label="first"),
            client.dial(),
            wait(40, client.on("data"), client.resume()),
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
        "destroy drops what nobody took",
        "2.11.4",
        accept=[it.on("close"), it.on("error"), it.end(data("abc"))],
        without=("peer",),
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            wait(30, client.destroy(), show(client.read()), client.get(*FLOW, "bytesRead"), client.on("data")),
        ],
        until=["client close"],
    ),
    Scenario(
        "a paused socket does not see the end",
        "2.10.1",
        accept=[it.watch(), it.end(data("abc"))],
        steps=[
            client.make(),
            client.watch("data"),
            client.on("data", client.pause(), label="pauser"),
            client.dial(),
            wait(40, client.get(*FLOW, "bytesRead"), client.resume()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the end comes while the socket is paused, with nothing to read",
        "2.10.1",
        accept=[it.watch(), it.end()],
        steps=[
            client.make(),
            client.watch("data"),
            client.on("connect", client.pause(), label="pauser"),
            client.dial(),
            wait(40, client.get(*FLOW, "bytesRead"), client.resume()),
        ],
        until=BOTH_CLOSED,
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
        "UTF-16LE", "h\x00", "x",
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
        accept=[it.watch(), wait(5, *spaced(it.write(data("a\xc3\xa9")), it.end(data("b\xc3\xa9"))))],
        steps=[
            client.make(),
            client.watch(),
            client.on("data", client.setEncoding("utf8")),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
]
