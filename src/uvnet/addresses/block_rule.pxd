from uvnet.addresses.ip cimport Key
from uvnet.addresses.rules cimport Rule

# 4 or 6, or 0 for text that is no address of `family`; raises for other types.
cdef int read_key(object address, object family, str name, Key *key) except -1

# Each fills in `rule`, or raises what the method of BlockList raises.
cdef int read_address(object address, object family, Rule *rule) except -1
cdef int read_range(object start, object end, object family, Rule *rule) except -1
cdef int read_subnet(object network, object prefix, object family, Rule *rule) except -1
cdef int read_cidr(object network, Rule *rule) except -1

# Text as BlockList.rules has it.
cdef bint read_text(str text, Rule *rule) except -1
cdef str text_of_rule(const Rule *rule)
