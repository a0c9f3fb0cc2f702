from uvnet._loop.record cimport LoopRecord
from uvnet._tls.lent_memory cimport LentMemory
from uvnet._tls.records cimport RecordScanner

cdef enum:
    NOTHING_NOW = -2             # where a length is expected: more has to be received first
    MOST_TOGETHER = 98304        # bytes received or decrypted at once; for 128 KiB memory is mapped each time

cdef class TLSEngine:
    cdef readonly object tls         # the ssl.SSLObject
    cdef bint _foreign               # of a class of the program's, which may keep what it is given
    cdef LentMemory _lent_memory     # of the loop
    cdef tuple _record_arguments     # of the loop: to read into it what one record says
    cdef object _incoming            # MemoryBIO: received and not decrypted yet
    cdef object _outgoing            # MemoryBIO: encrypted and not taken yet
    # Their methods and those of what does the reading and writing, bound once.
    cdef object _incoming_write
    cdef object _outgoing_read
    cdef object _tls_read
    cdef object _tls_write
    cdef object _tls_pending
    cdef RecordScanner _records      # of what was received
    cdef Py_ssize_t _unread          # bytes in _incoming, or more; UNKNOWN
    cdef bint _is_one                # they are one record, whole
    cdef object _failure             # what reading has come to, behind bytes that are given out first; or None
    cdef bint _may_hold              # a part of a record that is decrypted
    cdef bint may_answer             # what was decrypted may have been more than data, and be answered
    cdef bint ended                  # the other side has said its end, and what it sent before was decrypted

    cdef int receive(self, char *data, Py_ssize_t length) except -1
    cdef Py_ssize_t _pending(self) except -1
    cdef bint _has_record(self) except -1
    cdef bint holds(self) except -1
    cdef bint holds_much(self) except -1
    cdef bint shake_hands(self) except -1
    cdef bytes decrypt(self, LoopRecord record)
    cdef int fail_later(self, object error) except -1
    cdef bytes _decrypt_together(self, Py_ssize_t most)
    cdef Py_ssize_t decrypt_into(self, char *base, Py_ssize_t size) except? -1
    cdef object _read_into(self, char *base, Py_ssize_t size)
    cdef Py_ssize_t encrypt(self, object data) except -1
    cdef int say_end(self) except -1
    cdef bytes take_outgoing(self)

cdef TLSEngine new_engine(LoopRecord record, object context, bint server_side, object server_hostname)
