"""Every public name, used as programs use it.  Type checkers read it; nobody runs it.

tests/project/test_typing.py sees to it that no public name is missing here.  Each function is one part of the
interface; assert_type() says what a checker must find.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import ipaddress
import pathlib
import socket as plain
import ssl
import sys
from collections.abc import Callable
from typing import Any, Literal, cast

from typing_extensions import assert_type

import uvnet
import uvnet.quic
import uvnet.tls
from uvnet.addresses.address import Host
from uvnet.arguments.keywords import (
    ConnectKeywords,
    Drop,
    ForwardingKeywords,
    LimitKeywords,
    ListenKeywords,
    OnRead,
    OpenKeywords,
    QuicConnectKeywords,
    QuicEndpointKeywords,
    QuicListenKeywords,
    QuicSocketKeywords,
    SecureContextKeywords,
    ServerKeywords,
    SocketKeywords,
    StartTLSKeywords,
    TLSConnectKeywords,
    TLSKeywords,
    TLSServerKeywords,
    TLSSocketKeywords,
    UpstreamKeywords,
)

DropReason = Literal[
    "connection limit", "block list", "allow list", "accept rate", "host limit", "host rate", "file descriptors",
    "proxy header", "tls", "idle", "no data", "lifetime", "receive rate", "buffered",
]  # fmt: skip


def nothing() -> None: ...


def done(error: BaseException | None) -> None: ...


def own_listener(first: int, second: str) -> None: ...


async def in_a_task(socket: uvnet.Socket) -> None: ...


def servers() -> None:
    def accept(socket: uvnet.Socket) -> None: ...

    options: ServerKeywords = {
        "allow_half_open": True,
        "block_list": uvnet.BlockList(),
        "congestion": "cubic",
        "high_water_mark": 1024,
        "keep_alive": True,
        "keep_alive_count": 5,
        "keep_alive_initial_delay": 1.5,
        "keep_alive_interval": 1.5,
        "max_buffered": 2**20,
        "no_delay": True,
        "not_sent_low_water": 16384,
        "on_max_buffered": "raise",
        "pause_on_connect": True,
        "receive_buffer": 65536,
        "send_buffer": 65536,
        "shutdown_timeout": 2.5,
        "user_timeout": 30,
        "accept_rate": 100,
        "accept_rate_per_host": (10, 20),
        "allow_list": uvnet.BlockList(),
        "first_data_timeout": 10,
        "host_prefixes": (24, 64),
        "idle_timeout": 60,
        "max_connections_per_host": 10,
        "max_lifetime": 3600,
        "max_total_buffered": 2**28,
        "min_receive_rate": 50,
        "preset": "internet",
    }
    assert_type(uvnet.create_server(), uvnet.Server)
    assert_type(uvnet.create_server(accept), uvnet.Server)
    uvnet.create_server(in_a_task)
    uvnet.create_server(lambda socket: socket.pipe(socket))
    uvnet.create_server(accept, no_delay=True)
    uvnet.create_server(options)
    uvnet.create_server(options, accept)
    uvnet.create_server(None, accept, **options)
    uvnet.create_server({"allow_half_open": True}, accept)
    uvnet.create_server(allow_half_open=True, connection_listener=accept)
    uvnet.Server()
    uvnet.Server(accept)
    uvnet.Server(options, accept)
    server = uvnet.Server(options)

    assert_type(server.close(), uvnet.Server)
    server.close(done)
    assert_type(server.address(), uvnet.Address | str | None)
    assert_type(server.addresses(), list[uvnet.Address | str])
    assert_type(server.port, int | Any)
    uvnet.connect(server.port, "127.0.0.1")
    assert_type(server.get_connections(lambda error, count: print(count + 1)), uvnet.Server)
    assert_type(server.ref().unref(), uvnet.Server)
    assert_type(server.listening, bool)
    assert_type(server.max_connections, int | None)
    server.max_connections = 100
    server.max_connections = None
    assert_type(server.dropped, dict[str, int])
    server.allow_half_open = True
    server.pause_on_connect = True


def listening(server: uvnet.Server, file: io.FileIO) -> None:
    class WithDescriptor:
        fd = 3

    options: ListenKeywords = {
        "backlog": 511,
        "bind_to_device": "lo",
        "callback": nothing,
        "defer_accept": 2.5,
        "exclusive": True,
        "fast_open": 100,
        "group": "www",
        "host": "localhost",
        "ipv6_only": True,
        "mode": 0o660,
        "owner": 0,
        "port": 8124,
        "replace_stale": True,
        "reuse_port": True,
    }
    assert_type(server.listen(), uvnet.Server)
    server.listen(nothing)
    server.listen(8124)
    server.listen("8124")
    server.listen(8124, nothing)
    server.listen(8124, 511)
    server.listen(8124, 511, nothing)
    server.listen(8124, "localhost")
    server.listen(8124, None, 511)
    server.listen(8124, ["127.0.0.1", ipaddress.IPv6Address("::1")])
    server.listen(8124, ("127.0.0.1", "::1"), 511, nothing)
    server.listen(port=8124, host=["127.0.0.1", "::1"])
    server.listen(8124, "localhost", nothing)
    server.listen(0, ipaddress.IPv4Address("127.0.0.1"))
    server.listen(8124, "localhost", 511)
    server.listen(8124, "localhost", 511, nothing)
    server.listen(8124, backlog=10, callback=nothing)
    server.listen("/tmp/echo.sock")
    server.listen(pathlib.Path("/tmp/echo.sock"), nothing)
    server.listen("/tmp/echo.sock", 511, nothing)
    server.listen("/tmp/echo.sock", readable_all=True, writable_all=True)
    server.listen(path=b"/tmp/echo.sock")
    server.listen(options)
    server.listen(options, nothing)
    server.listen({"port": 80, "host": "localhost"}, nothing)
    server.listen(**options)
    server.listen(port=80, host="localhost")
    server.listen(fd=3)
    server.listen(handle=plain.socket())
    server.listen(handle=uvnet.Server())
    server.listen(plain.socket())
    server.listen(uvnet.Server(), nothing)
    server.listen(uvnet.Socket(), 511, nothing)
    server.listen(WithDescriptor())


def server_events(server: uvnet.Server) -> None:
    def on_connection(socket: uvnet.Socket) -> None: ...

    def on_drop(drop: Drop) -> None:
        assert_type(drop["reason"], DropReason)
        print(drop.get("local_address"), drop.get("local_family"), drop.get("local_port"))
        print(drop.get("remote_address"), drop.get("remote_family"), drop.get("remote_port"))

    def on_error(error: OSError) -> None: ...

    assert_type(server.on("connection", on_connection), uvnet.Server)
    server.on("connection", in_a_task)
    server.on("connection", lambda socket: socket.end())
    server.once("listening", nothing)
    server.add_listener("drop", on_drop)
    server.prepend_listener("error", on_error)
    server.prepend_once_listener("close", nothing)
    server.on("own event", own_listener)
    server.on(("a", "tuple"), nothing)

    @server.on("connection")
    def accept(socket: uvnet.Socket) -> None: ...

    as_before: Callable[[uvnet.Socket], None] = accept
    print(as_before)

    @server.on("connection")
    async def accept_in_a_task(socket: uvnet.Socket) -> None: ...

    @server.once("listening")
    def bound() -> None: ...

    @server.on("drop")
    def drop(drop: Drop) -> None: ...

    @server.on("error")
    def error(error: Exception) -> None: ...

    @server.on("own event")
    def own(first: int, second: str) -> None: ...


def connecting() -> None:
    def look_up(hostname: str, options: dict[str, Any], callback: Callable[..., None]) -> None:
        callback(None, "127.0.0.1", 4)

    options: ConnectKeywords = {
        "auto_select_family": True,
        "auto_select_family_attempt_timeout": 0.5,
        "bind_to_device": "lo",
        "callback": nothing,
        "family": 4,
        "fast_open": True,
        "hints": plain.AI_ADDRCONFIG,
        "host": "localhost",
        "local_address": "127.0.0.1",
        "local_port": 0,
        "lookup": look_up,
        "port": 8124,
        "timeout": 3,
    }
    assert_type(uvnet.connect(8124), uvnet.Socket)
    uvnet.connect("8124", nothing)
    uvnet.connect(8124, nothing)
    uvnet.connect(8124, "localhost")
    uvnet.connect(8124, "localhost", nothing)
    uvnet.connect(8124, "localhost", no_delay=True)
    uvnet.connect("/tmp/echo.sock")
    uvnet.connect(pathlib.Path("/tmp/echo.sock"), nothing)
    uvnet.connect(options)
    uvnet.connect(options, nothing)
    uvnet.connect({"port": 80}, nothing)
    uvnet.connect(**options)
    uvnet.connect(port=80, host="localhost", allow_half_open=True, callback=nothing)
    uvnet.connect(path="/tmp/echo.sock")
    host: Host = ipaddress.IPv4Address("127.0.0.1")
    uvnet.connect(8124, host)
    uvnet.connect(port=8124, host=host, local_address=host)
    uvnet.connect(uvnet.Address("127.0.0.1", "IPv4", 8124), nothing)
    uvnet.connect(address="127.0.0.1", port=8124)
    uvnet.create_connection(8124, "localhost", nothing)

    socket = uvnet.Socket()
    assert_type(socket.connect(8124), uvnet.Socket)
    socket.connect(8124, "localhost")
    socket.connect(8124, "localhost", nothing)
    socket.connect("/tmp/echo.sock", nothing)
    socket.connect(options, nothing)
    socket.connect(**options)
    assert_type(socket.connecting, bool)
    assert_type(socket.pending, bool)
    assert_type(socket.ready_state, Literal["opening", "open", "readOnly", "writeOnly", "closed"])
    assert_type(socket.auto_select_family_attempted_addresses, list[str] | None)

    uvnet.set_default_auto_select_family(True)
    assert_type(uvnet.get_default_auto_select_family(), bool)
    uvnet.set_default_auto_select_family_attempt_timeout(0.25)
    assert_type(uvnet.get_default_auto_select_family_attempt_timeout(), float)


def making_sockets() -> None:
    def got(nread: int, buffer: bytearray) -> bool:
        return nread > 0

    onread: OnRead = {"buffer": bytearray(65536), "callback": got}
    options: SocketKeywords = {
        "allow_half_open": True,
        "block_list": uvnet.BlockList(),
        "congestion": None,
        "encoding": "utf8",
        "high_water_mark": 65536,
        "keep_alive": True,
        "keep_alive_count": None,
        "keep_alive_initial_delay": 10,
        "keep_alive_interval": None,
        "max_buffered": None,
        "no_delay": True,
        "not_sent_low_water": None,
        "on_max_buffered": "destroy",
        "onread": onread,
        "readable": True,
        "readable_high_water_mark": 65536,
        "receive_buffer": None,
        "send_buffer": None,
        "type_of_service": 16,
        "user_timeout": 0.5,
        "writable": True,
        "writable_high_water_mark": 65536,
    }
    uvnet.Socket()
    uvnet.Socket(3)
    uvnet.Socket({"fd": 3})
    uvnet.Socket(options)
    uvnet.Socket(**options)
    uvnet.Socket(handle=plain.socket(), readable=False)
    uvnet.Socket(handle=uvnet.Socket())
    uvnet.Socket(onread={"buffer": lambda: bytearray(1024), "callback": got})


def socket_events(socket: uvnet.Socket) -> None:
    def on_bytes(chunk: bytes) -> None: ...

    def on_text(chunk: str) -> None: ...

    def on_failed(address: str, port: int, family: int, error: Exception) -> None: ...

    async def on_end() -> None: ...

    assert_type(socket.on("data", on_bytes), uvnet.Socket)
    socket.on("data", on_text)
    socket.on("data", lambda chunk: print(chunk.hex()))
    socket.on("connect", nothing).on("ready", nothing).on("timeout", socket.destroy)
    socket.on("end", on_end)
    socket.on("drain", nothing)
    socket.on("finish", nothing)
    socket.on("readable", nothing)
    socket.on("pause", nothing)
    socket.on("resume", nothing)
    socket.once("close", lambda had_error: print(had_error))
    socket.add_listener("error", lambda error: print(error.code))
    socket.prepend_listener("pipe", lambda source: print(source.readable))
    socket.prepend_once_listener("unpipe", lambda source: print(source.readable))
    socket.on("lookup", lambda error, address, family, host: print(host.upper()))
    socket.on("connectionAttempt", lambda address, port, family: print(port + family))
    socket.on("connectionAttemptTimeout", lambda address, port, family: print(port + family))
    socket.on("connectionAttemptFailed", on_failed)
    socket.on("own event", nothing)

    @socket.on("data")
    def data(chunk: bytes) -> None: ...

    as_before: Callable[[bytes], None] = data
    print(as_before)

    @socket.on("data")
    async def data_in_a_task(chunk: bytes) -> None: ...

    @socket.once("close")
    def closed(had_error: bool) -> None: ...

    @socket.once("end")
    async def end() -> None: ...


def writing(socket: uvnet.Socket) -> None:
    assert_type(socket.write(b"data"), bool)
    socket.write("text")
    socket.write("text", "latin1")
    socket.write("text", "latin1", done)
    socket.write(bytearray(b"data"), done)
    socket.write(memoryview(b"data"), callback=done)
    assert_type(socket.end(), uvnet.Socket)
    socket.end(b"data")
    socket.end("text", "latin1", done)
    socket.end("text", done)
    socket.end(done)
    socket.end(callback=done)
    socket.cork()
    socket.uncork()
    assert_type(socket.set_default_encoding("latin1"), uvnet.Socket)
    assert_type(socket.destroy(), uvnet.Socket)
    socket.destroy(ValueError("no"))
    assert_type(socket.destroy_soon(), uvnet.Socket)
    assert_type(socket.reset_and_destroy(), uvnet.Socket)
    assert_type(socket.writable, bool)
    assert_type(socket.writable_length, int)
    assert_type(socket.writable_high_water_mark, int)
    assert_type(socket.max_buffered, int | None)
    socket.max_buffered = 2**20
    socket.max_buffered = None
    assert_type(socket.writable_ended, bool)
    assert_type(socket.writable_finished, bool)
    assert_type(socket.writable_corked, int)
    assert_type(socket.writable_need_drain, bool)


def reading(socket: uvnet.Socket, file: io.BufferedWriter) -> None:
    assert_type(socket.pause().resume(), uvnet.Socket)
    assert_type(socket.is_paused(), bool)
    chunk = assert_type(socket.read(), bytes | None)
    text = cast("str | None", socket.set_encoding().read(10))
    print(chunk, text)
    assert_type(socket.unshift(b"data"), bool)
    socket.unshift("text", "latin1")
    assert_type(socket.set_encoding("utf8"), uvnet.Socket)
    assert_type(socket.pipe(uvnet.Socket()), uvnet.Socket)
    assert_type(socket.pipe(file, end=False), io.BufferedWriter)
    socket.pipe(sys.stdout.buffer, {"end": False})
    assert_type(socket.unpipe(file).unpipe(), uvnet.Socket)
    assert_type(socket.readable, bool)
    assert_type(socket.readable_flowing, bool | None)
    assert_type(socket.readable_length, int)
    assert_type(socket.readable_high_water_mark, int)
    assert_type(socket.readable_ended, bool)
    assert_type(socket.destroyed, bool)
    assert_type(socket.errored, BaseException | None)
    assert_type(socket.closed, bool)
    encoding: str | None = socket.readable_encoding
    print(encoding)


def states_of_connections(socket: uvnet.Socket) -> None:
    address = socket.address()
    if address is not None:
        assert_type(address, uvnet.Address)
        assert_type(address.address, str)
        assert_type(address.family, str)
        assert_type(address.port, int)
    assert_type(socket.local_address, str | None)
    assert_type(socket.local_family, Literal["IPv4", "IPv6"] | None)
    assert_type(socket.local_port, int | None)
    assert_type(socket.remote_address, str | None)
    assert_type(socket.remote_family, Literal["IPv4", "IPv6"] | None)
    assert_type(socket.remote_port, int | None)
    header = socket.proxy_header
    if header is not None:
        assert_type(header, uvnet.ProxyHeader)
        assert_type(header.source, tuple[str, int] | None)
        assert_type(header.alpn, bytes | None)
        assert_type(header.unique_id, bytes | None)
        assert_type(header.tlvs, tuple[tuple[int, bytes], ...])
        print(header.length, header.version, header.destination, header.authority, header.netns)
        assert_type(header.ssl, uvnet.ProxySSL | None)
        if header.ssl is not None:
            assert_type(header.ssl.encrypted, bool)
            assert_type(header.ssl.version, str | None)
            print(header.ssl.verified, header.ssl.certificate_on_connection, header.ssl.certificate_in_session)
            print(header.ssl.common_name, header.ssl.cipher, header.ssl.signature_algorithm, header.ssl.key_algorithm)
    credentials = socket.peer_credentials
    if credentials is not None:
        assert_type(credentials, uvnet.PeerCredentials)
        print(credentials.pid + credentials.uid + credentials.gid)
    assert_type(socket.bytes_read, int)
    assert_type(socket.bytes_written, int)
    assert_type(socket.buffer_size, int | None)
    assert_type(socket.server, uvnet.Server | None)
    socket.allow_half_open = True


def options_of_connections(socket: uvnet.Socket) -> None:
    assert_type(socket.set_no_delay(), uvnet.Socket)
    assert_type(socket.fileno(), int)
    assert_type(socket.get_option(1, 2), int)
    assert_type(socket.get_option(1, 2, 16), bytes)
    assert_type(socket.set_option(1, 2, 3).set_option(1, 2, b"3"), uvnet.Socket)
    info = socket.tcp_info()
    if info is not None:
        assert_type(info, uvnet.TCPInfo)
        assert_type(info.state, str)
        assert_type(info.rtt + info.rtt_variance + info.retransmit_timeout, float)
        assert_type(info.min_rtt, float | None)
        assert_type(
            info.retransmits + info.lost + info.unacknowledged + info.congestion_window + info.maximum_segment, int
        )
        assert_type(info.unsent + info.acknowledged + info.received + info.delivery_rate, int)
        assert_type(info.slow_start_threshold or info.pacing_rate, int | None)
    socket.set_no_delay(False)
    assert_type(socket.set_keep_alive(True, 30, interval=5, count=3), uvnet.Socket)
    assert_type(socket.set_type_of_service(16), uvnet.Socket)
    assert_type(socket.get_type_of_service(), int)
    assert_type(socket.set_timeout(3), uvnet.Socket)
    socket.set_timeout(0.5, nothing)
    assert_type(socket.timeout, float | None)
    assert_type(socket.ref().unref(), uvnet.Socket)


def proxies() -> None:
    def on_upstream(client: uvnet.Socket, socket: uvnet.Socket) -> None: ...

    def on_unreached(error: Exception, client: uvnet.Socket) -> None: ...

    proxy = uvnet.create_proxy(8124)
    assert_type(proxy, uvnet.Server)
    proxy.on("upstream", on_upstream).on("upstreamError", on_unreached)
    uvnet.create_proxy(("localhost", 8124), connect_timeout=1, idle_timeout=60, no_delay=False)
    uvnet.create_proxy("/tmp/echo.sock", accept_proxy_protocol=True, send_proxy_protocol=2)
    uvnet.create_proxy(80, accept_proxy_protocol=["10.0.0.0/8", ipaddress.ip_network("::1")], direct_connections="accept")
    uvnet.create_server(accept_proxy_protocol=uvnet.BlockList(), direct_connections="refuse", max_proxy_header=536)
    uvnet.create_proxy(pathlib.Path("/tmp/echo.sock"), high_water_mark=1024, idle_timeout=None)
    uvnet.create_proxy({"port": 8124}, max_connections=100, proxy_header_timeout=1.5)
    uvnet.create_proxy((ipaddress.IPv6Address("::1"), 8124))
    limits: LimitKeywords = {"preset": "internet"}
    forwarding: ForwardingKeywords = {"max_connections_per_host": 10, "accept_proxy_protocol": True}
    uvnet.create_proxy(8124, **forwarding)
    uvnet.loop_factory(**limits)
    uvnet.create_proxy(uvnet.Address("::1", "IPv6", 8124))
    options: UpstreamKeywords = {"host": "localhost", "port": 8124, "local_address": "127.0.0.1", "no_delay": False}
    uvnet.create_proxy(options)

    @proxy.once("upstream")
    def upstream(client: uvnet.Socket, socket: uvnet.Socket) -> None: ...

    @proxy.on("upstreamError")
    async def unreached(error: Exception, client: uvnet.Socket) -> None: ...


def activation(server: uvnet.Server) -> None:
    for socket in uvnet.listen_fds():
        server.listen(socket)
    assert_type(uvnet.listen_fds("http"), list[plain.socket])


def block_lists() -> None:
    blocked = uvnet.BlockList()
    blocked.add_address("10.0.0.1")
    blocked.add_address(ipaddress.ip_address("::1"), "ipv6")
    blocked.add_address(uvnet.SocketAddress("10.0.0.1"))
    blocked.add_addresses(["10.0.0.1", "10.0.0.2"])
    blocked.add_range("10.0.0.1", "10.0.0.9", "ipv4")
    blocked.add_subnet("10.0.0.0", 8)
    blocked.add_cidr("10.0.0.0/8")
    blocked.add_cidr(ipaddress.ip_network("fc00::/7"))
    blocked.add_cidrs(uvnet.BlockList.PRIVATE_RANGES)
    assert_type(blocked.remove_address("10.0.0.1"), bool)
    assert_type(blocked.remove_range("10.0.0.1", "10.0.0.9"), bool)
    assert_type(blocked.remove_subnet("10.0.0.0", 8), bool)
    assert_type(blocked.remove_cidr("10.0.0.0/8"), bool)
    assert_type(blocked.check("::1", "ipv6"), bool)
    assert_type("10.0.0.1" in blocked, bool)
    assert_type(blocked.rules, list[str])
    assert_type(blocked.size, int)
    blocked.from_json(blocked.to_json())
    blocked.clear()
    anything: object = blocked
    if uvnet.BlockList.is_block_list(anything):
        assert_type(anything, uvnet.BlockList)


def socket_addresses() -> None:
    address = uvnet.SocketAddress("::1", 80, "ipv6", flow_label=1)
    uvnet.SocketAddress(address="10.0.0.1", port=80)
    uvnet.SocketAddress({"address": "10.0.0.1", "port": 80})
    uvnet.SocketAddress(ipaddress.ip_address("::1"), 80)
    assert_type(address.address, str)
    assert_type(address.port, int)
    assert_type(address.family, Literal["ipv4", "ipv6"])
    assert_type(address.flow_label, int)
    assert_type(uvnet.SocketAddress.parse("10.0.0.1:80"), uvnet.SocketAddress | None)
    print({address}, address < uvnet.SocketAddress(), address == uvnet.SocketAddress())
    anything: object = address
    if uvnet.SocketAddress.is_socket_address(anything):
        assert_type(anything, uvnet.SocketAddress)


def emitters() -> None:
    class Clock(uvnet.EventEmitter):
        def tick(self) -> None:
            self.emit("tick", 1, "two")

    clock = Clock()
    assert_type(clock.on("tick", print), Clock)
    assert_type(clock.add_listener("tick", print), Clock)
    assert_type(clock.once("tick", print), Clock)
    assert_type(clock.prepend_listener("tick", print), Clock)
    assert_type(clock.prepend_once_listener("tick", print), Clock)
    assert_type(clock.remove_listener("tick", print), Clock)
    assert_type(clock.off("tick", print), Clock)
    assert_type(clock.remove_all_listeners(), Clock)
    assert_type(clock.remove_all_listeners("tick"), Clock)
    assert_type(clock.emit("tick"), bool)
    assert_type(clock.listeners("tick"), list[Callable[..., Any]])
    assert_type(clock.raw_listeners("tick"), list[Callable[..., Any]])
    assert_type(clock.listener_count("tick"), int)
    assert_type(clock.event_names(), list[Any])
    assert_type(clock.set_max_listeners(0), Clock)
    assert_type(clock.get_max_listeners(), int)

    @clock.on("tick")
    def tick(number: int, text: str) -> None: ...

    tick(1, "two")


def errors() -> None:
    try:
        uvnet.connect(-1)
    except (uvnet.NetTypeError, uvnet.NetValueError, uvnet.NetRuntimeError) as error:
        assert_type(error.code, str)
    kinds: list[type[Exception]] = [
        uvnet.NetTypeError,
        uvnet.NetValueError,
        uvnet.NetRuntimeError,
        uvnet.MaxListenersExceededWarning,
    ]
    print(kinds)


async def awaiting(server: uvnet.Server, socket: uvnet.Socket) -> None:
    assert_type(await uvnet.once(server, "listening"), tuple[Any, ...])
    closing = uvnet.once(server, "close")
    assert_type(await asyncio.create_task(closing), tuple[Any, ...])
    async with contextlib.aclosing(uvnet.on(server, "connection")) as events:
        async for arguments in events:
            assert_type(arguments, tuple[Any, ...])
    async for chunk in socket:
        piece: bytes = chunk
        print(piece)
    await asyncio.wait_for(anext(aiter(socket)), 1)
    async for accepted in server:
        assert_type(accepted, uvnet.Socket)
    assert_type(await anext(aiter(server)), uvnet.Socket)
    await uvnet.finished(socket)
    await uvnet.finished(socket, readable=False, writable=True)
    stop = uvnet.finished(socket, done)
    stop()
    await uvnet.pipeline(socket, socket)
    assert_type(uvnet.pipeline(socket, socket, done), uvnet.Socket)
    assert_type(uvnet.pipeline(socket, socket, callback=done), uvnet.Socket)


def file_sent(error: Exception | None, sent: int) -> None:
    print(error, sent)


async def reading_and_writing(socket: uvnet.Socket) -> None:
    head = assert_type(await socket.read_exactly(4), bytes)
    line = assert_type(await socket.read_until(), bytes)
    text = cast(str, await socket.read_until("\r\n", limit=1024))
    print(head, line, text, await socket.read_until(bytearray(b"\0"), 10))
    print(await socket.read_until((b"\r\n", "\n"), limit=1024))
    async for line in socket.lines(limit=1024, keep_ends=True):
        assert_type(line, bytes)
    assert_type(await socket.receive(), bytes)
    assert_type(await socket.receive(4096), bytes)
    assert_type(await socket.read_all(4096), bytes)
    with open("file", "rb") as file:
        assert_type(await socket.send_file(file), int)
        assert_type(socket.send_file(file, 5, 10), "asyncio.Future[int]")
        assert_type(socket.send_file(file, count=10, callback=file_sent), uvnet.Socket)
        assert_type(socket.send_file(file, 0, None, file_sent), uvnet.Socket)
    await socket.send_file(io.BytesIO(b"memory"))
    assert_type(await socket.receive_file(io.BytesIO(), 10), int)
    assert_type(await socket.drain(), None)
    task = asyncio.create_task(socket.read_exactly(4))
    await asyncio.gather(task, asyncio.create_task(socket.drain()))
    assert_type(await asyncio.wait_for(socket.read_exactly(4), 1), bytes)


async def scopes() -> None:
    async with uvnet.create_server().listen(8124) as server:
        assert_type(server, uvnet.Server)
    async with uvnet.connect(8124) as socket:
        assert_type(socket, uvnet.Socket)
    async with await uvnet.open_connection(8124) as socket:
        assert_type(socket, uvnet.Socket)


async def ends(server: uvnet.Server, socket: uvnet.Socket) -> None:
    closing = socket.close()
    assert_type(closing, asyncio.Future[bool])
    assert_type(await socket.close(3), bool)
    assert_type(await socket.close(timeout=0.5), bool)
    down = server.shutdown()
    assert_type(down, asyncio.Future[uvnet.Cut])
    count: int = await server.shutdown(3)
    cut = await server.shutdown(timeout=None)
    assert_type(cut, uvnet.Cut)
    assert_type(cut.connections, int)
    assert_type(cut.listeners + count, int)
    assert_type(await server.closed(), None)
    await asyncio.create_task(server.closed())


async def opening() -> None:
    options: ConnectKeywords = {"port": 8124, "timeout": 3}
    assert_type(await uvnet.open_connection(8124), uvnet.Socket)
    await uvnet.open_connection("8124", nothing)
    await uvnet.open_connection(8124, "localhost", no_delay=True)
    await uvnet.open_connection(8124, "localhost", nothing)
    await uvnet.open_connection("/tmp/echo.sock")
    await uvnet.open_connection(pathlib.Path("/tmp/echo.sock"))
    await uvnet.open_connection(options)
    await uvnet.open_connection(**options)
    await uvnet.open_connection(path=b"/tmp/echo.sock", max_buffered=2**20)
    await asyncio.create_task(uvnet.open_connection(port=80, host="localhost"))


def running() -> None:
    async def main() -> int:
        return 1

    assert_type(uvnet.run(main()), int)
    assert_type(uvnet.run(), None)
    uvnet.run(main(), debug=True)
    uvnet.next_tick(print, "text", 1)
    handles: list[Any] = uvnet.active_handles()
    print(handles, uvnet.__version__)


def addresses() -> None:
    assert_type(uvnet.is_ip("::1"), int)
    assert_type(uvnet.is_ipv4("127.0.0.1"), bool)
    assert_type(uvnet.is_ipv6(object()), bool)
    address, family, port = uvnet.Address("127.0.0.1", "IPv4", 80)
    print(address, family, port)


# === Loops for asyncio programs ===


def loops(block_list: uvnet.BlockList) -> None:
    make: Callable[[], asyncio.AbstractEventLoop] = uvnet.new_event_loop
    limited: Callable[[], asyncio.AbstractEventLoop] = uvnet.loop_factory(max_connections=10, block_list=block_list)
    uvnet.loop_factory(accept_proxy_protocol=True, proxy_header_timeout=5, on_drop=lambda drop: print(drop["reason"]))
    uvnet.loop_factory(max_buffered=1_000_000, on_max_buffered="raise", idle_timeout=300, close_timeout=10)
    uvnet.loop_factory(no_delay=False, keep_alive=True, keep_alive_initial_delay=30)
    uvnet.patch_loop(make())
    uvnet.patch_loop(limited())
    uvnet.patch_loop(uvnet.EventLoopPolicy().new_event_loop())


def heard(message: object, handle: object) -> None: ...


def worker_over(worker: object, code: int | None, signal: str | None) -> None: ...


def processes() -> None:
    child = uvnet.fork("worker.py", ["--port", "8124"], silent=True, serialization="pickle")
    child.on("message", heard)
    assert_type(child.send({"ready": True}, uvnet.Server(), {"keep_open": True}, done), bool)
    assert_type(child.connected, bool)
    assert_type(child.kill("SIGTERM"), bool)
    child.unref()
    child.ref()
    child.disconnect()
    parent = uvnet.parent_process()
    if parent is not None:
        parent.send("ready", uvnet.Socket(), keep_open=True)


def workers() -> None:
    if uvnet.cluster.is_primary:
        uvnet.cluster.scheduling_policy = uvnet.cluster.SCHED_NONE
        uvnet.cluster.setup_primary(silent=True)
        worker = uvnet.cluster.fork({"NAME": "value"})
        uvnet.cluster.on("exit", worker_over)
        worker.send("hello", callback=done)
        uvnet.cluster.disconnect(nothing)
        uvnet.cluster.serve(nothing, workers=2, start_timeout=1, shutdown_timeout=0.5, heartbeat_timeout=0)
        uvnet.cluster.serve(nothing, workers="auto", max_failures=3, failure_time=10, status=pathlib.Path("status"))
        assert_type(uvnet.cluster.reload(), asyncio.Future[bool])
    elif uvnet.cluster.worker is not None:
        assert_type(uvnet.cluster.worker.id, int)
        uvnet.cluster.worker.disconnect()


# === TLS ===


def secure_contexts() -> None:
    options: SecureContextKeywords = {
        "alpn_protocols": ["h2", b"http/1.1"],
        "ca": [pathlib.Path("ca.pem"), "ca.pem", b"-----BEGIN"],
        "cert": pathlib.Path("server.pem"),
        "ciphers": "HIGH",
        "key": "server.key",
        "max_version": "TLSv1.3",
        "min_version": ssl.TLSVersion.TLSv1_2,
        "passphrase": "secret",
        "reject_unauthorized": True,
        "request_cert": False,
        "server_side": True,
    }
    assert_type(uvnet.tls.create_secure_context(options), ssl.SSLContext)
    uvnet.tls.create_secure_context(ca="ca.pem")
    made = uvnet.tls.self_signed("localhost", days=2)
    uvnet.tls.create_secure_context(cert=made.cert, key=made.key, server_side=True)


def secure_servers(context: ssl.SSLContext) -> None:
    def accept(socket: uvnet.tls.TLSSocket) -> None: ...

    def failed(error: Any, socket: uvnet.tls.TLSSocket) -> None: ...

    options: TLSServerKeywords = {
        "context": context,
        "handshake_timeout": 10,
        "sni_callback": lambda name: context if name == "localhost" else None,
        "no_delay": True,
    }
    assert_type(uvnet.tls.create_server(), uvnet.tls.Server)
    uvnet.tls.create_server(accept, cert="server.pem")
    uvnet.tls.create_server(options, accept)
    uvnet.tls.Server(accept, **options)
    server = uvnet.tls.Server(options)
    server.set_secure_context(context)
    server.set_secure_context(cert="server.pem")
    server.add_context("*.example.org", context)
    server.add_context("*.example.org", {"cert": "server.pem"})
    server.add_context("*.example.org", cert="server.pem")
    server.on("secureConnection", accept).once("tlsClientError", failed)

    @server.on("secureConnection")
    def arrived(socket: uvnet.tls.TLSSocket) -> None:
        print(socket.authorized)

    uvnet_server: uvnet.Server = server
    print(uvnet_server)


async def secure_sockets(context: ssl.SSLContext, plain_socket: uvnet.Socket) -> None:
    security: TLSKeywords = {"context": context, "servername": "localhost"}
    connecting: TLSConnectKeywords = {"port": 443, "host": "localhost", "session": None, "socket": None}
    taking: TLSSocketKeywords = {"is_server": True, "context": context}
    opening_options: OpenKeywords = {"port": 443, "tls": True}
    starting: StartTLSKeywords = {"handshake_timeout": 3}
    socket = uvnet.tls.connect(443, "localhost", nothing)
    assert_type(socket, uvnet.tls.TLSSocket)
    uvnet.tls.connect(connecting)
    uvnet.tls.connect("/tmp/echo.sock", **security)
    uvnet.tls.connect(port=443, socket=plain_socket)
    uvnet.tls.TLSSocket(plain_socket, taking)
    uvnet.tls.TLSSocket(plain_socket, is_server=True, context=context)
    await uvnet.open_connection(opening_options)
    assert_type(await uvnet.open_connection(443, "localhost", tls=context, ca="ca.pem"), uvnet.tls.TLSSocket)
    assert_type(await uvnet.open_connection(port=443, tls=True), uvnet.tls.TLSSocket)
    assert_type(await plain_socket.start_tls(context, server_hostname="localhost", **starting), uvnet.tls.TLSSocket)
    await plain_socket.start_tls(context, server_side=True)
    assert_type(socket.encrypted, bool)
    assert_type(socket.secure_connecting, bool)
    assert_type(socket.authorized, bool)
    assert_type(socket.authorization_error, str | None)
    assert_type(socket.alpn_protocol, str | None)
    assert_type(socket.servername, str | None)
    assert_type(socket.ssl_object, ssl.SSLObject | None)
    assert_type(socket.get_protocol(), str | None)
    print(socket.get_cipher()["bits"] + 1)
    certificate: uvnet.tls.PeerCertificate | None = socket.get_peer_certificate(detailed=True)
    if certificate is not None:
        print(certificate.get("subject"), certificate["raw"])
    session = socket.get_session()
    if session is not None:
        socket.set_session(session)
    assert_type(socket.is_session_reused(), bool)
    socket.on("secureConnect", nothing).once("secure", nothing)


def secure_proxies(context: ssl.SSLContext) -> None:
    assert_type(uvnet.create_proxy(80, tls=context, upstream_tls=True), uvnet.Server)
    uvnet.create_proxy(80, tls={"cert": "server.pem"}, upstream_tls={"ca": "ca.pem", "servername": "localhost"})
    uvnet.create_proxy(80, upstream_tls=context)


def not_of_ssl(socket: uvnet.tls.TLSSocket) -> None:
    with contextlib.suppress(RuntimeError):
        socket.renegotiate()
    with contextlib.suppress(RuntimeError):
        socket.get_certificate()
    with contextlib.suppress(RuntimeError):
        socket.export_keying_material(20, "label")


async def quic_options() -> None:
    endpoint: QuicEndpointKeywords = {
        "address": None, "ipv6_only": True, "lookup": None, "port": 1, "preferred": True, "reuse_addr": True,
        "type": "udp6",
    }
    options: QuicSocketKeywords = {
        "client": {"alpn": "x"}, "disable_stateless_reset": True, "endpoint": endpoint, "lookup": None,
        "max_connections": None, "max_connections_per_host": 1, "max_stateless_resets_per_host": 1, "qlog": True,
        "retry_token_timeout": 1, "server": {"alpn": "x"}, "stateless_reset_secret": b"0" * 16,
        "validate_address": True,
    }
    listening: QuicListenKeywords = {
        "active_connection_id_limit": 1, "alpn": "x", "ca": None, "cert": None, "ciphers": None,
        "client_cert_engine": None, "congestion_algorithm": 'reno', "context": None, "crl": None,
        "default_encoding": "x", "dhparam": None, "ecdh_curve": None, "groups": None, "h3": {},
        "high_water_mark": 1, "honor_cipher_order": None, "idle_timeout": 1, "key": None, "lookup": None,
        "max_ack_delay": 1, "max_data": 1, "max_stream_data_bidi_local": 1, "max_stream_data_bidi_remote": 1,
        "max_stream_data_uni": 1, "max_streams_bidi": 1, "max_streams_uni": 1, "max_udp_payload_size": 1,
        "ocsp_handler": None, "passphrase": None, "pfx": None, "reject_unauthorized": True, "secure_options": None,
        "session_id_context": None, "client_hello_handler": None, "early_data": True, "preferred_address": None,
        "request_cert": True,
    }
    connecting: QuicConnectKeywords = {
        "active_connection_id_limit": 1, "alpn": "x", "ca": None, "cert": None, "ciphers": None,
        "client_cert_engine": None, "congestion_algorithm": 'reno', "context": None, "crl": None,
        "default_encoding": "x", "dhparam": None, "ecdh_curve": None, "groups": None, "h3": {},
        "high_water_mark": 1, "honor_cipher_order": None, "idle_timeout": 1, "key": None, "lookup": None,
        "max_ack_delay": 1, "max_data": 1, "max_stream_data_bidi_local": 1, "max_stream_data_bidi_remote": 1,
        "max_stream_data_uni": 1, "max_streams_bidi": 1, "max_streams_uni": 1, "max_udp_payload_size": 1,
        "ocsp_handler": None, "passphrase": None, "pfx": None, "reject_unauthorized": True, "secure_options": None,
        "session_id_context": None, "address": "x", "auto_start": True, "dcid": None, "ipv6_only": True,
        "min_dh_size": 1, "port": 1, "preferred_address_policy": 'accept', "qlog": True,
        "remote_transport_params": None, "servername": None, "session_ticket": None, "type": "udp6",
        "verify_hostname_identity": True,
    }
    socket = uvnet.create_quic_socket(options)
    assert_type(socket, uvnet.quic.QuicSocket)
    assert_type(socket.add_endpoint(endpoint), uvnet.quic.QuicEndpoint)
    await socket.listen(listening)
    session = await socket.connect(connecting)
    assert_type(session, uvnet.quic.QuicClientSession)
    context = uvnet.quic.create_quic_context(cert="cert.pem", key="key.pem")
    await socket.connect(port=1, alpn="x", context=context)
    stream = await session.open_stream(half_open=True, wait=True)
    assert_type(stream, uvnet.quic.QuicStream)
    assert_type(await session.set_socket(socket, nat_rebinding=True), None)
    socket.on("session", nothing).once("ready", nothing)


async def quic_members(
    socket: uvnet.quic.QuicSocket,
    endpoint: uvnet.quic.QuicEndpoint,
    session: uvnet.quic.QuicClientSession,
    incoming: uvnet.quic.QuicServerSession,
    stream: uvnet.quic.QuicStream,
) -> None:
    print(socket.bound)
    print(socket.bound_duration)
    print(socket.bytes_received)
    print(socket.bytes_sent)
    print(socket.client_sessions)
    print(socket.closing)
    print(socket.destroyed)
    print(socket.duration)
    print(socket.endpoints)
    print(socket.listen_duration)
    print(socket.listening)
    print(socket.packets_ignored)
    print(socket.packets_received)
    print(socket.packets_sent)
    print(socket.pending)
    print(socket.server_busy)
    print(socket.server_busy_count)
    print(socket.server_secure_context)
    print(socket.server_sessions)
    print(socket.stateless_reset)
    print(socket.stateless_reset_count)
    print(socket.stateless_reset_disabled)
    print(endpoint.address)
    print(endpoint.bound)
    print(endpoint.closing)
    print(endpoint.destroyed)
    print(endpoint.fd)
    print(endpoint.pending)
    print(session.ack_delay_retransmit_count)
    print(session.address)
    print(session.allow_early_data)
    print(session.alpn_protocol)
    print(session.authenticated)
    print(session.authentication_error)
    print(session.bidi_stream_count)
    print(session.block_count)
    print(session.bytes_in_flight)
    print(session.bytes_received)
    print(session.bytes_sent)
    print(session.cipher)
    print(session.close_code)
    print(session.closing)
    print(session.destroyed)
    print(session.duration)
    print(session.handshake_ack_histogram)
    print(session.handshake_complete)
    print(session.handshake_confirmed)
    print(session.handshake_continuation_histogram)
    print(session.handshake_duration)
    print(session.idle_timeout)
    print(session.key_update_count)
    print(session.latest_rtt)
    print(session.loss_retransmit_count)
    print(session.max_data_left)
    print(session.max_in_flight_bytes)
    print(session.max_streams)
    print(session.min_rtt)
    print(session.peer_initiated_stream_count)
    print(session.qlog)
    print(session.remote_address)
    print(session.self_initiated_stream_count)
    print(session.servername)
    print(session.smoothed_rtt)
    print(session.socket)
    print(session.stateless_reset)
    print(session.uni_stream_count)
    print(session.using_early_data)
    print(session.allow_early_data)
    print(session.ephemeral_key_info)
    print(session.handshake_started)
    print(stream.bidirectional)
    print(stream.bytes_received)
    print(stream.bytes_sent)
    print(stream.client_initiated)
    print(stream.data_ack_histogram)
    print(stream.data_rate_histogram)
    print(stream.data_size_histogram)
    print(stream.detached)
    print(stream.duration)
    print(stream.final_size)
    print(stream.id)
    print(stream.max_acknowledged_offset)
    print(stream.max_extended_offset)
    print(stream.max_received_offset)
    print(stream.push_id)
    print(stream.reset_received)
    print(stream.server_initiated)
    print(stream.session)
    print(stream.unidirectional)
    socket.server_busy = socket.stateless_reset = socket.stateless_reset_disabled = False
    socket.set_diagnostic_packet_loss(rx=0.5, tx=0)
    assert_type(socket.ref().unref(), uvnet.quic.QuicSocket)
    assert_type(socket.block_list, uvnet.BlockList)
    assert_type(await endpoint.bind(), uvnet.Address)
    endpoint.ref().unref().set_ttl(1).set_multicast_ttl(1).set_multicast_loopback().set_broadcast(False)
    endpoint.set_multicast_interface("127.0.0.1").add_membership("224.0.0.1").drop_membership("224.0.0.1", None)
    await endpoint.close()
    endpoint.destroy(ValueError())
    session.ping()
    assert_type(session.update_key(), bool)
    print(session.get_certificate(), session.get_peer_certificate(detailed=True)["raw"])
    session.start_handshake()
    assert_type(await session.close(code=1), None)
    incoming.destroy(None, code=2)
    if session.qlog is not None:
        async for record in session.qlog:
            assert_type(record, bytes)
        print(session.qlog.read(), session.qlog.ended, session.qlog.dropped, list(session.qlog))
    histogram: uvnet.quic.Histogram = stream.data_rate_histogram
    print(histogram.min, histogram.max, histogram.mean, histogram.stddev, histogram.exceeds, histogram.percentiles)
    histogram.reset()
    assert_type(histogram.percentile(50), int)
    assert_type(await stream.read_exactly(1), bytes)
    stream.submit_informational_headers({":status": "103"})
    stream.submit_initial_headers([(":status", "200")], terminal=True)
    stream.submit_trailing_headers({"a": "b"})
    assert_type(stream.push_stream({":path": "/"}), uvnet.quic.QuicStream)
    stream.send_fd(0, offset=1, length=2)
    stream.send_file("file", on_error=print)
    assert_type(await stream.close(), None)
    stream.pipe(stream).end()
    await socket.close()
    socket.destroy()


def what_one_can_see(server: uvnet.Server, loop: asyncio.AbstractEventLoop) -> None:
    assert_type(server.connections, uvnet.Connections[uvnet.Socket])
    assert_type(len(server.connections), int)
    for socket in server.connections:
        assert_type(socket, uvnet.Socket)
    found = server.statistics()
    assert_type(found, uvnet.ServerStatistics)
    assert_type((found.accepted, found.open, found.handshakes), tuple[int, int, int])
    assert_type(found.dropped, dict[str, int])
    assert_type((found.bytes_read, found.bytes_written, found.bytes_queued), tuple[int, int, int])
    whole = uvnet.statistics(loop)
    assert_type(whole, uvnet.LoopStatistics)
    assert_type(uvnet.statistics().longest_turn, float)
    assert_type(whole.turns, int)
    assert_type(uvnet.introspection("/tmp/look.sock"), uvnet.Server)
