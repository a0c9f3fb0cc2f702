# cython: nonecheck=True
# What is here for plain Python may be called on an object that was not made by its function.
"""Channel: frames between two processes, with descriptors that go with them, over a connected Unix socket.

A frame has a head: the length of its payload, its kind, and how many descriptors come with it.  The descriptors of a
frame leave in the call of sendmsg(2) that sends its first byte, so they are there when the frame is whole; see
SCM_RIGHTS in unix(7).  Where the receiver is out of descriptors the system drops what it cannot give: that is a -1.
"""

from collections import deque

from libc.errno cimport EAGAIN, ECONNRESET, EINTR, ENOBUFS, EPIPE, EPROTO, ETOOMANYREFS, errno
from libc.stdint cimport uint16_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove

from uvnet._loop.adopted cimport add_adopted, changed, forget_adopted, is_lost, reserve_adopted
from uvnet._loop.descriptors cimport close_descriptor
from uvnet._loop.gil cimport hold_gil
from uvnet._loop.handle cimport HANDLE_OPEN, Handle, block_of
from uvnet._loop.record cimport LoopRecord
from uvnet._loop.tick cimport enter, later, leave, report
from uvnet._loop.timer cimport open_timer
from uvnet._uv.table cimport UVNET_UV_POLL, UVNET_UV_READABLE, UVNET_UV_WRITABLE, uv, uv_poll_t
from uvnet.errors cimport system
from uvnet.errors.system cimport system_error

from uvnet._loop.loop import running_record
from uvnet.errors.codes import channel_closed, channel_full

cdef extern from *:
    """
    #include <fcntl.h>
    #include <string.h>
    #include <sys/socket.h>
    #include <sys/uio.h>

    enum { UVNET_CHANNEL_DESCRIPTORS = 253 };

    typedef union {
        char bytes[CMSG_SPACE(UVNET_CHANNEL_DESCRIPTORS * sizeof(int))];
        struct cmsghdr aligned;
    } uvnet_channel_control;

    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif
    #ifdef MSG_CMSG_CLOEXEC
    enum { UVNET_CHANNEL_FLAGS = MSG_CMSG_CLOEXEC | MSG_DONTWAIT };
    #else
    enum { UVNET_CHANNEL_FLAGS = MSG_DONTWAIT };
    #endif

    static ssize_t uvnet_channel_send(int channel, const char *data, size_t length, const int *descriptors, int count)
    {
        struct iovec vector = {(void *)data, length};
        struct msghdr message;
        uvnet_channel_control control;
        memset(&message, 0, sizeof(message));
        message.msg_iov = &vector;
        message.msg_iovlen = 1;
        if (count > 0) {
            struct cmsghdr *header;
            memset(&control, 0, sizeof(control));
            message.msg_control = control.bytes;
            message.msg_controllen = CMSG_SPACE(count * sizeof(int));
            header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(count * sizeof(int));
            memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
        }
        return sendmsg(channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }

    static ssize_t uvnet_channel_receive(int channel, char *buffer, size_t length, int *descriptors, int *count,
                                         int *truncated)
    {
        struct iovec vector = {buffer, length};
        struct msghdr message;
        struct cmsghdr *header;
        uvnet_channel_control control;
        ssize_t received;
        memset(&message, 0, sizeof(message));
        message.msg_iov = &vector;
        message.msg_iovlen = 1;
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        *count = 0;
        received = recvmsg(channel, &message, UVNET_CHANNEL_FLAGS);
        *truncated = received >= 0 && (message.msg_flags & MSG_CTRUNC) != 0;
        if (received < 0)
            return received;
        for (header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
            if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
                continue;
            int found = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            if (found > UVNET_CHANNEL_DESCRIPTORS - *count)
                found = UVNET_CHANNEL_DESCRIPTORS - *count;
            memcpy(descriptors + *count, CMSG_DATA(header), found * sizeof(int));
            *count += found;
        }
    #ifndef MSG_CMSG_CLOEXEC
        for (int index = 0; index < *count; index++)
            fcntl(descriptors[index], F_SETFD, FD_CLOEXEC);
    #endif
        return received;
    }
    """
    enum:
        MOST_RECEIVED "UVNET_CHANNEL_DESCRIPTORS"
    ssize_t send_message "uvnet_channel_send" (int channel, const char *data, size_t length,
                                               const int *descriptors, int count) nogil
    ssize_t receive_message "uvnet_channel_receive" (int channel, char *buffer, size_t length, int *descriptors,
                                                     int *count, int *truncated) nogil

