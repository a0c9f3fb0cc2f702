"""The rules of a block list in the order in which they came, equal ones as often as they came.

A table of places, linked in order and by hash, so that adding and removing cost the same however many
rules there are.  What the rules mean together is none of its business: see coverage.pyx.
"""

from libc.stdint cimport UINT64_MAX, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from uvnet.addresses.ip cimport Key, key_equals


cdef bint rules_reserve(Rules *self) noexcept nogil:
    """Make room for one more rule; False without memory."""
    cdef uint32_t capacity = self.capacity * 2 if self.capacity else 8
    cdef uint32_t *buckets
    cdef Place *places
    # Place 0 is never used.
    if self.capacity and self.count + 1 < self.capacity:
        return True
    if capacity == 0:
        return False
    buckets = <uint32_t *>calloc(capacity, sizeof(uint32_t))
    places = <Place *>realloc(self.places, capacity * sizeof(Place)) if buckets is not NULL else NULL
    if places is NULL:
        free(buckets)
        return False
    free(self.buckets)
    self.buckets = buckets
    self.places = places
    _rehash(self, capacity)
    return True


cdef void _rehash(Rules *self, uint32_t capacity) noexcept nogil:
    cdef uint32_t place
    # No place is free when the table grows: those of the old table are all in use.
    for place in range(self.capacity if self.capacity else 1, capacity):
        self.places[place].next = self.free
        self.free = place
    self.capacity = capacity
    place = self.newest
    while place:
        _enter_bucket(self, place)
        place = self.places[place].older


cdef void rules_add(Rules *self, const Rule *rule) noexcept nogil:
    """Add a rule as the newest.  rules_reserve() has made room for it."""
    cdef uint32_t place = self.free
    self.free = self.places[place].next
    self.places[place].rule = rule[0]
    self.places[place].older = self.newest
    self.places[place].newer = 0
    if self.newest:
        self.places[self.newest].newer = place
    self.newest = place
    self.count += 1
    _enter_bucket(self, place)


cdef uint32_t rules_find(const Rules *self, const Rule *rule) noexcept nogil:
    """The place of a rule that equals `rule`, or 0."""
    cdef uint32_t place
    if self.count == 0:
        return 0
    place = self.buckets[_hash(rule) & (self.capacity - 1)]
    while place and not _equal(&self.places[place].rule, rule):
        place = self.places[place].next
    return place


cdef void rules_remove(Rules *self, uint32_t place) noexcept nogil:
    """Remove the rule at `place`."""
    cdef Place *entry = &self.places[place]
    cdef uint32_t *link = &self.buckets[_hash(&entry.rule) & (self.capacity - 1)]
    while link[0] != place:
        link = &self.places[link[0]].next
    link[0] = entry.next
    if entry.older:
        self.places[entry.older].newer = entry.newer
    if entry.newer:
        self.places[entry.newer].older = entry.older
    else:
        self.newest = entry.older
    entry.next = self.free
    self.free = place
    self.count -= 1


cdef void rules_clear(Rules *self) noexcept nogil:
    """Remove every rule and give all memory back."""
    free(self.places)
    free(self.buckets)
    memset(self, 0, sizeof(Rules))


cdef void rule_bounds(const Rule *rule, Key *first, Key *last) noexcept nogil:
    """The first and the last address that a rule covers."""
    cdef int bits
    cdef uint64_t high, low
    first[0] = rule.first
    last[0] = rule.last if rule.kind == RULE_RANGE else rule.first
    if rule.kind == RULE_SUBNET:
        bits = rule.prefix + (96 if rule.family == 4 else 0)
        high = UINT64_MAX if bits == 0 else UINT64_MAX >> bits if bits < 64 else 0
        low = UINT64_MAX if bits <= 64 else UINT64_MAX >> (bits - 64) if bits < 128 else 0
        first.high &= ~high
        first.low &= ~low
        last.high |= high
        last.low |= low


cdef void _enter_bucket(Rules *self, uint32_t place) noexcept nogil:
    cdef uint32_t *bucket = &self.buckets[_hash(&self.places[place].rule) & (self.capacity - 1)]
    self.places[place].next = bucket[0]
    bucket[0] = place


cdef bint _equal(const Rule *a, const Rule *b) noexcept nogil:
    return (
        key_equals(a.first, b.first)
        and key_equals(a.last, b.last)
        and a.kind == b.kind
        and a.family == b.family
        and a.prefix == b.prefix
    )


cdef uint32_t _hash(const Rule *rule) noexcept nogil:
    cdef uint64_t hash = rule.kind | <uint64_t>rule.family << 8 | <uint64_t>rule.prefix << 16
    hash = _mix(hash ^ rule.first.high)
    hash = _mix(hash ^ rule.first.low)
    hash = _mix(hash ^ rule.last.high)
    return <uint32_t>(_mix(hash ^ rule.last.low) >> 32)


cdef inline uint64_t _mix(uint64_t hash) noexcept nogil:
    # An odd factor spreads low bits upwards, the shift brings high bits back down.
    hash *= <uint64_t>0x9e3779b97f4a7c15
    return hash ^ hash >> 32
