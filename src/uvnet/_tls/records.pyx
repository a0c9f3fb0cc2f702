"""Where the records end in what was received.

OpenSSL that is asked for the plain text of a record that is not there whole has to be answered with an exception each
time, which costs as much as decrypting a short one.  RFC 8446, section 5.1; RFC 5246, section 6.2.1.
"""

from libc.string cimport memcpy

cdef enum:
    FIRST_TYPE = 20                  # change_cipher_spec
    LAST_TYPE = 24                   # heartbeat
    MAJOR_VERSION = 3
    MOST_LENGTH = 18432              # 2^14 + 2048, the limit of TLS 1.2; that of TLS 1.3 is lower


cdef void scan_records(RecordScanner *scanner, const unsigned char *data, Py_ssize_t length) noexcept:
    """Go on behind what was scanned before."""
    cdef Py_ssize_t step
    while length and not scanner.foreign:
        if scanner.partial < HEADER:
            step = min(HEADER - scanner.partial, length)
            memcpy(scanner.header + scanner.partial, data, step)
            if scanner.partial + step == HEADER:
                scanner.missing = scanner.header[3] << 8 | scanner.header[4]
                # OpenSSL says what is wrong with it, and need not wait for more.
                scanner.foreign = (
                    not FIRST_TYPE <= scanner.header[0] <= LAST_TYPE or scanner.header[1] != MAJOR_VERSION
                    or scanner.missing > MOST_LENGTH
                )
        else:
            step = min(scanner.missing, length)
            scanner.missing -= step
        scanner.partial += step
        data += step
        length -= step
        if scanner.partial >= HEADER and scanner.missing == 0:
            scanner.partial = 0
