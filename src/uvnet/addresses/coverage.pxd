# How many of a set of ranges cover an address.

from libc.stdint cimport int32_t, uint32_t

from uvnet.addresses.ip cimport Key

# A range that came (amount 1) or went (amount -1).
cdef struct Change:
    Key first
    Key last
    int32_t amount

# From `start` to the next step `count` ranges cover an address.
cdef struct Step:
    Key start
    int32_t count

# What is known of the addresses of one bucket without looking at the steps.
cdef struct Bucket:
    uint32_t before          # the number of steps before the bucket
    int32_t count            # that the last of them has

# A step function: 0 before the first step, ascending, no two neighbours with the same count.
cdef struct Steps:
    Step *steps
    size_t length
    Bucket *index            # the buckets and an end; NULL where memory ran out
    size_t buckets
    int shift                # a bucket is 2 ** shift addresses

# What covers an address is the sum of the three.
cdef struct Coverage:
    Steps settled
    Steps recent             # much smaller than `settled`
    Change *changes          # the newest, in no order
    size_t change_count
    size_t change_capacity
    size_t unsettled_checks  # since `settled` was made

cdef bint coverage_reserve(Coverage *self) noexcept nogil
cdef void coverage_change(Coverage *self, Key first, Key last, int amount) noexcept nogil
cdef bint coverage_has(Coverage *self, Key key) noexcept nogil
cdef void coverage_clear(Coverage *self) noexcept nogil