cdef enum:
    ENOUGH_QUEUED = 131072       # bytes; from there on send() says that it is too much
    MOST_QUEUED = 134217728      # bytes; more is refused
    READ_SIZE = 65536
    KEPT_CAPACITY = 262144
    READS_AT_ONCE = 8            # before others get their turn
    LAST_READS = 1024            # that finish() does at most
    PAUSE = 10                   # milliseconds

cdef struct Head:
    uint32_t length
    uint16_t kind
    uint16_t descriptors


cdef class Frame:
    """One that waits to be sent."""


cdef class Channel(Handle):
    """One end; it owns its descriptor."""

    def __cinit__(self):
        self.descriptor = -1

    def __dealloc__(self):
        free(self._incoming)

    # === For Python ===

    def send(self, int kind, bytes payload not None, descriptors=(), over=None, bint must=False):
        """Queue a frame.  False where so much waits that the sender should too.

        descriptors: of ints, at most MOST_DESCRIPTORS, to stay open until `over` is called: with None once the frame
        is sent, else with the error.  must: whoever sends it sees to it that not too many wait.
        Raises RuntimeError where the channel is closed or full.
        """
        self.record.check()
        if self._queued > MOST_QUEUED and not must and self.state == HANDLE_OPEN:
            raise channel_full(len(payload))
        self.put(kind, payload, list(descriptors), over)
        return self._queued < ENOUGH_QUEUED

    @property
    def is_open(self):
        return self.state == HANDLE_OPEN

    @property
    def queued(self):
        """Bytes that wait to be sent."""
        return self._queued

    @property
    def is_at_rest(self):
        """Whether no frame is under way here: none waits to be sent, and none has come in part."""
        return not self._outgoing and self._filled == 0 and not self._batches

    def set_referenced(self, bint referenced):
        """Whether it keeps uvnet.run() going."""
        if self.state == HANDLE_OPEN:
            self.block.referenced = referenced

    def send_now(self):
        """Send what the socket takes of what is queued."""
        self.record.check()
        self.flush()

    def disconnect(self):
        """Close it; what is queued and not sent is told its error, and `lost` is called."""
        self.record.check()
        self._over(None)

    def finish(self):
        """The process at the other end is over: give out what it has sent, then disconnect()."""
        cdef ssize_t received
        cdef int _turn
        self.record.check()
        for _turn in range(LAST_READS):
            if self.state != HANDLE_OPEN:
                return
            self._take(&received)
            if received <= 0:
                break
        self._over(None)

    # === Sending ===

    cdef int put(self, int kind, bytes payload, list descriptors, object over) except -1:
        cdef Head head
        cdef Frame frame
        if self.state != HANDLE_OPEN:
            raise channel_closed()
        if len(payload) > LONGEST_FRAME or len(descriptors) > MOST_DESCRIPTORS:
            raise channel_full(len(payload))
        head.length = <uint32_t>len(payload)
        head.kind = <uint16_t>kind
        head.descriptors = <uint16_t>len(descriptors)
        frame = Frame.__new__(Frame)
        frame.data = (<char *>&head)[:sizeof(Head)] + payload
        frame.descriptors = descriptors if descriptors else None
        frame.over = over
        if not self._blocked and not self._sends_later:
            later(self.record, _run_flush, self, None, 0)
            self._sends_later = True
        self._outgoing.append(frame)
        self._queued += len(frame.data)
        self.block.queued_bytes = self._queued
        return 0

    cdef int flush(self) except -1:
        try:
            self._flush()
        except BaseException:
            self._later()
            raise
        return 0

    cdef int _flush(self) except -1:
        cdef Frame frame
        cdef int status = 0
        while self._outgoing and self.state == HANDLE_OPEN:
            frame = self._outgoing[0]
            self._send(&status)
            if status == -EAGAIN:
                self._blocked = True
                self._watch()
                return 0
            if status == -ENOBUFS or status == -ETOOMANYREFS:
                # The socket is writable all the same.
                if self._blocked:
                    self._blocked = False
                    self._watch()
                self._later()
                return 0
            if status < 0:
                # What has come meanwhile is given out before the end is told.
                self._blocked = True
                if status != -EPIPE:
                    self._over(system_error(status, "sendmsg"))
                return 0
            if frame.begun == len(frame.data):
                self._outgoing.popleft()
                if frame.over is not None:
                    _tell(self, frame.over, None)
        if self._blocked and self.state == HANDLE_OPEN:
            self._blocked = False
            self._watch()
        return 0

    cdef int _send(self, int *status) except -1:
        """Send of the first frame what the socket takes."""
        cdef Frame frame = self._outgoing[0]
        cdef int[MOST_DESCRIPTORS] descriptors
        cdef int count = 0
        cdef ssize_t sent
        cdef object descriptor
        if frame.descriptors is not None:
            for descriptor in frame.descriptors:
                descriptors[count] = descriptor
                count += 1
        while True:
            sent = send_message(
                self.descriptor, <const char *>frame.data + frame.begun, len(frame.data) - frame.begun,
                descriptors, count,
            )
            if sent >= 0 or errno != EINTR:
                break
        if sent < 0:
            status[0] = -errno
            return 0
        status[0] = 0
        frame.descriptors = None
        frame.begun += sent
        self._queued -= sent
        self.block.queued_bytes = self._queued
        return 0

    cdef int _watch(self) noexcept:
        changed(self.block)
        return uv.poll_start(
            self.uv_poll(), UVNET_UV_READABLE | (UVNET_UV_WRITABLE if self._blocked else 0), _on_poll
        )

    # === Receiving ===

    cdef ssize_t _receive(self) except? -1:
        """Bytes received, 0 at the end, or a libuv error."""
        cdef int[MOST_RECEIVED] descriptors
        cdef int count = 0
        cdef int truncated = 0
        cdef int index
        cdef ssize_t received
        cdef char *buffer
        if self._capacity - self._filled < READ_SIZE:
            buffer = <char *>realloc(self._incoming, self._filled + READ_SIZE)
            if buffer is NULL:
                raise MemoryError
            self._incoming = buffer
            self._capacity = self._filled + READ_SIZE
        while True:
            received = receive_message(
                self.descriptor, self._incoming + self._filled, self._capacity - self._filled,
                descriptors, &count, &truncated,
            )
            if received >= 0 or errno != EINTR:
                break
        if received < 0:
            return -errno
        self._filled += received
        if count or truncated:
            try:
                # Each call of sendmsg() sends those of one frame, and one of recvmsg() brings those of one.
                batch = []
                for index in range(count):
                    batch.append(descriptors[index])
                self._batches.append(batch)
            except BaseException as error:
                for index in range(count):
                    close_descriptor(descriptors[index])
                # Those of later frames would pass for these.
                self._over(error)
                raise
        return received

    cdef int _give_out(self) except -1:
        """Call the receivers of the frames that are whole."""
        cdef Head head
        cdef size_t position = 0
        cdef size_t whole
        cdef char *buffer
        try:
            while self.state == HANDLE_OPEN and self._filled - position >= sizeof(Head):
                memcpy(&head, self._incoming + position, sizeof(Head))
                if (head.length > LONGEST_FRAME or head.kind not in self.receivers
                        or head.descriptors > MOST_DESCRIPTORS
                        or (head.descriptors and head.kind not in self.carriers)):
                    self._over(system_error(-EPROTO, "recvmsg"))
                    return 0
                whole = sizeof(Head) + head.length
                if self._filled - position < whole:
                    if self._capacity < whole + READ_SIZE:
                        buffer = <char *>realloc(self._incoming, whole + READ_SIZE)
                        if buffer is NULL:
                            raise MemoryError
                        self._incoming = buffer
                        self._capacity = whole + READ_SIZE
                    return 0
                payload = self._incoming[position + sizeof(Head):position + whole]
                descriptors = self._descriptors_of(head.descriptors)
                position += whole
                _give(self, self.receivers[head.kind], payload, descriptors)
        finally:
            if self._incoming is not NULL and position:
                self._filled -= position
                memmove(self._incoming, self._incoming + position, self._filled)
                if self._filled == 0 and self._capacity > KEPT_CAPACITY:
                    free(self._incoming)
                    self._incoming = NULL
                    self._capacity = 0
        return 0

    cdef list _descriptors_of(self, unsigned int count):
        """Those of the frame that is whole now; -1 for what was lost."""
        cdef list found = [-1] * count
        cdef Py_ssize_t index
        cdef int descriptor
        if count and self._batches:
            for index, descriptor in enumerate(self._batches[0]):
                if index < count:
                    found[index] = descriptor
                else:
                    close_descriptor(descriptor)
            self._batches.popleft()
        return found

    # === Going on ===

    cdef int _take(self, ssize_t *received) except -1:
        """Receive once, and give out what is whole; 0 or an error: no more comes, now or ever."""
        cdef bint is_end
        received[0] = self._receive()
        if received[0] > 0:
            try:
                self._give_out()
            except BaseException:
                self._later()
                raise
        elif received[0] != -EAGAIN:
            # A Unix socket says ECONNRESET where the other end has closed before it has read everything.
            is_end = received[0] == 0 or received[0] == -ECONNRESET
            self._over(None if is_end else system_error(<int>received[0], "recvmsg"))
        return 0

    cdef int _later(self) except -1:
        """Try again soon."""
        if self.state != HANDLE_OPEN:
            return 0
        if self._again is None:
            self._again = open_timer(self.record, self, _on_pause_over)
        self._again.start(PAUSE)
        return 0

    cdef int _go_on(self) except -1:
        if not self._blocked:
            self.flush()
        try:
            self._give_out()
        except BaseException:
            self._later()
            raise
        return 0

    # === Its end ===

    cdef int _over(self, object error) except -1:
        """Close it, and tell of it once."""
        cdef Frame frame
        cdef object lost = self.lost
        if self.state != HANDLE_OPEN:
            return 0
        failure = channel_closed() if error is None else error
        self.close()
        self.lost = None
        while self._outgoing:
            frame = self._outgoing.popleft()
            if frame.over is not None:
                _tell(self, frame.over, failure)
        self._queued = 0
        if lost is not None:
            _tell(self, lost, error)
        self.receivers.clear()
        return 0

    cdef void descriptor_lost(self) noexcept:
        cdef LoopRecord record = self.record
        if record.closed:
            return
        enter(record)
        try:
            self._over(system.descriptor_lost("recvmsg"))
        except BaseException as error:
            report(record, error, "exception in a uvnet channel callback", None)
        leave(record)

    cdef void close(self, bint reset=False) noexcept:
        cdef bint is_gone
        if self.state != HANDLE_OPEN:
            return
        is_gone = is_lost(self.block)
        forget_adopted(self.block)
        Handle.close(self)
        if self._again is not None:
            self._again.owner = None
            self._again.close()
            self._again = None
        # libuv: a poll handle that was closed does not look at its descriptor any more.
        if not is_gone and self.descriptor >= 0:
            close_descriptor(self.descriptor)
        self.descriptor = -1
        while self._batches:
            for descriptor in self._batches.popleft():
                close_descriptor(descriptor)


