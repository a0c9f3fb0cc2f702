"""Options of the system's sockets, by number and by name, as the system itself says they are; tcp_info(), fileno()."""

from __future__ import annotations

import asyncio
import os
import re
import socket as plain
import sys
from pathlib import Path
from typing import Any

import pytest
from descriptors import option_of
from harness import Player, Transport, listen
from pairs import SMALL, read_now, take_over
from waiting import turns, until, upcoming

import uvnet
from uvnet.socket import system_options, tcp_info

linux = pytest.mark.skipif(sys.platform != "linux", reason="options of Linux")
TCP = plain.IPPROTO_TCP
SOCKET = plain.SOL_SOCKET

# By name: the option of the system, what is given, and what the system says then.
NAMED: dict[str, tuple[int, int, Any, int]] = {
    "receive_buffer": (SOCKET, plain.SO_RCVBUF, 50_000, 100_000),
    "send_buffer": (SOCKET, plain.SO_SNDBUF, 50_000, 100_000),
}
if sys.platform == "linux":
    NAMED |= {
        "user_timeout": (TCP, plain.TCP_USER_TIMEOUT, 1.5, 1500),
        "not_sent_low_water": (TCP, plain.TCP_NOTSENT_LOWAT, 20_000, 20_000),
    }
OPTIONS = {name: given for name, (_, _, given, _) in NAMED.items()}
KEEP_ALIVE = {"keep_alive": True, "keep_alive_initial_delay": 7, "keep_alive_interval": 5.5, "keep_alive_count": 3}


def check(socket: uvnet.Socket) -> None:
    for name, (level, number, _, expected) in NAMED.items():
        assert socket.get_option(level, number) == expected, name


async def connected(**options: Any) -> tuple[uvnet.Server, uvnet.Socket, uvnet.Socket]:
    server = uvnet.create_server(**options).listen(0, "127.0.0.1")
    await uvnet.once(server, "listening")
    accepted = upcoming(server, "connection")
    client = await uvnet.open_connection(server.port, "127.0.0.1")
    (socket,) = await accepted
    return server, client, socket


async def over(server: uvnet.Server, *sockets: uvnet.Socket) -> None:
    for socket in sockets:
        socket.destroy()
    await server.shutdown()


@linux
@pytest.mark.parametrize("how", ["option", "connect", "open", "again"])
def test_named_options_of_a_connection(play: Player, how: str) -> None:
    async def scenario() -> None:
        server = uvnet.create_server(lambda peer: peer.resume()).listen(0, "localhost")
        await uvnet.once(server, "listening")
        where = (server.port, "localhost")
        if how == "option":
            socket = uvnet.Socket(**OPTIONS).connect(*where)
        elif how == "connect":
            socket = uvnet.Socket(user_timeout=9).connect(*where, **OPTIONS)
        elif how == "open":
            socket = await uvnet.open_connection(*where, **OPTIONS)
        else:
            socket = await uvnet.open_connection(*where, **OPTIONS)
            socket.destroy()
            socket.connect(*where)
        if how != "open":
            await uvnet.once(socket, "connect")
        check(socket)
        await over(server, socket)

    play(scenario)


@linux
def test_they_count_before_there_is_a_connection(play: Player) -> None:
    """A receive buffer after connect(2) would be too late for the window; a local address comes after them."""

    async def scenario() -> None:
        with plain.create_server(("127.0.0.1", 0)) as listening:
            socket = uvnet.connect(
                listening.getsockname()[1], "127.0.0.1", local_address="127.0.0.1", receive_buffer=4096
            )
            await uvnet.once(socket, "connect")
            peer, _ = listening.accept()
            with peer:
                peer.setblocking(False)
                socket.pause()
                sent = 0
                for _ in range(50):
                    try:
                        sent += peer.send(bytes(SMALL))
                    except BlockingIOError:
                        await asyncio.sleep(0.001)
                # What the peer's TCP was told of the window.
                info = tcp_info.parse_tcp_info(peer.getsockopt(TCP, plain.TCP_INFO, 168))
                assert info.acknowledged < 200_000
                socket.destroy()

    play(scenario)


@linux
def test_named_options_of_accepted_sockets(play: Player) -> None:
    async def scenario() -> None:
        server, client, socket = await connected(**OPTIONS, **KEEP_ALIVE)
        check(socket)
        for number, expected in ((plain.TCP_KEEPIDLE, 7), (plain.TCP_KEEPINTVL, 5), (plain.TCP_KEEPCNT, 3)):
            assert socket.get_option(TCP, number) == expected
        await over(server, client, socket)

    play(scenario)


