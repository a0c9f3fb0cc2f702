"""Errors of arguments and of state: Python's exception types carrying Node's `code`.

System errors (OSError subclasses) are made in uvnet.errors.system.  Node: "Class: Error", rules 0.2.7 and 0.2.8.
"""

from __future__ import annotations

import errno
import types
from typing import Any

__all__ = ["NetRuntimeError", "NetTypeError", "NetValueError"]


class _WithCode(Exception):
    """An error of uvnet's own; it may be pickled and copied, as those of Python may."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, str(self)), vars(self)


class NetTypeError(_WithCode, TypeError):
    """An argument of the wrong type; `code` is Node's, such as "ERR_INVALID_ARG_TYPE".

    Node: "Class: TypeError".
    """


class NetValueError(_WithCode, ValueError):
    """An argument of the right type with a bad value; `code` is Node's, such as "ERR_SOCKET_BAD_PORT".

    Node: "Class: RangeError".
    """


class NetRuntimeError(_WithCode, RuntimeError):
    """An operation that the object's state does not allow; `code` is Node's, such as "ERR_SOCKET_CLOSED".

    Node: "Class: Error".
    """


def _text(value: Any) -> str:
    """repr(), which Python refuses for numbers of very many digits."""
    if isinstance(value, int) and value.bit_length() > 1024:
        return f"a number of {value.bit_length()} bits"
    return repr(value)


def describe(value: Any) -> str:
    """What was received, for the end of a message."""
    if value is None:
        return "None"
    if isinstance(value, types.FunctionType | types.BuiltinFunctionType):
        return f"function {value.__name__}"
    if isinstance(value, bool | int | float | str | bytes):
        text = _text(value)
        if len(text) > 28:
            text = text[:25] + "..."
        return f"type {type(value).__name__} ({text})"
    return f"an instance of {type(value).__name__}"


def cannot_pickle(value: Any) -> TypeError:
    """For what lives in one process, and once: said as Python says it of its own sockets."""
    return TypeError(f"cannot pickle {type(value).__name__!r} object")


def invalid_type(name: str, expected: str, value: Any) -> NetTypeError:
    """ERR_INVALID_ARG_TYPE for the argument, or with a dot in its name the property, `name`."""
    kind = "property" if "." in name else "argument"
    return NetTypeError(
        "ERR_INVALID_ARG_TYPE",
        f'The "{name}" {kind} must be {expected}. Received {describe(value)}',
    )


def invalid_value(name: str, value: Any, reason: str = "is invalid") -> NetValueError:
    """ERR_INVALID_ARG_VALUE for the argument `name`."""
    kind = "property" if "." in name else "argument"
    text = _text(value)
    if len(text) > 128:
        text = text[:125] + "..."
    return NetValueError("ERR_INVALID_ARG_VALUE", f"The {kind} '{name}' {reason}. Received {text}")


def out_of_range(name: str, expected: str, value: Any) -> NetValueError:
    """ERR_OUT_OF_RANGE for the argument `name`."""
    return NetValueError(
        "ERR_OUT_OF_RANGE",
        f'The value of "{name}" is out of range. It must be {expected}. Received {_text(value)}',
    )


def bad_port(name: str, value: Any) -> NetValueError:
    """ERR_SOCKET_BAD_PORT."""
    return NetValueError(
        "ERR_SOCKET_BAD_PORT", f"{name} should be >= 0 and < 65536. Received {describe(value)}."
    )


def invalid_callback(value: Any, name: str = "callback") -> NetTypeError:
    """ERR_INVALID_ARG_TYPE for something that should be callable."""
    return invalid_type(name, "of type function", value)


def unknown_encoding(value: Any) -> NetTypeError:
    """ERR_UNKNOWN_ENCODING."""
    return NetTypeError("ERR_UNKNOWN_ENCODING", f"Unknown encoding: {value}")


def null_values() -> NetTypeError:
    """ERR_STREAM_NULL_VALUES."""
    return NetTypeError("ERR_STREAM_NULL_VALUES", "May not write null values to stream")


def missing_arguments() -> NetTypeError:
    """ERR_MISSING_ARGS of connect()."""
    return NetTypeError(
        "ERR_MISSING_ARGS", 'The "options" or "port" or "path" argument must be specified'
    )


def invalid_ip(value: Any) -> NetTypeError:
    """ERR_INVALID_IP_ADDRESS."""
    return NetTypeError("ERR_INVALID_IP_ADDRESS", f"Invalid IP address: {value}")


def invalid_family(family: Any, host: Any, port: Any) -> NetValueError:
    """ERR_INVALID_ADDRESS_FAMILY, with `host` and `port`."""
    error = NetValueError(
        "ERR_INVALID_ADDRESS_FAMILY", f"Invalid address family: {family} {host}:{port}"
    )
    error.host = host  # type: ignore[attr-defined]
    error.port = port  # type: ignore[attr-defined]
    return error


def invalid_address() -> NetValueError:
    """ERR_INVALID_ADDRESS."""
    return NetValueError("ERR_INVALID_ADDRESS", "Invalid socket address")


def invalid_fd_type(kind: str) -> NetTypeError:
    """ERR_INVALID_FD_TYPE."""
    return NetTypeError("ERR_INVALID_FD_TYPE", f"Unsupported fd type: {kind}")


def write_after_end() -> NetRuntimeError:
    """ERR_STREAM_WRITE_AFTER_END."""
    return NetRuntimeError("ERR_STREAM_WRITE_AFTER_END", "write after end")


def stream_destroyed(method: str) -> NetRuntimeError:
    """ERR_STREAM_DESTROYED."""
    return NetRuntimeError(
        "ERR_STREAM_DESTROYED", f"Cannot call {method} after a stream was destroyed"
    )


def already_finished(method: str) -> NetRuntimeError:
    """ERR_STREAM_ALREADY_FINISHED."""
    return NetRuntimeError(
        "ERR_STREAM_ALREADY_FINISHED", f"Cannot call {method} after a stream was finished"
    )


def premature_close() -> NetRuntimeError:
    """ERR_STREAM_PREMATURE_CLOSE."""
    return NetRuntimeError("ERR_STREAM_PREMATURE_CLOSE", "Premature close")


def will_not_come(event: Any) -> NetRuntimeError:
    """ERR_STREAM_PREMATURE_CLOSE for an event that a socket cannot have any more."""
    return NetRuntimeError("ERR_STREAM_PREMATURE_CLOSE", f"{event!r} cannot come any more")


def unshift_after_end() -> NetRuntimeError:
    """ERR_STREAM_UNSHIFT_AFTER_END_EVENT."""
    return NetRuntimeError(
        "ERR_STREAM_UNSHIFT_AFTER_END_EVENT", "stream.unshift() after end event"
    )


def socket_closed() -> NetRuntimeError:
    """ERR_SOCKET_CLOSED."""
    return NetRuntimeError("ERR_SOCKET_CLOSED", "Socket is closed")


def closed_before_connection() -> NetRuntimeError:
    """ERR_SOCKET_CLOSED_BEFORE_CONNECTION."""
    return NetRuntimeError(
        "ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
        "Socket closed before the connection was established",
    )


def invalid_handle_type() -> NetTypeError:
    """ERR_INVALID_HANDLE_TYPE of reset_and_destroy() on a Unix socket."""
    return NetTypeError("ERR_INVALID_HANDLE_TYPE", "This handle type cannot be reset")


def feature_unavailable(feature: str) -> NetRuntimeError:
    """ERR_FEATURE_UNAVAILABLE_ON_PLATFORM."""
    return NetRuntimeError(
        "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM",
        f"The feature {feature} is unavailable on the current platform, which is being used to run uvnet",
    )


def ip_blocked(address: str) -> NetRuntimeError:
    """ERR_IP_BLOCKED of connect() to an address of the socket's block_list."""
    return NetRuntimeError("ERR_IP_BLOCKED", f"IP({address}) is blocked by net.BlockList")