cdef Channel open_channel(LoopRecord record, int descriptor, object owner, object lost):
    cdef Channel self = Channel.__new__(Channel)
    cdef int status
    self._outgoing = deque()
    self._batches = deque()
    self.receivers = {}
    self.carriers = set()
    self.lost = lost
    reserve_adopted(record)
    self.allocate(record, UVNET_UV_POLL)
    status = uv.poll_init(record.uv_loop, self.uv_poll(), descriptor)
    if status < 0:
        raise system_error(status, "uv_poll_init")
    self.opened(status, "uv_poll_init")
    self.block.referenced = True
    self.owner = owner
    self.on_abandoned = _on_abandoned
    self.descriptor = descriptor
    add_adopted(self.block, descriptor)
    status = self._watch()
    if status < 0:
        self.descriptor = -1
        self.close()
        raise system_error(status, "uv_poll_start")
    return self


def new_channel(int descriptor, owner, lost):
    """A channel on the loop of this thread, which owns the descriptor; an exception leaves it with the caller.

    lost: called once with None or the error when no frame will come any more; owner._abandoned() is called where the
    loop is closed before that.
    """
    return open_channel(running_record(), descriptor, owner, lost)


cdef int _on_pause_over(object owner) except -1:
    return (<Channel>owner)._go_on()


