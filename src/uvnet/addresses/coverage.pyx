"""How many of a set of ranges cover an address: found in one step or two, however many ranges there are.

Ranges are kept as step functions over the numbers of addresses.  The sum of two step functions is one again, so
a range that goes is a step function too, with -1: nothing is ever built anew because a range went.

Changes are noted and summed up when somebody asks, in three ranks: a few changes to look through, a small
step function, a large one.  A change moves up when enough others have come along or enough questions have
been asked to pay for the work, so that neither changes nor questions, however they alternate, cost much.
Where memory for a sum runs out, the answer is as right as before and only takes longer.

Nothing here knows the GIL.  A question may sum up, so callers see to it that only one is inside at a time.
"""

from libc.stdint cimport UINT64_MAX, int32_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort, realloc
from libc.string cimport memset

from uvnet.addresses.ip cimport Key, key_before, key_equals

cdef enum:
    CHANGES_LOOKED_THROUGH = 16   # changes; more of them are summed up at the next question
    CHANGES_KEPT = 256            # changes; room for more is given back once they are summed up
    STEPS_PER_CHECK = 8           # steps summed up for each question asked meanwhile: some 20 ns
    SPARE_INDEX_BITS = 1          # twice as many buckets as steps: most have none inside
    MAX_INDEX_BITS = 22           # an index takes at most 32 MiB


cdef bint coverage_reserve(Coverage *self) noexcept nogil:
    """Make room for the next change; False without memory."""
    cdef Change *changes
    cdef size_t capacity = self.change_capacity * 2 + 4
    if self.change_count == self.change_capacity:
        changes = <Change *>realloc(self.changes, capacity * sizeof(Change))
        if changes is NULL:
            return False
        self.changes = changes
        self.change_capacity = capacity
    return True


cdef void coverage_change(Coverage *self, Key first, Key last, int amount) noexcept nogil:
    """A range came (1) or went (-1).  coverage_reserve() has made room for it."""
    cdef Change *change = &self.changes[self.change_count]
    change.first = first
    change.last = last
    change.amount = amount
    self.change_count += 1


cdef bint coverage_has(Coverage *self, Key key) noexcept nogil:
    """Whether any range covers `key`."""
    cdef int32_t count
    cdef size_t index
    cdef Change *change
    if self.change_count or self.recent.length:
        _sum_up(self)
    count = _count_at(&self.settled, key)
    if self.recent.length:
        count += _count_at(&self.recent, key)
    for index in range(self.change_count):
        change = &self.changes[index]
        if not key_before(key, change.first) and not key_before(change.last, key):
            count += change.amount
    return count > 0


cdef void coverage_clear(Coverage *self) noexcept nogil:
    """Forget every range and give all memory back."""
    _free(&self.settled)
    _free(&self.recent)
    free(self.changes)
    memset(self, 0, sizeof(Coverage))


cdef void _sum_up(Coverage *self) noexcept nogil:
    """Move changes up, where it is time to."""
    self.unsettled_checks += 1
    if self.unsettled_checks * STEPS_PER_CHECK > self.settled.length + self.recent.length + self.change_count:
        if _sum_up_changes(self):
            _settle(self)
    elif self.change_count > CHANGES_LOOKED_THROUGH:
        if _sum_up_changes(self):
            # Weighs the work of both sums: each settles once in about the square root of all steps.
            if self.recent.length * self.recent.length > CHANGES_LOOKED_THROUGH * self.settled.length:
                _settle(self)


cdef bint _sum_up_changes(Coverage *self) noexcept nogil:
    """Move the changes to `recent`; False without memory."""
    cdef Steps fresh
    if self.change_count == 0:
        return True
    if not _steps_of(self.changes, self.change_count, &fresh):
        return False
    if not _add(&self.recent, &fresh):
        _free(&fresh)
        return False
    self.change_count = 0
    if self.change_capacity > CHANGES_KEPT:
        free(self.changes)
        self.changes = NULL
        self.change_capacity = 0
    return True


cdef void _settle(Coverage *self) noexcept nogil:
    """Move `recent` to `settled`."""
    if self.recent.length == 0 or _add(&self.settled, &self.recent):
        self.unsettled_checks = 0


cdef bint _add(Steps *sum, Steps *summand) noexcept nogil:
    """Move `summand` into `sum`; both stay as they are without memory (False)."""
    cdef Steps result
    if sum.length == 0:
        result = summand[0]
    elif _sum(sum, summand, &result):
        free(summand.steps)
        free(summand.index)
    else:
        return False
    _free(sum)
    sum[0] = result
    memset(summand, 0, sizeof(Steps))
    return True


