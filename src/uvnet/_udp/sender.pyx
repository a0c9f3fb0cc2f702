# cython: nonecheck=True
"""DatagramSender: what leaves a UDP socket, in runs that the kernel cuts up, and what waits until it can."""

from collections import deque

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINVAL, EIO, EMSGSIZE, ENOBUFS
from libc.string cimport memset

from uvnet._loop.tick cimport later
from uvnet._udp.base cimport DatagramBase
from uvnet._udp.messages cimport MOST_BYTES, MOST_SEGMENTS, iovec, map_to_ipv6, send_message, set_scope
from uvnet.addresses.sockaddr cimport copy_name, ip_name, parse_sockaddr, sockaddr_storage, socket_name

from uvnet.errors.codes import bad_port, invalid_ip, invalid_type

cdef extern from "<sys/socket.h>" nogil:
    enum:
        AF_INET6

cdef enum:
    MOST_WAITING = 1024          # datagrams that the socket has not taken yet
    MOST_WAITING_BYTES = 2097152
    TRIES = 4                    # to send one: each may fail by what another has come to


cdef class Waiting:
    """Datagrams that wait to be sent."""


cdef class DatagramSender(DatagramBase):
    """What there is of a DatagramHandle that receives nothing."""

    def __cinit__(self):
        self.queue = deque()

    def send(self, list payloads not None, remote, local=None):
        """Send datagrams to one address, in this order.

        payloads: of bytes.  remote: (address, port, ...) as Python's sockets name it.  local: the address (a str)
        from which they leave; None: any.  What cannot be sent is dropped: counted, and `on_error` is told later, once
        for a call.  Raises TypeError, ValueError, and RuntimeError where it is not open; then nothing has been sent.
        """
        cdef Py_ssize_t begun = 0
        cdef object payload
        self.open_socket()
        for payload in payloads:
            if type(payload) is not bytes:
                raise invalid_type("payloads", "a list of bytes", payload)
        if remote is not self.sent_remote or remote is None:
            self._keep_remote(remote)
        if local is not self.sent_local:
            self._keep_local(local)
        if not self.blocked:
            begun = self.send_from(payloads, 0, &self.sent_name, &self.sent_local_name)
        if begun < len(payloads):
            self.wait(payloads, begun, &self.sent_name, &self.sent_local_name)

    def _keep_remote(self, remote):
        cdef ip_name name
        if not isinstance(remote, tuple) or len(remote) not in (2, 4):
            raise invalid_type("remote", "a tuple (address, port), or one of four", remote)
        self.parse(remote[0], remote[1], &name)
        if len(remote) == 4 and remote[3] and name.any.sa_family == AF_INET6:
            set_scope(&name, remote[3])
        self.sent_name = name
        self.sent_remote = remote

    def _keep_local(self, local):
        cdef ip_name name
        if local is None:
            memset(&name, 0, sizeof(name))
        else:
            self.parse(local, 0, &name)
        self.sent_local_name = name
        self.sent_local = local

    cdef int parse(self, object address, object port, ip_name *name) except -1:
        cdef sockaddr_storage storage
        if not isinstance(address, str):
            raise invalid_type("address", "of type str", address)
        if not isinstance(port, int):
            raise invalid_type("port", "of type int", port)
        if not 0 <= port <= 65535:
            raise bad_port("port", port)
        if parse_sockaddr(address, port, &storage) == 0:
            raise invalid_ip(address)
        copy_name(&storage, name)
        if name.any.sa_family != self.family:
            if self.family != AF_INET6:
                raise invalid_ip(address)
            map_to_ipv6(name)
        return 0

    cdef Py_ssize_t send_from(self, list payloads, Py_ssize_t index, const ip_name *remote,
                              const ip_name *local) except -1:
        """Send from `index` on; the index of the first that has to wait.

        The GIL stays held: to get it back from a thread that computes takes longer than any of these calls.
        """
        cdef iovec[MOST_SEGMENTS] pieces
        cdef Py_ssize_t total = len(payloads)
        cdef Py_ssize_t alone = 0            # those before it go one by one
        cdef Py_ssize_t count, size, first
        cdef size_t length
        cdef int status, left
        cdef int failure = 0
        cdef bint refused
        cdef bytes payload
        while index < total:
            count = 0
            length = 0
            first = PyBytes_GET_SIZE(payloads[index])
            while index + count < total:
                payload = <bytes>payloads[index + count]
                size = PyBytes_GET_SIZE(payload)
                if count and (size > first or size == 0 or length + size > MOST_BYTES):
                    break
                pieces[count].iov_base = PyBytes_AS_STRING(payload)
                pieces[count].iov_len = size
                count += 1
                length += size
                if size < first or not self.segments or index < alone or count == MOST_SEGMENTS or first == 0:
                    break
            left = TRIES
            while True:
                status = send_message(self.socket.descriptor, pieces, count, first if count > 1 else 0, remote, local)
                left -= 1
                # What ICMP has told of another datagram is the result of the next call as well, whatever that sends.
                refused = count > 1 and (status == -EINVAL or status == -EMSGSIZE or status == -EIO)
                if status == 0 or status == -EAGAIN or status == -ENOBUFS or refused or left == 0:
                    break
            if status == 0:
                self.packets_sent += count
                self.bytes_sent += length
                index += count
            elif status == -EAGAIN:
                break
            elif refused:
                # Too long for the way there, or for an interface that computes no checksums.
                if status == -EIO:
                    self.segments = False
                alone = index + count
            else:
                self.packets_dropped += count
                index += count
                # That is how a full queue of the interface shows; a router would not say either.
                if status != -ENOBUFS and failure == 0:
                    failure = status
        if failure:
            later(self.record, _run_error, self, (failure, socket_name(&remote.any)), 0)
        return index

    cdef int wait(self, list payloads, Py_ssize_t index, const ip_name *remote, const ip_name *local) except -1:
        """Keep those from `index` on until the socket takes more, as far as there is room."""
        cdef Waiting waiting = Waiting.__new__(Waiting)
        cdef list kept = []
        cdef Py_ssize_t length = 0
        for payload in payloads[index:]:
            if (self.packets_waiting + len(kept) >= MOST_WAITING
                    or self.queued_bytes + length + len(payload) > MOST_WAITING_BYTES):
                break
            kept.append(payload)
            length += len(payload)
        self.packets_dropped += len(payloads) - index - len(kept)
        if kept:
            waiting.payloads = kept
            waiting.remote = remote[0]
            waiting.local = local[0]
            self.queue.append(waiting)
            self.packets_waiting += len(kept)
            self.queued_bytes += length
            self.socket.block.queued_bytes = self.queued_bytes
        if not self.blocked:
            self.blocked = True
            self.watch()
        return 0

    cdef int flush(self) except -1:
        """The socket takes more."""
        cdef Waiting waiting
        cdef Py_ssize_t begun, index
        while self.queue:
            waiting = self.queue[0]
            begun = self.send_from(waiting.payloads, waiting.begun, &waiting.remote, &waiting.local)
            for index in range(waiting.begun, begun):
                self.queued_bytes -= len(waiting.payloads[index])
            self.packets_waiting -= begun - waiting.begun
            self.socket.block.queued_bytes = self.queued_bytes
            waiting.begun = begun
            if begun < len(waiting.payloads):
                return 0
            self.queue.popleft()
        self.blocked = False
        self.watch()
        return 0

    cdef int forget(self) except -1:
        """Nothing waits any more, either."""
        self.packets_dropped += self.packets_waiting
        self.packets_waiting = self.queued_bytes = 0
        self.queue.clear()
        return DatagramBase.forget(self)


cdef int _run_error(object target, object argument, int step) except -1:
    status, remote = <tuple>argument
    return (<DatagramSender>target).tell_error(status, remote)
