"""What each host has open at a server, and how fast it may open more.

Only hosts that have something open, or whose bucket is not full again, are remembered, and no more than MOST_HOSTS of
them: from the one after those on, a host is held to the limits of the whole server alone.
"""

from libc.stdint cimport uint64_t

from uvnet._uv.table cimport sockaddr
from uvnet.addresses.ip cimport Key, key_is_mapped, key_of
from uvnet.addresses.sockaddr cimport ip_of_sockaddr

cdef enum:
    MOST_HOSTS = 100000
    PURGE_EVERY = 1000       # milliseconds
    PURGE_FROM = 1024        # hosts


cdef void fill(Bucket *bucket, double rate, double burst, uint64_t now) noexcept:
    """A full bucket."""
    bucket.rate = rate
    bucket.burst = bucket.tokens = burst
    bucket.filled_at = now


cdef void _refill(Bucket *bucket, uint64_t now) noexcept:
    if now > bucket.filled_at:
        bucket.tokens = min(bucket.burst, bucket.tokens + bucket.rate * (now - bucket.filled_at) / 1000)
        bucket.filled_at = now


cdef bint take_token(Bucket *bucket, uint64_t now) noexcept:
    """Whether there was one, or no limit."""
    if bucket.rate == 0:
        return True
    _refill(bucket, now)
    if bucket.tokens < 1:
        return False
    bucket.tokens -= 1
    return True


cdef class Host:
    """One host, or one network."""


cdef class Hosts:
    """Those of one server."""

    def __init__(self, most, double rate, double burst, int ipv4_prefix, int ipv6_prefix):
        self.by_key = {}
        self.most = -1 if most is None else most
        self.rate = rate
        self.burst = burst
        self.ipv4_prefix = ipv4_prefix
        self.ipv6_prefix = ipv6_prefix
        self.purge_from = PURGE_FROM

    def __len__(self):
        return len(self.by_key)

    cdef Host find(self, const sockaddr *remote, uint64_t now):
        """The host of an address, made where it is new; None for what is no IP address, and for one too many."""
        cdef unsigned char[16] ip
        cdef int family = ip_of_sockaddr(remote, ip)
        cdef Host host
        cdef Key number
        cdef bytes key
        if family == 0:
            return None
        # The same for an IPv4 address however it is written, as a server on both families has it.
        number = key_of(family, ip)
        _mask(&number, 96 + self.ipv4_prefix if key_is_mapped(number) else self.ipv6_prefix)
        key = (<char *>&number)[:sizeof(number)]
        host = self.by_key.get(key)
        if host is None:
            if len(self.by_key) >= self.purge_from or (
                len(self.by_key) >= MOST_HOSTS and now - self.purged_at >= PURGE_EVERY
            ):
                self.purge(now)
            if len(self.by_key) >= MOST_HOSTS:
                return None
            host = Host.__new__(Host)
            host.key = key
            fill(&host.bucket, self.rate, self.burst, now)
            self.by_key[key] = host
        return host

    cdef int left(self, Host host) except -1:
        """A connection of the host is over."""
        host.connections -= 1
        if host.connections == 0 and self.rate == 0:
            self.by_key.pop(host.key, None)
        return 0

    cdef int purge(self, uint64_t now) except -1:
        """Forget those that are as if they had never come."""
        cdef Host host
        self.purged_at = now
        for host in list(self.by_key.values()):
            if host.connections:
                continue
            _refill(&host.bucket, now)
            if host.bucket.tokens >= host.bucket.burst:
                del self.by_key[host.key]
        self.purge_from = max(PURGE_FROM, 2 * len(self.by_key))
        return 0


cdef void _mask(Key *number, int bits) noexcept:
    """Clear all but the first bits."""
    if bits < 64:
        number.high = number.high >> (64 - bits) << (64 - bits) if bits else 0
        number.low = 0
    elif bits < 128:
        number.low = number.low >> (128 - bits) << (128 - bits) if bits > 64 else 0
