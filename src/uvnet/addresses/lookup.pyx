"""Name look-ups in libuv's thread pool."""

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EMFILE, ENFILE, errno
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from uvnet._loop.counters cimport counters
from uvnet._loop.descriptors cimport close_descriptor, open_spare
from uvnet._loop.record cimport LoopRecord
from uvnet._loop.threads cimport add_to
from uvnet._loop.tick cimport enter, leave, report
from uvnet._uv.table cimport UVNET_UV_EAI_NONAME, UVNET_UV_GETADDRINFO, addrinfo, uv, uv_getaddrinfo_t, uv_req_t
from uvnet.addresses.sockaddr cimport format_sockaddr
from uvnet.errors.system cimport lookup_error

cdef extern from "<sys/socket.h>" nogil:
    enum:
        AF_INET
        AF_INET6
        AF_UNSPEC
        SOCK_STREAM


cdef class Lookup:
    """One getaddrinfo request; it lives until its callback has run."""

    def cancel(self):
        """Give up, if the thread pool has not begun yet; the callback is called with an error then."""
        if self.uv_request is not NULL:
            uv.cancel(<uv_req_t *>self.uv_request)


def look_up(LoopRecord record not None, owner, str hostname not None, int family, int hints, callback):
    """Resolve `hostname` for `owner` (a Socket or Server); callback(error, addresses) follows from the loop.

    `family` is 4, 6 or 0 for both, `hints` are socket.AI_* flags.  `addresses` is a list of (address, 4 or 6)
    in the resolver's order, never empty, and None where there is an error, see lookup_error().
    Raises the error of a name that cannot be looked up at all.
    """
    cdef Lookup self = Lookup.__new__(Lookup)
    cdef addrinfo wanted
    cdef bytes name
    cdef int status
    record.check()
    try:
        name = hostname.encode("ascii") if hostname.isascii() else hostname.encode("idna")
    except UnicodeError:
        raise lookup_error(UVNET_UV_EAI_NONAME, hostname) from None
    memset(&wanted, 0, sizeof(wanted))
    wanted.ai_family = AF_INET if family == 4 else AF_INET6 if family == 6 else AF_UNSPEC
    wanted.ai_socktype = SOCK_STREAM
    wanted.ai_flags = hints
    self.record = record
    self.owner = owner
    self.hostname = hostname
    self.callback = callback
    self.uv_request = <uv_getaddrinfo_t *>malloc(uv.req_size(UVNET_UV_GETADDRINFO))
    if self.uv_request is NULL:
        raise MemoryError
    self.uv_request.data = <void *>self
    try:
        record.lookups.add(self)
        status = uv.getaddrinfo(record.uv_loop, self.uv_request, _on_addresses, name, NULL, &wanted)
        if status < 0:
            raise lookup_error(status, hostname)
    except BaseException:
        record.lookups.discard(self)
        free(self.uv_request)
        self.uv_request = NULL
        raise
    add_to(counters.requests, 1)
    Py_INCREF(self)
    return self


cdef int _failure(int status) noexcept:
    """What a failed look-up is told as.

    Without descriptors to read /etc/hosts or to ask a server with, the resolver has any error.
    """
    cdef int descriptor = open_spare()
    if descriptor < 0:
        return -errno if errno == EMFILE or errno == ENFILE else status
    close_descriptor(descriptor)
    return status


cdef list _addresses(addrinfo *entry):
    cdef list found = []
    while entry is not NULL:
        name = format_sockaddr(entry.ai_addr)
        if name is not None:
            found.append((name[0], 6 if name[1] == "IPv6" else 4))
        entry = entry.ai_next
    return found


cdef void _on_addresses(uv_getaddrinfo_t *request, int status, addrinfo *result) noexcept with gil:
    cdef Lookup self = <Lookup>request.data
    cdef LoopRecord record = self.record
    cdef object callback = self.callback
    self.callback = None
    self.uv_request = NULL
    add_to(counters.requests, -1)
    record.lookups.discard(self)
    try:
        if not record.closed:
            enter(record)
            try:
                found = _addresses(result) if status == 0 else []
                if found:
                    callback(None, found)
                else:
                    callback(lookup_error(_failure(status or UVNET_UV_EAI_NONAME), self.hostname), None)
            except BaseException as error:
                report(record, error, "exception in a look-up callback", None)
            leave(record)
    finally:
        uv.freeaddrinfo(result)
        free(request)
        Py_DECREF(self)
