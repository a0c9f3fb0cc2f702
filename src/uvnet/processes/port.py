"""MessagePort: one end of a channel between a process and its parent, for messages and the handles that go with them.

Node: "Class: ChildProcess", its messages; "process.send()".
"""

from __future__ import annotations

import errno
import json
import logging
import pickle
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from uvnet._channel.channel import Channel, new_channel
from uvnet._loop.loop import running_record
from uvnet._loop.tick import call_on, next_tick_on
from uvnet.errors.codes import channel_closed, disconnected_already, invalid_callback, invalid_type
from uvnet.errors.system import system_error
from uvnet.events.emitter import EventEmitter
from uvnet.processes.handles import Counter, Sent, count_by, discard, pack, unpack

__all__ = ["JSON", "PICKLE", "MessagePort"]

_log = logging.getLogger("uvnet")

# Kinds of frames; _channel/dealing.pxd has those about connections.
MESSAGE = 1
MESSAGE_WITH_HANDLE = 2
INTERNAL = 3

JSON = "json"
PICKLE = "pickle"

MOST_UNHEARD = 1024  # messages kept while nobody listens for them

_Callback = Callable[[Exception | None], Any]


class MessagePort(EventEmitter):
    """One end of a channel; not made by users.

    Events: 'message' (message, handle or None), 'disconnect', 'error' (error).
    """

    def __init__(self, serialization: str = JSON) -> None:
        super().__init__()
        self._serialization = serialization
        self._channel: Channel | None = None
        self._record: Any = None
        # Handles under way, by the numbers that the other end acknowledges.
        self._sent: dict[int, tuple[Sent, _Callback | None]] = {}
        self._numbers = 0
        self._leaving = False  # once what was sent is there
        self._said_bye = False
        # Who counts a connection which the other end has: a server, or who has got it from another process.
        self._counted: dict[int, Any] = {}
        # Who else emits what comes.
        self._repeaters: list[EventEmitter] = []
        self._unheard: deque[tuple[Any, Any]] = deque()
        # What is said between uvnet and itself, by the word that says what it is.
        self._acts: dict[str, Callable[[dict[str, Any]], object]] = {
            "got": self._was_got,
            "closed": self._was_closed,
        }
        self._observe("newListener", self._somebody_listens)

    # === For users ===

    @property
    def connected(self) -> bool:
        """Whether messages can be sent.  Node: "subprocess.connected"."""
        return self._channel is not None and self._channel.is_open and not self._leaving

    def send(
        self,
        message: Any,
        handle: Any = None,
        options: Mapping[str, Any] | Callable[..., Any] | None = None,
        callback: _Callback | None = None,
        *,
        keep_open: bool = False,
    ) -> bool:
        """Send a message, and with it a Server, a Socket or a socket.socket; the other end emits 'message'.

        message: what the json module can encode, or pickle where the channel was made so.
        handle: a Server listens in both processes then, and each has to close it.  A Socket is left without its
        connection, which goes with what it had received and not given out, unless `keep_open`.  A socket.socket stays
        open here.
        options: a mapping with "keep_open".
        callback(error): called once, with None when the message was handed to the system, and with a handle when the
        other process has got that.  Where it did not get there the Socket has its connection again.
        Returns False where so much waits that one should wait too, and where the channel is closed: the error, an
        ERR_IPC_CHANNEL_CLOSED, goes to the callback, or is emitted as 'error'.
        Raises TypeError or ValueError for what cannot be encoded or sent, and RuntimeError for a handle that is closed
        or belongs to another loop, and for a channel that is full; then nothing has changed.
        Node: "subprocess.send(message[, sendHandle[, options]][, callback])".
        """
        if callable(handle) and not hasattr(handle, "fileno") and options is None and callback is None:
            handle, callback = None, handle
        elif callable(options) and callback is None:
            options, callback = None, options
        if options is not None:
            if not isinstance(options, Mapping):
                raise invalid_type("options", "of type dict", options)
            keep_open = bool(options.get("keep_open", keep_open))
        if callback is not None and not callable(callback):
            raise invalid_callback(callback)
        payload = self._encode(message)
        channel = self._channel
        if channel is None or not self.connected:
            self._fail_later(channel_closed(), callback)
            return False
        if handle is None:
            return channel.send(MESSAGE, payload, (), None if callback is None else partial(self._call, callback))
        return self._send_with(channel, payload, pack(handle, keep_open), callback)

    def disconnect(self) -> None:
        """Send no more, and close the channel once what was sent is there; 'disconnect' follows at both ends.

        Where it is closed already an ERR_IPC_DISCONNECTED is emitted as 'error'.  Node: "subprocess.disconnect()".
        """
        if not self.connected:
            self.emit("error", disconnected_already())
            return
        self._leaving = True
        self._leave_if_all_arrived()

    def ref(self) -> None:
        """Let the channel keep uvnet.run() going."""
        if self._channel is not None:
            self._channel.set_referenced(True)

    def unref(self) -> None:
        """Do not let the channel keep uvnet.run() going."""
        if self._channel is not None:
            self._channel.set_referenced(False)

    # === For subclasses ===

    def _open(self, descriptor: int) -> None:
        """Use the descriptor, which is the port's then, on the loop of this thread."""
        self._record = running_record()
        self._channel = channel = new_channel(descriptor, self, self._was_lost)
        channel.carriers.update((MESSAGE_WITH_HANDLE, INTERNAL))
        channel.receivers.update(
            {
                MESSAGE: self._received,
                MESSAGE_WITH_HANDLE: self._received_with_handle,
                INTERNAL: self._received_internal,
            }
        )

    def _say(
        self, act: str, told: _Callback | None = None, descriptors: Sequence[int] = (), **details: Any
    ) -> None:
        """Tell the other end something that is not for users; nothing where there is none."""
        if self._channel is not None and self._channel.is_open:
            payload = json.dumps({"act": act, **details}).encode()
            self._channel.send(INTERNAL, payload, descriptors, told, must=True)

    def _abandoned(self) -> None:
        """The loop is closed: no event will come."""

    def _disconnected(self, error: Exception | None) -> None:
        self.emit("disconnect")

    def _deliver(self, message: Any, handle: Any) -> None:
        self.emit("message", message, handle)

    def _repeated_by(self, emitter: EventEmitter) -> None:
        """It emits the messages too: a listener there is one here."""
        self._repeaters.append(emitter)
        emitter._observe("newListener", self._somebody_listens)

    # === Sending ===

    def _encode(self, message: Any) -> bytes:
        if self._serialization == PICKLE:
            return pickle.dumps(message)
        return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

    def _decode(self, payload: bytes) -> Any:
        if self._serialization == PICKLE:
            return pickle.loads(payload)
        return json.loads(payload.decode("utf-8", "surrogatepass"))

    def _send_with(
        self, channel: Channel, payload: bytes, sent: Sent, callback: _Callback | None
    ) -> bool:
        self._numbers += 1
        number = self._numbers
        info = json.dumps({**sent.info, "number": number}).encode()
        parts = (len(info).to_bytes(4, "big"), len(sent.unread).to_bytes(4, "big"), info, sent.unread, payload)
        self._sent[number] = sent, callback
        try:
            return channel.send(MESSAGE_WITH_HANDLE, b"".join(parts), (sent.descriptor,))
        except BaseException:
            del self._sent[number]
            sent.failed()
            raise

    def _leave_if_all_arrived(self) -> None:
        channel = self._channel
        if self._leaving and not self._sent and channel is not None and channel.is_open and not self._said_bye:
            self._said_bye = True
            # Behind all that is queued.
            channel.send(INTERNAL, b'{"act":"bye"}', (), lambda _: channel.disconnect(), must=True)

    def _call(self, callback: _Callback, error: Exception | None) -> None:
        call_on(self._record, callback, error)

    def _fail_later(self, error: Exception, callback: _Callback | None) -> None:
        record = self._record or running_record()
        if callback is not None:
            next_tick_on(record, callback, error)
        else:
            next_tick_on(record, self.emit, "error", error)

    # === Receiving ===

    def _received(self, payload: bytes, descriptors: list[int]) -> None:
        self._hear(self._decode(payload), None)

    def _received_with_handle(self, payload: bytes, descriptors: list[int]) -> None:
        number = -1
        failure = errno.EPROTO
        try:
            if self._said_bye:
                # An answer would not get there: without one the sender has it again.
                return
            info_length, unread_length = (int.from_bytes(payload[at : at + 4], "big") for at in (0, 4))
            unread_at = 8 + info_length
            message_at = unread_at + unread_length
            info = json.loads(payload[8:unread_at])
            number = int(info["number"])
            message = self._decode(payload[message_at:])
            if descriptors[0] < 0:
                failure = errno.EMFILE
                return
            handle = unpack(info, payload[unread_at:message_at], descriptors)
            failure = 0
        except OSError as error:
            failure = error.errno or failure
            return
        finally:
            if failure and number >= 0:
                self._say("got", number=number, errno=failure)
        try:
            if info["type"] == "socket":
                count_by(handle, Counter(self._say_closed, number))
            self._say("got", number=number)
        except BaseException:
            # The sender does not know that it is here.
            discard(handle)
            raise
        self._hear(message, handle)

    def _received_internal(self, payload: bytes, descriptors: list[int]) -> None:
        message = json.loads(payload)
        act = self._acts.get(message["act"])
        if act is not None:
            act({**message, "descriptors": descriptors})

    def _is_listened_to(self) -> bool:
        return any(each.listener_count("message") for each in (self, *self._repeaters))

    def _hear(self, message: Any, handle: Any) -> None:
        if not self._unheard and self._is_listened_to():
            self._deliver(message, handle)
        elif len(self._unheard) < MOST_UNHEARD:
            self._unheard.append((message, handle))
        else:
            _log.warning("%r has no 'message' listener: a message was dropped", self)
            if handle is not None:
                discard(handle)

    def _somebody_listens(self, event: Any, _listener: Any) -> None:
        if event == "message" and self._unheard:
            next_tick_on(self._record, self._give_out_unheard)

    def _give_out_unheard(self) -> None:
        while self._unheard and self._is_listened_to():
            # Those behind it are given out whatever a listener raises.
            call_on(self._record, self._deliver, *self._unheard.popleft())

    def _was_got(self, message: dict[str, Any]) -> None:
        """What the other end says of a handle that was sent there."""
        sent, callback = self._sent.pop(message["number"], (None, None))
        if sent is None:
            # An earlier program of this process has sent it.
            return
        error = None
        if "errno" in message:
            sent.failed()
            error = system_error(-message["errno"], "recvmsg")
        else:
            counter = sent.delivered()
            if counter is not None:
                self._counted[message["number"]] = counter
        if callback is not None:
            self._call(callback, error)
        self._leave_if_all_arrived()

    def _say_closed(self, number: int) -> None:
        self._say("closed", number=number)

    def _was_closed(self, message: dict[str, Any]) -> None:
        counter = self._counted.pop(message["number"], None)
        if counter is not None:
            counter._connection_ended()

    def _was_lost(self, error: Exception | None) -> None:
        sent, self._sent = self._sent, {}
        for each, callback in sent.values():
            each.failed()
            if callback is not None:
                self._call(callback, error or channel_closed())
        counted, self._counted = self._counted, {}
        for counter in counted.values():
            counter._connection_ended()
        self._disconnected(error)
