# cython: nonecheck=True
"""DatagramHandle: a UDP socket that receives and sends in batches.

Whatever has come goes to one call of `on_datagrams` per event of the loop, at most about MOST_RECEIVED datagrams;
what is left waits for the next turn of the loop, so that others get theirs.  What is sent leaves at once, or waits in
a queue with an end where the socket takes no more; datagrams may get lost anywhere, and what is beyond it is.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memcmp

from uvnet._loop.gil cimport hold_gil
from uvnet._loop.handle cimport HANDLE_OPEN, HandleBlock, block_of
from uvnet._loop.record cimport LoopRecord
from uvnet._loop.tick cimport enter, leave, report
from uvnet._udp.base cimport DatagramSocket
from uvnet._udp.messages cimport MOST_MESSAGES, message, receive_error, receive_messages
from uvnet._udp.sender cimport DatagramSender
from uvnet._uv.table cimport UVNET_UV_READABLE, UVNET_UV_WRITABLE, uv, uv_poll_t
from uvnet.addresses.sockaddr cimport format_sockaddr, ip_name, socket_name

cdef enum:
    MOST_RECEIVED = 256          # datagrams; with so many an event of the loop has had its share
    ERRORS_AT_ONCE = 16


cdef class DatagramHandle(DatagramSender):
    """A UDP socket, not bound yet.

    loop: a uvloop loop.  on_datagrams: called with a list of (data, remote, local): bytes, the sender as Python's
    sockets name it, and the address (a str) to which it was sent, or None where the system does not tell.  on_error:
    called with an OSError and the address (as above) it is about, or None: what ICMP says of a datagram that was
    sent, and why one cannot be sent.  owner: whom uvnet.active_handles() names.  In neither Node's nor asyncio's
    documentation.  Raises TypeError, and RuntimeError where the loop is closed or another thread's.
    """

    cdef int watch(self) noexcept:
        return uv.poll_start(
            self.socket.uv_poll(), UVNET_UV_READABLE | (UVNET_UV_WRITABLE if self.blocked else 0), _on_poll
        )

    cdef int ready(self, int status, int events, message *messages, int count) except -1:
        """The event of the loop: `count` messages have been received already, or it is a libuv error."""
        cdef DatagramSocket socket = self.socket
        cdef list batch = []
        if status < 0:
            self.tell_errors()
            if socket.state != HANDLE_OPEN:
                return 0
            count = receive_messages(socket.descriptor, self.record.read_buffer, messages)
        while count > 0:
            self.take(batch, messages, count)
            if count < MOST_MESSAGES or len(batch) >= MOST_RECEIVED:
                break
            count = receive_messages(socket.descriptor, self.record.read_buffer, messages)
        if batch:
            self.call(self.on_datagrams, (batch,))
        if events & UVNET_UV_WRITABLE and socket.state == HANDLE_OPEN:
            self.flush()
        return 0

    cdef int take(self, list batch, const message *messages, int count) except -1:
        """Make the datagrams of the messages."""
        cdef const message *each
        cdef size_t position, size
        cdef int index
        for index in range(count):
            each = &messages[index]
            if self.received_remote is None or memcmp(&each.remote, &self.received_name, sizeof(ip_name)) != 0:
                self.received_remote = socket_name(&each.remote.any)
                self.received_name = each.remote
            if memcmp(&each.local, &self.received_local_name, sizeof(ip_name)) != 0:
                self.received_local = None if each.local.any.sa_family == 0 else format_sockaddr(&each.local.any)[0]
                self.received_local_name = each.local
            self.bytes_received += each.length
            position = 0
            while True:
                size = min(each.segment, each.length - position)
                batch.append((
                    PyBytes_FromStringAndSize(each.data + position, size), self.received_remote, self.received_local
                ))
                self.packets_received += 1
                position += size
                if position >= each.length:
                    break
        return 0

    cdef int tell_errors(self) except -1:
        """Tell what ICMP has said of datagrams that were sent."""
        cdef ip_name remote
        cdef int status = 0
        cdef int _turn
        cdef DatagramSocket socket = self.socket
        for _turn in range(ERRORS_AT_ONCE):
            if socket.state != HANDLE_OPEN or not receive_error(socket.descriptor, &remote, &status):
                break
            if status < 0:
                self.tell_error(status, socket_name(&remote.any))
        return 0


cdef void _on_poll(uv_poll_t *uv_poll, int status, int events) noexcept nogil:
    cdef HandleBlock *block = block_of(uv_poll)
    cdef message[MOST_MESSAGES] messages
    cdef int count = 0
    if status == 0 and events & UVNET_UV_READABLE:
        # The loop's buffer is nobody's else between two callbacks; the GIL is not needed yet.
        count = receive_messages(block.descriptor, block.read_buffer, messages)
    hold_gil(block.hold)
    (<ready_function>_on_ready)(uv_poll, status, events, messages, count)


# The GIL is held already.
ctypedef void (*ready_function)(uv_poll_t *, int, int, message *, int) noexcept nogil


cdef void _on_ready(uv_poll_t *uv_poll, int status, int events, message *messages, int count) noexcept:
    cdef DatagramSocket socket = <DatagramSocket>block_of(uv_poll).owner
    cdef LoopRecord record = socket.record
    cdef DatagramHandle self
    if socket.state != HANDLE_OPEN or socket.owner is None or record.closed:
        return
    self = <DatagramHandle>socket.owner
    if status < 0:
        # libuv: a poll handle is stopped where the socket has an error: something could not be delivered.
        self.watch()
    enter(record)
    try:
        self.ready(status, events, messages, count)
    except BaseException as error:
        report(record, error, "exception in a uvnet datagram callback", self.user)
    leave(record)