def being_read() -> NetRuntimeError:
    """ERR_SOCKET_BEING_READ, of uvnet alone: two coroutines read from one socket."""
    return NetRuntimeError(
        "ERR_SOCKET_BEING_READ", "another coroutine is already waiting for data from this socket"
    )


def buffer_full(limit: int, advice: str = "Wait for 'drain' when write() has returned False") -> NetRuntimeError:
    """ERR_SOCKET_BUFFER_FULL, of uvnet alone: more than max_buffered bytes would wait to be sent."""
    return NetRuntimeError(
        "ERR_SOCKET_BUFFER_FULL",
        f"More than {limit} bytes would wait: the other end reads too slowly. {advice}, or raise max_buffered",
    )


def decoded_already() -> NetRuntimeError:
    """ERR_SOCKET_DECODED, of uvnet alone: the bytes of what was received are not there any more."""
    return NetRuntimeError(
        "ERR_SOCKET_DECODED", "The socket has received text and not given it out: read it first"
    )


def cannot_be_sent(value: Any) -> NetTypeError:
    """ERR_INVALID_HANDLE_TYPE of send()."""
    return NetTypeError(
        "ERR_INVALID_HANDLE_TYPE",
        f"This handle type cannot be sent: a Server, a Socket or a socket.socket can. Received {describe(value)}",
    )