@linux
def test_options_of_what_listens(play: Player) -> None:
    async def scenario() -> None:
        server = uvnet.create_server().listen(0, "127.0.0.1", defer_accept=2, fast_open=9, bind_to_device="lo")
        await uvnet.once(server, "listening")
        assert option_of(server, TCP, plain.TCP_DEFER_ACCEPT) >= 2
        assert option_of(server, TCP, plain.TCP_FASTOPEN) == 9
        accepted = upcoming(server, "connection")
        client = await uvnet.open_connection(server.port, "127.0.0.1", bind_to_device="lo", fast_open=True)
        assert client.get_option(SOCKET, plain.SO_BINDTODEVICE, 16).rstrip(b"\0") == b"lo"
        assert client.get_option(TCP, 30) == 1
        await turns(20)
        assert not accepted.done()
        # Nothing is accepted before there is data.
        client.write("hello")
        (socket,) = await accepted
        assert await socket.read_exactly(5) == b"hello"
        await over(server, client, socket)

    play(scenario)


@linux
def test_given_sockets_get_them_too(play: Player, transport: Transport) -> None:
    """A socket that is taken over, connected or bound, of either kind; what is of TCP leaves Unix sockets alone."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind, **OPTIONS)
        assert socket.get_option(SOCKET, plain.SO_SNDBUF) == 100_000
        if transport.kind == "tcp":
            check(socket)
        socket.destroy()
        peer.close()
        bound = plain.socket(plain.AF_UNIX if transport.kind == "unix" else plain.AF_INET)
        bound.bind(transport.path if transport.kind == "unix" else ("127.0.0.1", 0))
        server = uvnet.create_server(**OPTIONS).listen(bound, defer_accept=0, fast_open=False)
        await uvnet.once(server, "listening")
        where = server.address()
        client = await uvnet.open_connection(where, send_buffer=50_000, user_timeout=3)  # type: ignore[call-overload]
        assert client.get_option(SOCKET, plain.SO_SNDBUF) == 100_000
        await over(server, client)
        if transport.kind == "unix":
            os.unlink(transport.path)

    play(scenario)


@linux
def test_what_the_system_refuses(play: Player, transport: Transport) -> None:
    """Known only when it is tried, so it is an 'error', which says which option it was."""

    async def scenario() -> None:
        with plain.create_server(("127.0.0.1", 0)) as listening:
            for options in ({"congestion": "no-such-one"}, {"bind_to_device": "no-such-one"}):
                socket = uvnet.Socket()
                refused: list[Exception] = []
                socket.on("connectionAttemptFailed", lambda *arguments, refused=refused: refused.append(arguments[3]))
                with pytest.raises(OSError, match=r"setsockopt E\w+ \((congestion|bind_to_device)\)") as failure:
                    socket.connect(listening.getsockname()[1], "127.0.0.1", **options)
                    await uvnet.once(socket, "connect")
                assert failure.value.syscall == "setsockopt"
                assert refused == [failure.value]
        server = uvnet.create_server(congestion="no-such-one")
        if transport.kind == "unix":
            # Not one of its options.
            await listen(server, transport)
        else:
            for arguments in ((0, "127.0.0.1"), (0,), (plain.create_server(("127.0.0.1", 0)),)):
                failed = upcoming(server, "error")
                server.listen(*arguments)
                (error,) = await failed
                assert str(error).endswith("setsockopt ENOENT (congestion)")
                assert not server.listening
                if isinstance(arguments[0], plain.socket):
                    arguments[0].close()
        await server.shutdown()

    play(scenario)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"user_timeout": -1}, ValueError),
        ({"user_timeout": "1"}, TypeError),
        ({"not_sent_low_water": 0}, ValueError),
        ({"not_sent_low_water": 2**31}, ValueError),
        ({"receive_buffer": 1.5}, TypeError),
        ({"receive_buffer": True}, TypeError),
        ({"send_buffer": -5}, ValueError),
        ({"congestion": ""}, ValueError),
        ({"congestion": "x" * 16}, ValueError),
        ({"congestion": "a\0b"}, ValueError),
        ({"congestion": b"cubic"}, TypeError),
        ({"keep_alive_interval": "1"}, TypeError),
        ({"keep_alive_interval": 1e9}, ValueError),
        ({"keep_alive_count": 0}, ValueError),
        ({"keep_alive_count": 128}, ValueError),
        ({"keep_alive_count": 1.0}, TypeError),
        ({"fast_open": 3}, TypeError),
        ({"fast_open": 0}, (TypeError, ValueError)),
        ({"fast_open": "yes"}, TypeError),
        ({"bind_to_device": 1}, TypeError),
        ({"bind_to_device": "a-very-long-name"}, ValueError),
        ({"defer_accept": -1}, ValueError),
        ({"defer_accept": "1"}, TypeError),
    ],
)
def test_bad_values_are_refused_at_the_call(play: Player, options: dict[str, Any], error: Any) -> None:
    """Wherever the option may stand; nothing has begun then."""
    (name,) = options

    async def scenario() -> None:
        server = uvnet.create_server()
        if name in ("bind_to_device", "defer_accept") or options == {"fast_open": 0} or options == {"fast_open": "yes"}:
            with pytest.raises(error, match=name):
                server.listen(0, "127.0.0.1", **options)
            assert not server.listening
        if name != "defer_accept":
            socket = uvnet.Socket()
            with pytest.raises(error, match=name):
                socket.connect(1, "127.0.0.1", **options)
            assert not socket.connecting
            with pytest.raises(error, match=name):
                await uvnet.open_connection(1, "127.0.0.1", **options)
        if name not in ("defer_accept", "fast_open", "bind_to_device"):
            for make in (uvnet.Socket, uvnet.create_server):
                with pytest.raises(error, match=name):
                    make(**options)
        with pytest.raises(TypeError, match="unknown options"):
            uvnet.Server(defer_accept=1)  # type: ignore[call-overload]
        await server.shutdown()

    play(scenario)


def test_what_this_system_does_not_have(play: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = system_options.ACCEPTED_OPTIONS["user_timeout"]._replace(number=None)
    monkeypatch.setitem(system_options.ACCEPTED_OPTIONS, "user_timeout", kind)

    async def scenario() -> None:
        for make in (uvnet.Socket, uvnet.create_server, lambda **options: uvnet.connect(1, **options)):
            with pytest.raises(RuntimeError, match="The feature user_timeout is unavailable") as failure:
                make(user_timeout=1)
            assert failure.value.code == "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM"
            make(user_timeout=None).destroy() if make is uvnet.Socket else None

    play(scenario)


def test_options_by_number(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        assert socket.set_option(SOCKET, plain.SO_KEEPALIVE, 1) is socket
        assert socket.get_option(SOCKET, plain.SO_KEEPALIVE) != 0
        linger = (1).to_bytes(4, sys.byteorder) + (3).to_bytes(4, sys.byteorder)
        for value in (linger, bytearray(linger), memoryview(linger)):
            socket.set_option(SOCKET, plain.SO_LINGER, value)
            assert socket.get_option(SOCKET, plain.SO_LINGER, 8) == linger
        assert socket.get_option(SOCKET, plain.SO_LINGER, 4) == linger[:4]
        with pytest.raises(OSError, match="setsockopt ENOPROTOOPT"):
            socket.set_option(SOCKET, 9999, 1)
        with pytest.raises(OSError, match="getsockopt ENOPROTOOPT"):
            socket.get_option(SOCKET, 9999)
        with pytest.raises(OSError, match="getsockopt ENOPROTOOPT"):
            socket.get_option(SOCKET, 9999, 8)
        socket.set_option(SOCKET, plain.SO_LINGER, bytes(8)).destroy()
        peer.close()

    play(scenario)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("1", 2, 3), TypeError),
        ((1, None, 3), TypeError),
        ((1, 2, "3"), TypeError),
        ((1, 2, None), TypeError),
        ((True, 2, 3), TypeError),
        ((1, 2, True), TypeError),
        ((2**31, 2, 3), ValueError),
        ((1, -(2**31) - 1, 3), ValueError),
        ((1, 2, 2**31), ValueError),
        ((1, 2, 1.5), TypeError),
    ],
)
def test_bad_numbers(play: Player, arguments: tuple[Any, ...], error: type[Exception]) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        with pytest.raises(error):
            socket.set_option(*arguments)
        if arguments[2] != 3:
            with pytest.raises(error):
                socket.get_option(1, 2, arguments[2] or 0.5)
        for size in (0, -1, 1025):
            with pytest.raises(ValueError, match="size"):
                socket.get_option(SOCKET, plain.SO_LINGER, size)
        socket.destroy()
        peer.close()

    play(scenario)


def test_without_a_descriptor(play: Player) -> None:
    async def scenario() -> None:
        never = uvnet.Socket()
        looking = uvnet.connect(1, "name", lookup=lambda *_: None)
        gone, peer = take_over("unix")
        peer.close()
        gone.destroy()
        for socket in (never, looking, gone):
            assert socket.fileno() == -1
            assert socket.tcp_info() is None
            for call in (lambda s: s.get_option(1, 2), lambda s: s.set_option(1, 2, 3)):
                with pytest.raises(RuntimeError) as failure:
                    call(socket)
                assert failure.value.code == "ERR_SOCKET_CLOSED"
            socket.destroy()

    play(scenario)


def test_fileno(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        ours, theirs = plain.socketpair()
        number = ours.fileno()
        socket = uvnet.Socket(handle=ours)
        assert socket.fileno() == number
        with plain.socket(fileno=os.dup(socket.fileno())) as copy:
            copy.send(b"x")
        assert read_now(theirs) == b"x"
        socket.destroy()
        theirs.close()
        server = await listen(uvnet.create_server(), transport)
        accepted = upcoming(server, "connection")
        client = await uvnet.open_connection(*transport.connect_arguments(server))
        (socket,) = await accepted
        for end in (client, socket):
            with plain.socket(fileno=os.dup(end.fileno())) as copy:
                assert (copy.family == plain.AF_UNIX) is (transport.kind == "unix")
        await over(server, client, socket)

    play(scenario)


@linux
def test_tcp_info(play: Player) -> None:
    async def scenario() -> None:
        server, client, socket = await connected()
        client.write(b"x" * 1000)
        assert await socket.read_exactly(1000) == b"x" * 1000
        await until(lambda: (info := client.tcp_info()) is not None and info.acknowledged >= 1000)
        info = client.tcp_info()
        assert isinstance(info, uvnet.TCPInfo)
        assert info.state == "established"
        assert 0 < info.rtt < 5
        assert info.min_rtt is not None
        assert 0 < info.min_rtt <= info.rtt * 2
        assert 0.1 < info.retransmit_timeout < 10
        assert info.congestion_window > 0
        assert info.maximum_segment > 100
        assert (info.retransmits, info.lost, info.unacknowledged, info.unsent) == (0, 0, 0, 0)
        theirs = socket.tcp_info()
        assert theirs is not None
        assert theirs.received == 1000
        socket.pause()
        while client.write(bytes(SMALL)):
            await turns(1)
        info = client.tcp_info()
        assert info is not None
        assert info.unsent + info.unacknowledged > 0
        socket.end()
        await until(lambda: (info := client.tcp_info()) is not None and info.state == "close-wait")
        await over(server, client, socket)
        assert client.tcp_info() is None

    play(scenario)


def test_unix_sockets_have_no_tcp_info(play: Player) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        assert socket.tcp_info() is None
        socket.destroy()
        peer.close()

    play(scenario)


HEADER = Path("/usr/include/linux/tcp.h")


@pytest.mark.skipif(not HEADER.exists(), reason="no kernel headers")
def test_the_layout_of_tcp_info() -> None:
    """Every field is told from all others, by the kernel's own header."""
    (text,) = re.findall(r"struct tcp_info \{(.*?)^\};", HEADER.read_text(), re.DOTALL | re.MULTILINE)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    offset, offsets = 0, {}
    for size, names in re.findall(r"__u(8|32|64)\s+([^;]+);", text):
        offset += -offset % (int(size) // 8)
        for name in [names.split(":")[0].strip()] if ":" in names else names.split(","):
            offsets[name.strip()] = offset
        offset += int(size) // 8
    given = {
        "state": 1, "rto": 2_000_000, "snd_mss": 3, "unacked": 4, "lost": 5, "rtt": 6_000_000, "rttvar": 7_000_000,
        "snd_ssthresh": 8, "snd_cwnd": 9, "total_retrans": 10, "pacing_rate": 11, "bytes_acked": 12,
        "bytes_received": 13, "notsent_bytes": 14, "min_rtt": 15_000_000, "delivery_rate": 16,
    }  # fmt: skip
    data = bytearray(b"\xee" * 300)
    for name, value in given.items():
        place = offsets[f"tcpi_{name}"]
        size = 1 if name == "state" else 8 if name in ("pacing_rate", "bytes_acked", "bytes_received", "delivery_rate") else 4
        data[place : place + size] = value.to_bytes(size, sys.byteorder)
    found = tcp_info.parse_tcp_info(bytes(data))
    assert found == uvnet.TCPInfo("established", 6, 7, 15, 2, 10, 5, 4, 9, 8, 3, 14, 12, 13, 16, 11)
    none = tcp_info.parse_tcp_info(b"\x07")
    assert (none.state, none.rtt, none.delivery_rate) == ("closed", 0, 0)
    unknown = bytearray(b"\xff" * 168)
    assert tcp_info.parse_tcp_info(bytes(unknown))[3::6] == (None, None, None)