cdef bint _sum(const Steps *a, const Steps *b, Steps *result) noexcept nogil:
    cdef size_t i = 0, j = 0
    cdef Key start
    memset(result, 0, sizeof(Steps))
    result.steps = <Step *>malloc((a.length + b.length) * sizeof(Step))
    if result.steps is NULL:
        return False
    while i < a.length or j < b.length:
        if j == b.length or (i < a.length and key_before(a.steps[i].start, b.steps[j].start)):
            start = a.steps[i].start
        else:
            start = b.steps[j].start
        if i < a.length and key_equals(a.steps[i].start, start):
            i += 1
        if j < b.length and key_equals(b.steps[j].start, start):
            j += 1
        _append(result, start, (a.steps[i - 1].count if i else 0) + (b.steps[j - 1].count if j else 0))
    _finish(result)
    return True


cdef bint _steps_of(const Change *changes, size_t length, Steps *result) noexcept nogil:
    """The sum of changes."""
    cdef Step *edges = <Step *>malloc(2 * length * sizeof(Step))
    cdef size_t index, count = 0
    cdef int32_t sum = 0
    cdef const Change *change
    memset(result, 0, sizeof(Steps))
    result.steps = <Step *>malloc(2 * length * sizeof(Step))
    if edges is NULL or result.steps is NULL:
        free(edges)
        _free(result)
        return False
    for index in range(length):
        change = &changes[index]
        edges[count].start = change.first
        edges[count].count = change.amount
        count += 1
        if change.last.high != UINT64_MAX or change.last.low != UINT64_MAX:
            edges[count].start = _successor(change.last)
            edges[count].count = -change.amount
            count += 1
    qsort(edges, count, sizeof(Step), _compare_starts)
    for index in range(count):
        sum += edges[index].count
        if index + 1 == count or not key_equals(edges[index].start, edges[index + 1].start):
            _append(result, edges[index].start, sum)
    free(edges)
    _finish(result)
    return True


cdef void _append(Steps *self, Key start, int32_t count) noexcept nogil:
    if count != (self.steps[self.length - 1].count if self.length else 0):
        self.steps[self.length].start = start
        self.steps[self.length].count = count
        self.length += 1


cdef void _finish(Steps *self) noexcept nogil:
    """Give back what is not used, and make the index."""
    cdef Key span
    cdef int bits = SPARE_INDEX_BITS
    cdef int32_t count = 0
    cdef size_t step, bucket, filled = 0
    cdef Step *shrunk
    if self.length == 0:
        _free(self)
        return
    shrunk = <Step *>realloc(self.steps, self.length * sizeof(Step))
    if shrunk is not NULL:
        self.steps = shrunk
    span = _difference(self.steps[self.length - 1].start, self.steps[0].start)
    while bits < MAX_INDEX_BITS and <size_t>1 << bits < self.length << SPARE_INDEX_BITS:
        bits += 1
    self.shift = 0
    while (self.shift < 64 and span.high >> self.shift) or _shifted(span, self.shift) >> bits:
        self.shift += 1
    self.buckets = _shifted(span, self.shift) + 1
    self.index = <Bucket *>malloc((self.buckets + 1) * sizeof(Bucket))
    if self.index is NULL:
        return
    for step in range(self.length + 1):
        bucket = self.buckets
        if step < self.length:
            bucket = _shifted(_difference(self.steps[step].start, self.steps[0].start), self.shift)
        while filled <= bucket:
            self.index[filled].before = <uint32_t>step
            self.index[filled].count = count
            filled += 1
        if step < self.length:
            count = self.steps[step].count


cdef int32_t _count_at(const Steps *self, Key key) noexcept nogil:
    """The count of the last step that does not start behind `key`."""
    cdef size_t low = 0, high = self.length, first = 0, middle
    cdef uint64_t bucket = 0
    if high == 0 or key_before(key, self.steps[0].start):
        return 0
    if not key_before(key, self.steps[high - 1].start):
        return self.steps[high - 1].count
    if self.index is not NULL:
        bucket = _shifted(_difference(key, self.steps[0].start), self.shift)
        first = self.index[bucket].before
        low = first
        high = self.index[bucket + 1].before
    while low < high:
        middle = (low + high) // 2
        if key_before(key, self.steps[middle].start):
            high = middle
        else:
            low = middle + 1
    # Each place in memory that is looked at costs more than all the rest.
    return self.index[bucket].count if low == first else self.steps[low - 1].count


cdef void _free(Steps *self) noexcept nogil:
    free(self.steps)
    free(self.index)
    memset(self, 0, sizeof(Steps))


cdef int _compare_starts(const void *a, const void *b) noexcept nogil:
    cdef Key left = (<const Step *>a).start
    cdef Key right = (<const Step *>b).start
    return key_before(right, left) - <int>key_before(left, right)


cdef inline Key _successor(Key key) noexcept nogil:
    key.low += 1
    key.high += key.low == 0
    return key


cdef inline Key _difference(Key a, Key b) noexcept nogil:
    cdef Key result
    result.low = a.low - b.low
    result.high = a.high - b.high - (a.low < b.low)
    return result


cdef inline uint64_t _shifted(Key key, int shift) noexcept nogil:
    """The low 64 bits of key >> shift."""
    if shift >= 64:
        return key.high >> (shift - 64)
    return key.low >> shift | (key.high << (64 - shift) if shift else 0)
