# The rules of a block list in the order in which they came.

from libc.stdint cimport uint32_t

from uvnet.addresses.ip cimport Key

cdef enum RuleKind:
    RULE_ADDRESS = 1
    RULE_RANGE
    RULE_SUBNET

cdef struct Rule:
    Key first                # the address, the start, or the network as it was given
    Key last                 # of a range
    unsigned char kind       # a RuleKind
    unsigned char family     # 4 or 6
    unsigned char prefix     # of a subnet

# A place for one rule; 0 stands for no place.
cdef struct Place:
    Rule rule
    uint32_t older
    uint32_t newer
    uint32_t next            # in the same bucket, or the next free place

cdef struct Rules:
    Place *places
    uint32_t *buckets        # the first place of each; as many buckets as places
    uint32_t capacity        # a power of two
    uint32_t count
    uint32_t free
    uint32_t newest

cdef bint rules_reserve(Rules *self) noexcept nogil
cdef void rules_add(Rules *self, const Rule *rule) noexcept nogil
cdef uint32_t rules_find(const Rules *self, const Rule *rule) noexcept nogil
cdef void rules_remove(Rules *self, uint32_t place) noexcept nogil
cdef void rules_clear(Rules *self) noexcept nogil
cdef void rule_bounds(const Rule *rule, Key *first, Key *last) noexcept nogil