cdef int _on_abandoned(object owner) except -1:
    owner._abandoned()
    return 0


cdef int _tell(Channel self, object callback, object error) except -1:
    try:
        callback(error)
    except BaseException as failure:
        report(self.record, failure, "exception in a uvnet channel callback", None)
    return 0


cdef int _give(Channel self, object receiver, object payload, list descriptors) except -1:
    """What the receiver wants to keep it takes out of the list, or puts -1 there; the others are closed."""
    cdef int descriptor
    try:
        receiver(payload, descriptors)
    except BaseException as failure:
        report(self.record, failure, "exception in a uvnet channel callback", None)
    for descriptor in descriptors:
        if descriptor >= 0:
            close_descriptor(descriptor)
    return 0


cdef int _run_flush(object target, object argument, int step) except -1:
    cdef Channel self = <Channel>target
    self._sends_later = False
    if not self._blocked:
        self.flush()
    return 0


cdef void _on_poll(uv_poll_t *uv_poll, int status, int events) noexcept nogil:
    hold_gil(block_of(uv_poll).hold)
    (<poll_function>_on_ready)(uv_poll, status, events)


# The GIL is held already.
ctypedef void (*poll_function)(uv_poll_t *, int, int) noexcept nogil


cdef void _on_ready(uv_poll_t *uv_poll, int status, int events) noexcept:
    cdef Channel self = <Channel>block_of(uv_poll).owner
    cdef LoopRecord record = self.record
    cdef ssize_t received = 0
    cdef int _turn
    if status < 0 and self.state == HANDLE_OPEN:
        # libuv: a poll handle is stopped where the socket has an error: of an end that was closed before it had read
        # everything, and what that has sent waits here all the same.
        self._watch()
    if events & UVNET_UV_WRITABLE and self._blocked:
        enter(record)
        try:
            self.flush()
        except BaseException as error:
            report(record, error, "exception in a uvnet channel callback", None)
        leave(record)
    for _turn in range(READS_AT_ONCE):
        if self.state != HANDLE_OPEN or record.closed:
            return
        enter(record)
        try:
            self._take(&received)
        except BaseException as error:
            received = 0
            report(record, error, "exception in a uvnet channel callback", None)
        leave(record)
        if received < READ_SIZE:
            return