def handle_closed(handle: object) -> NetRuntimeError:
    """ERR_SOCKET_CLOSED, for what was to be sent."""
    return NetRuntimeError("ERR_SOCKET_CLOSED", f"{handle!r} has nothing that could be sent: it is not open")


def several_sockets(handle: object) -> NetTypeError:
    """ERR_INVALID_HANDLE_TYPE of send(), for a server on several addresses."""
    return NetTypeError(
        "ERR_INVALID_HANDLE_TYPE", f"{handle!r} has several sockets, and one can be sent: make a server for each"
    )


def of_another_loop(thing: object) -> NetRuntimeError:
    """ERR_OF_ANOTHER_LOOP, of uvnet alone."""
    return NetRuntimeError("ERR_OF_ANOTHER_LOOP", f"{thing!r} belongs to another event loop: use it there")


def invalid_environment(name: str, value: str) -> RuntimeError:
    """A variable that uvnet itself sets, and that somebody else has changed."""
    return RuntimeError(f"the environment variable {name} is {value!r}, which makes no sense: unset it")


def unknown_signal(value: Any) -> NetValueError:
    """ERR_UNKNOWN_SIGNAL of kill()."""
    return NetValueError("ERR_UNKNOWN_SIGNAL", f"Unknown signal: {_text(value)}")


def disconnected_already() -> NetRuntimeError:
    """ERR_IPC_DISCONNECTED, of a second disconnect()."""
    return NetRuntimeError("ERR_IPC_DISCONNECTED", "IPC channel is already disconnected")


def channel_closed() -> NetRuntimeError:
    """ERR_IPC_CHANNEL_CLOSED."""
    return NetRuntimeError("ERR_IPC_CHANNEL_CLOSED", "Channel closed")


def channel_full(length: int) -> NetRuntimeError:
    """ERR_IPC_CHANNEL_FULL, of uvnet alone: a message that is too long, or behind too many that wait."""
    return NetRuntimeError(
        "ERR_IPC_CHANNEL_FULL",
        f"A message of {length} bytes cannot wait: the other process does not read. Wait when send() returns False",
    )


def file_too_short(sent: int, wanted: int) -> NetRuntimeError:
    """ERR_FILE_TOO_SHORT, of uvnet alone: a file that is being sent has ended before its time."""
    return NetRuntimeError(
        "ERR_FILE_TOO_SHORT", f"The file was cut short while it was sent: {sent} of {wanted} bytes have gone"
    )


