"""What each host has open at a server, and how fast it may open more.

Only hosts that have something open, or whose bucket is not full again, are remembered, and no more than MOST_HOSTS of
them: from the one after those on, a host is held to the limits of the whole server alone.  None of it is an object of
Python's, and the table is as large as the hosts that are in it want it.
"""

import os

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from uvnet._accept.keyed_hash cimport keyed_hash
from uvnet._uv.table cimport sockaddr
from uvnet.addresses.ip cimport Key, key_equals, key_is_mapped, key_of
from uvnet.addresses.sockaddr cimport ip_of_sockaddr

cdef enum:
    MOST_HOSTS = 100000
    FEWEST_SLOTS = 64
    SWEPT_FOR_ONE = 8        # slots that are looked at when a host comes: the table is never gone through at once


cdef void fill(Bucket *bucket, const Rate *rate, uint64_t now) noexcept:
    """Fill a bucket up."""
    bucket.tokens = rate.burst
    bucket.filled_at = now


cdef inline void _refill(Bucket *bucket, const Rate *rate, uint64_t now) noexcept:
    if now > bucket.filled_at:
        bucket.tokens = min(rate.burst, bucket.tokens + rate.rate * (now - bucket.filled_at) / 1000)
        bucket.filled_at = now


cdef bint take_token(Bucket *bucket, const Rate *rate, uint64_t now) noexcept:
    """Whether there was one, or no limit."""
    if rate.rate == 0:
        return True
    _refill(bucket, rate, now)
    if bucket.tokens < 1:
        return False
    bucket.tokens -= 1
    return True


cdef class Hosts:
    """Those of one server."""

    def __init__(self, most, double rate, double burst, int ipv4_prefix, int ipv6_prefix):
        cdef bytes secret = os.urandom(sizeof(self.secret))
        # Nobody can choose addresses that all want the same slot.
        memcpy(self.secret, PyBytes_AS_STRING(secret), sizeof(self.secret))
        self.most = -1 if most is None else most
        self.rate.rate = rate
        self.rate.burst = burst
        self.ipv4_prefix = ipv4_prefix
        self.ipv6_prefix = ipv6_prefix

    def __dealloc__(self):
        cdef size_t place
        for place in range(self.capacity):
            free(self.slots[place].host)
        free(self.slots)

    cdef Host *find(self, const sockaddr *remote, uint64_t now) except? NULL:
        """The host of an address, made where it is new; NULL for what is no IP address, and for one too many.

        It stays until it is forgotten, which it is not while it has connections.
        """
        cdef unsigned char[16] ip
        cdef int family = ip_of_sockaddr(remote, ip)
        cdef Key key
        cdef uint64_t hash
        cdef size_t place
        if family == 0:
            return NULL
        # The same for an IPv4 address however it is written, as a server on both families has it.
        key = key_of(family, ip)
        _mask(&key, 96 + self.ipv4_prefix if key_is_mapped(key) else self.ipv6_prefix)
        # Who is judged is admitted next.
        if self.latest is not NULL and key_equals(self.latest.key, key):
            return self.latest
        hash = keyed_hash(self.secret, key.high, key.low)
        if self.capacity:
            place = hash & (self.capacity - 1)
            while self.slots[place].host is not NULL:
                if self.slots[place].hash == hash and key_equals(self.slots[place].host.key, key):
                    self.latest = self.slots[place].host
                    return self.latest
                place = (place + 1) & (self.capacity - 1)
        return self._add(&key, hash, now)

    cdef void left(self, Host *host) noexcept:
        """A connection of the host is over."""
        cdef size_t place
        host.connections -= 1
        # With a rate it is remembered until its bucket is full.
        if host.connections or self.rate.rate:
            return
        place = keyed_hash(self.secret, host.key.high, host.key.low) & (self.capacity - 1)
        while self.slots[place].host is not host:
            place = (place + 1) & (self.capacity - 1)
        self._remove(place)

    cdef void sweep(self, int slots, uint64_t now) noexcept:
        """Look at so many of the slots, and forget hosts that are as if they had never come."""
        cdef Host *host
        while slots and self.count:
            slots -= 1
            self.hand &= self.capacity - 1
            host = self.slots[self.hand].host
            if host is not NULL and host.connections == 0:
                _refill(&host.bucket, &self.rate, now)
                if host.bucket.tokens >= self.rate.burst:
                    # Another one may have come into its place.
                    self._remove(self.hand)
                    continue
            self.hand += 1

    cdef Host *_add(self, const Key *key, uint64_t hash, uint64_t now) except? NULL:
        cdef size_t place
        cdef Host *host
        self.sweep(SWEPT_FOR_ONE, now)
        if self.count >= MOST_HOSTS:
            return NULL
        # A quarter of the slots is nobody's, so that the search for one is short.
        if 4 * (self.count + 1) > 3 * self.capacity and not self._resize(max(FEWEST_SLOTS, 2 * self.capacity)):
            raise MemoryError
        host = <Host *>malloc(sizeof(Host))
        if host is NULL:
            raise MemoryError
        host.key = key[0]
        host.connections = 0
        fill(&host.bucket, &self.rate, now)
        place = hash & (self.capacity - 1)
        while self.slots[place].host is not NULL:
            place = (place + 1) & (self.capacity - 1)
        self.slots[place].hash = hash
        self.slots[place].host = host
        self.count += 1
        self.latest = host
        return host

    cdef bint _resize(self, size_t capacity) noexcept:
        """Have so many slots; False, and nothing has changed, where there is no memory."""
        cdef Slot *slots = <Slot *>calloc(capacity, sizeof(Slot))
        cdef size_t place, old
        if slots is NULL:
            return False
        for old in range(self.capacity):
            if self.slots[old].host is not NULL:
                place = self.slots[old].hash & (capacity - 1)
                while slots[place].host is not NULL:
                    place = (place + 1) & (capacity - 1)
                slots[place] = self.slots[old]
        free(self.slots)
        self.slots = slots
        self.capacity = capacity
        return True

    cdef void _remove(self, size_t place) noexcept:
        cdef size_t mask = self.capacity - 1
        cdef size_t hole = place
        cdef Host *host = self.slots[place].host
        if self.latest is host:
            self.latest = NULL
        free(host)
        # No gap between a host and the slot where it is looked for first.
        place = (place + 1) & mask
        while self.slots[place].host is not NULL:
            if ((place - self.slots[place].hash) & mask) >= ((place - hole) & mask):
                self.slots[hole] = self.slots[place]
                hole = place
            place = (place + 1) & mask
        self.slots[hole].host = NULL
        self.count -= 1
        if self.capacity > FEWEST_SLOTS and 8 * self.count < self.capacity:
            # Without memory it stays as large as it is.
            self._resize(self.capacity // 2)


cdef void _mask(Key *number, int bits) noexcept:
    """Clear all but the first bits."""
    if bits < 64:
        number.high = number.high >> (64 - bits) << (64 - bits) if bits else 0
        number.low = 0
    elif bits < 128:
        number.low = number.low >> (128 - bits) << (128 - bits) if bits > 64 else 0