def initialised_before(kind: str) -> RuntimeError:
    """For a second __init__() of an object that lives already."""
    return RuntimeError(f"{kind}.__init__() has been called before; make another {kind}")


def still_sending() -> NetRuntimeError:
    """ERR_SOCKET_SENDING, of uvnet alone: a socket is taken over that has not sent everything."""
    return NetRuntimeError(
        "ERR_SOCKET_SENDING",
        "The socket has not sent everything that was written: await its drain(), or wait for the "
        "callback of write() or end(), before it is taken over",
    )


def already_listening() -> NetRuntimeError:
    """ERR_SERVER_ALREADY_LISTEN."""
    return NetRuntimeError(
        "ERR_SERVER_ALREADY_LISTEN",
        "Listen method has been called more than once without closing.",
    )


def not_running() -> NetRuntimeError:
    """ERR_SERVER_NOT_RUNNING."""
    return NetRuntimeError("ERR_SERVER_NOT_RUNNING", "Server is not running.")


def unhandled_error(value: Any) -> NetRuntimeError:
    """ERR_UNHANDLED_ERROR: 'error' emitted with something that is no exception, and nobody listens."""
    return NetRuntimeError("ERR_UNHANDLED_ERROR", f"Unhandled error. ({value!r})")


def timed_out(message: str) -> OSError:
    """The ETIMEDOUT of something that uvnet gives so much time."""
    error = TimeoutError(errno.ETIMEDOUT, message)
    error.code = "ETIMEDOUT"  # type: ignore[attr-defined]
    return error


def ended_by_other_party() -> BrokenPipeError:
    """The EPIPE of a write after the other end's FIN (rule 2.8.5)."""
    error = BrokenPipeError(errno.EPIPE, "This socket has been ended by the other party")
    error.code = "EPIPE"  # type: ignore[attr-defined]
    error.syscall = "write"  # type: ignore[attr-defined]
    return error


# === QUIC ===


def invalid_state(method: str, reason: str) -> NetRuntimeError:
    """ERR_INVALID_STATE."""
    return NetRuntimeError("ERR_INVALID_STATE", f"Invalid state: {method}() is not possible, {reason}")


def operation_failed(reason: str) -> NetRuntimeError:
    """ERR_OPERATION_FAILED."""
    return NetRuntimeError("ERR_OPERATION_FAILED", f"Operation failed: {reason}")


def quic_error(name: str, message: str, **details: Any) -> NetRuntimeError:
    """ERR_QUIC_<name>, with what else is known of it as attributes."""
    error = NetRuntimeError(f"ERR_QUIC_{name}", message)
    vars(error).update(details)
    return error


def not_in_quic(name: str, reason: str) -> NetValueError:
    """ERR_INVALID_ARG_VALUE for one of Node's options that is not offered."""
    return NetValueError(
        "ERR_INVALID_ARG_VALUE", f"The property 'options.{name}' is not supported: {reason}. Leave it out"
    )


def reset_by_peer(code: int) -> ConnectionResetError:
    """The ECONNRESET of a stream whose peer gave up what it was sending; `application_code` is its reason."""
    error = ConnectionResetError(errno.ECONNRESET, f"the stream was reset by the peer with code {code}")
    error.code = "ECONNRESET"  # type: ignore[attr-defined]
    error.syscall = "read"  # type: ignore[attr-defined]
    error.application_code = code  # type: ignore[attr-defined]
    return error


def stopped_by_peer(code: int) -> BrokenPipeError:
    """The EPIPE of a stream whose peer does not want what is still to be sent; `application_code` is its reason."""
    error = BrokenPipeError(errno.EPIPE, f"the peer has stopped the stream with code {code}")
    error.code = "EPIPE"  # type: ignore[attr-defined]
    error.syscall = "write"  # type: ignore[attr-defined]
    error.application_code = code  # type: ignore[attr-defined]
    return error
