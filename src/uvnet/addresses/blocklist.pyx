"""BlockList: rules about IP addresses.  Node: "Class: net.BlockList"; rule 4.

One rule is read and written in block_rule.pyx; which addresses the rules cover together is found in
coverage.pyx.  IPv4 and IPv6 rules are kept apart.  An IPv4-mapped IPv6 address is looked up in both, and
an IPv6 rule that is about mapped addresses counts in both (rule 4.10).
"""

import json

from libc.stdint cimport UINT32_MAX, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from uvnet._uv.public_name cimport public_name
from uvnet._uv.table cimport sockaddr
from uvnet.addresses.block_rule cimport (
    read_address,
    read_cidr,
    read_key,
    read_range,
    read_subnet,
    read_text,
    text_of_rule,
)
from uvnet.addresses.coverage cimport coverage_change, coverage_clear, coverage_has, coverage_reserve
from uvnet.addresses.ip cimport Key, format_key, key_before, key_is_mapped, key_of
from uvnet.addresses.rules cimport (
    RULE_SUBNET,
    Rule,
    rule_bounds,
    rules_add,
    rules_clear,
    rules_find,
    rules_remove,
    rules_reserve,
)
from uvnet.addresses.sockaddr cimport ip_of_sockaddr
from uvnet.addresses.socket_address cimport key_of_object, key_of_text

from uvnet.errors.codes import cannot_pickle, invalid_type, invalid_value

cdef extern from "<pthread.h>" nogil:
    int pthread_mutex_init(pthread_mutex_t *mutex, const void *attributes)
    int pthread_mutex_lock(pthread_mutex_t *mutex)
    int pthread_mutex_unlock(pthread_mutex_t *mutex)
    int pthread_mutex_destroy(pthread_mutex_t *mutex)

cdef enum:
    LOOPBACK = 0x7f000001    # 127.0.0.1
    RULES_SHOWN = 100        # by repr()


cdef class BlockList:
    """Rules that say which IP addresses are blocked.  Node: "Class: net.BlockList".

    An address argument is a str of the given `family` ("ipv4" or "ipv6", in any case), or a SocketAddress,
    IPv4Address or IPv6Address, which know their family themselves.  A zone in the text does not count.

    A rule about an IPv4 address is also one about its IPv4-mapped IPv6 address (::ffff:a.b.c.d), and the
    other way round.  An IPv6 range counts for IPv4 only when both its ends are mapped.

    What check() costs does not grow with the number of rules.  The list may be changed from any thread, also
    while servers use it.

    The methods that take addresses raise NetTypeError (ERR_INVALID_ARG_TYPE) for other types and NetValueError
    for a `family` that does not exist (ERR_INVALID_ARG_VALUE) and for text that is no address of the family
    (ERR_INVALID_ADDRESS); a call that raises changes nothing.
    """

    #: Networks that are not on the public Internet, for add_cidrs(): this host, private, shared, link-local.
    PRIVATE_RANGES = (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::/128",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )

    def __cinit__(self):
        pthread_mutex_init(&self.mutex, NULL)

    def __dealloc__(self):
        rules_clear(&self.entries)
        coverage_clear(&self.ipv4)
        coverage_clear(&self.ipv6)
        pthread_mutex_destroy(&self.mutex)

    # === Adding ===

    def add_address(self, address, family="ipv4"):
        """Block one address.  Node: "blockList.addAddress(address[, type])"."""
        cdef Rule rule
        read_address(address, family, &rule)
        self._add(&rule)

    def add_addresses(self, addresses, family="ipv4"):
        """Block each of an iterable of addresses.  Node: "blockList.addAddresses(addresses[, type])"."""
        cdef Rule rule
        if isinstance(addresses, str):
            raise invalid_type("addresses", "an iterable of addresses", addresses)
        addresses = list(addresses)
        for address in addresses:
            read_address(address, family, &rule)
        for address in addresses:
            self.add_address(address, family)

    def add_range(self, start, end, family="ipv4"):
        """Block the addresses from `start` to `end`, both included.

        Raises NetValueError (ERR_INVALID_ARG_VALUE) when `start` comes after `end`.
        Node: "blockList.addRange(start, end[, type])".
        """
        cdef Rule rule
        read_range(start, end, family, &rule)
        self._add(&rule)

    def add_subnet(self, network, prefix, family="ipv4"):
        """Block the addresses that share the first `prefix` bits (int, up to 32 or 128) with `network`.

        Raises NetValueError (ERR_OUT_OF_RANGE) for another number.
        Node: "blockList.addSubnet(net, prefix[, type])".
        """
        cdef Rule rule
        read_subnet(network, prefix, family, &rule)
        self._add(&rule)

    def add_cidr(self, network):
        """Block a subnet written as "10.0.0.0/8" or "fc00::/7", or an IPv4Network or IPv6Network.

        Raises NetValueError (ERR_INVALID_ARG_VALUE) for text without a prefix length, and what add_subnet() raises.
        Node: "blockList.addCIDR(cidr)".
        """
        cdef Rule rule
        read_cidr(network, &rule)
        self._add(&rule)

    def add_cidrs(self, networks):
        """Block each of an iterable of what add_cidr() takes.  Node: "blockList.addCIDRs(cidrs)"."""
        cdef Rule rule
        if isinstance(networks, str):
            raise invalid_type("networks", "an iterable of networks", networks)
        networks = list(networks)
        for network in networks:
            read_cidr(network, &rule)
        for network in networks:
            self.add_cidr(network)

    # === Removing ===

    def remove_address(self, address, family="ipv4"):
        """Remove the rules that add_address() made of these arguments; returns whether there were any (bool).

        Node: "blockList.removeAddress(address[, type])".
        """
        cdef Rule rule
        read_address(address, family, &rule)
        return self._remove(&rule)

    def remove_range(self, start, end, family="ipv4"):
        """Remove the rules that add_range() made of these arguments; returns whether there were any (bool).

        Node: "blockList.removeRange(start, end[, type])".
        """
        cdef Rule rule
        read_range(start, end, family, &rule)
        return self._remove(&rule)

    def remove_subnet(self, network, prefix, family="ipv4"):
        """Remove the rules that add_subnet() made of these arguments; returns whether there were any (bool).

        Node: "blockList.removeSubnet(net, prefix[, type])".
        """
        cdef Rule rule
        read_subnet(network, prefix, family, &rule)
        return self._remove(&rule)

    def remove_cidr(self, network):
        """Remove the rules that add_cidr() made of `network`; returns whether there were any (bool).

        Node: "blockList.removeCIDR(cidr)".
        """
        cdef Rule rule
        read_cidr(network, &rule)
        return self._remove(&rule)

    def clear(self):
        """Remove every rule.  Node: "blockList.clear()"."""
        pthread_mutex_lock(&self.mutex)
        rules_clear(&self.entries)
        coverage_clear(&self.ipv4)
        coverage_clear(&self.ipv6)
        pthread_mutex_unlock(&self.mutex)

    # === Asking ===

    def check(self, address, family="ipv4"):
        """Whether a rule blocks `address` (bool).

        False for text that is no address of `family`, and for a `family` that does not exist.
        Raises NetTypeError for other types.  Node: "blockList.check(address[, type])".
        """
        cdef Key key
        cdef int given = read_key(address, family, "address", &key)
        return given > 0 and self._has(given, key)

    def __contains__(self, address):
        """Whether a rule blocks `address`, of whatever family its text is; see check().  This is not in Node."""
        cdef Key key
        cdef int given = key_of_object(address, &key)
        if not given:
            if not isinstance(address, str):
                raise invalid_type("address", "of type str", address)
            given = key_of_text(address, &key)
        return given > 0 and self._has(given, key)

    @property
    def rules(self):
        """A new list of the rules as text, the newest first.  Node: "blockList.rules"."""
        return self._texts(UINT32_MAX)

    @property
    def size(self):
        """The number of rules (int).  Node: "blockList.size"."""
        return self.entries.count

    def to_json(self):
        """What `rules` is, for json.dumps().  Node: "blockList.toJSON()"."""
        return self.rules

    def from_json(self, rules):
        """Add rules as `rules` writes them: a list of str, or such a list as JSON text.

        They are added in their order.  Raises NetTypeError for other types, ValueError for text that is not JSON,
        and NetValueError (ERR_INVALID_ARG_VALUE) that names the first text that is no rule; a call that raises
        adds nothing.  Node: "blockList.fromJSON(value)".
        """
        cdef Rule rule
        if isinstance(rules, str):
            rules = json.loads(rules)
        if not isinstance(rules, list | tuple):
            raise invalid_type("rules", "a list of str, or JSON text of one", rules)
        for text in rules:
            if not isinstance(text, str):
                raise invalid_type("rules", "a list of str, or JSON text of one", rules)
        for index, text in enumerate(rules):
            if not read_text(text, &rule):
                raise invalid_value(f"rules[{index}]", text, "is no rule of a block list")
        for text in rules:
            read_text(text, &rule)
            self._add(&rule)

    @staticmethod
    def is_block_list(value):
        """Whether `value` is a BlockList (bool).  Node: "BlockList.isBlockList(value)"."""
        return isinstance(value, BlockList)

    def __reduce__(self):
        # Servers hold on to the list itself; what is in it travels by to_json().
        raise cannot_pickle(self)

    def __repr__(self):
        texts = list(map(repr, self._texts(RULES_SHOWN)))
        if self.entries.count > RULES_SHOWN:
            texts.append(f"... {self.entries.count - RULES_SHOWN} more")
        return f"<{type(self).__name__} rules=[{', '.join(texts)}]>"

    cdef list _texts(self, uint32_t limit):
        cdef list texts = []
        cdef uint32_t index, place, count
        cdef Rule *rules
        # Copied first: making text makes objects, and that may lead back here.
        pthread_mutex_lock(&self.mutex)
        count = min(limit, self.entries.count)
        rules = <Rule *>malloc(max(count, 1) * sizeof(Rule))
        place = self.entries.newest
        for index in range(count if rules is not NULL else 0):
            rules[index] = self.entries.places[place].rule
            place = self.entries.places[place].older
        pthread_mutex_unlock(&self.mutex)
        if rules is NULL:
            raise MemoryError
        try:
            for index in range(count):
                texts.append(text_of_rule(&rules[index]))
        finally:
            free(rules)
        return texts

    # === For servers and sockets ===

    cdef bint check_sockaddr(self, const sockaddr *address) noexcept nogil:
        cdef unsigned char ip[16]
        cdef int family = ip_of_sockaddr(address, ip)
        return family != 0 and self._has(family, key_of(family, ip))

    cdef bint _has(self, int family, Key key) noexcept nogil:
        # A question may sum up changes, and one without the GIL may come at any time.  Whoever is inside
        # waits for nobody.
        cdef bint found
        pthread_mutex_lock(&self.mutex)
        found = (family == 6 and coverage_has(&self.ipv6, key)) or (
            key_is_mapped(key) and coverage_has(&self.ipv4, key)
        )
        pthread_mutex_unlock(&self.mutex)
        return found

    # === Changing ===

    # Nothing between lock and unlock makes an object: a collection could lead back here.

    cdef int _add(self, const Rule *rule) except -1:
        cdef bint done
        pthread_mutex_lock(&self.mutex)
        done = rules_reserve(&self.entries) and self._reserve_change()
        if done:
            rules_add(&self.entries, rule)
            self._cover(rule, 1)
        pthread_mutex_unlock(&self.mutex)
        if not done:
            raise MemoryError
        return 0

    cdef bint _remove(self, const Rule *rule) except -1:
        cdef uint32_t place
        cdef bint found = False, done = True
        pthread_mutex_lock(&self.mutex)
        place = rules_find(&self.entries, rule)
        while place and done:
            done = self._reserve_change()
            if done:
                rules_remove(&self.entries, place)
                self._cover(rule, -1)
                found = True
                place = rules_find(&self.entries, rule)
        pthread_mutex_unlock(&self.mutex)
        if not done:
            raise MemoryError
        return found

    cdef bint _reserve_change(self) noexcept nogil:
        return coverage_reserve(&self.ipv4) and coverage_reserve(&self.ipv6)

    cdef void _cover(self, const Rule *rule, int amount) noexcept nogil:
        cdef Key first, last, mapped_first, mapped_last
        rule_bounds(rule, &first, &last)
        if rule.family == 4:
            coverage_change(&self.ipv4, first, last, amount)
            return
        coverage_change(&self.ipv6, first, last, amount)
        if rule.kind == RULE_SUBNET:
            mapped_first.high = mapped_last.high = 0
            mapped_first.low = <uint64_t>0xffff << 32
            mapped_last.low = mapped_first.low | <uint64_t>0xffffffff
            if key_before(last, mapped_first) or key_before(mapped_last, first):
                return
            if key_before(first, mapped_first):
                first = mapped_first
            if key_before(mapped_last, last):
                last = mapped_last
        if key_is_mapped(first) and key_is_mapped(last):
            coverage_change(&self.ipv4, first, last, amount)


cdef bint blocks(object block_list, const sockaddr *address) noexcept nogil:
    return (<BlockList>block_list).check_sockaddr(address)


def check_block_list(value, str name="options.block_list"):
    """A value of the option block_list, or of one like it: a BlockList, or None; raises TypeError."""
    if value is not None and not isinstance(value, BlockList):
        raise invalid_type(name, "a BlockList", value)
    return value


def blocked_address(BlockList block_list not None, str address not None, str local_address=None):
    """The blocked address (str) that a socket bound to `local_address` would reach at `address`, or None.

    The unspecified address (0.0.0.0 or ::) stands for this host: Linux connects to the address that the socket is
    bound to where both are IPv4, and otherwise to loopback.
    """
    cdef Key key, local
    cdef int family = key_of_text(address, &key)
    cdef bint from_ipv4
    if family == 0 or block_list._has(family, key):
        return address
    from_ipv4 = local_address is not None and key_of_text(local_address, &local) and key_is_mapped(local)
    if key_is_mapped(key) and <uint32_t>key.low == 0:
        if from_ipv4 and <uint32_t>local.low:
            key = local
        else:
            key.low |= LOOPBACK
    elif key.high == 0 and key.low == 0:
        key.low = <uint64_t>0xffff << 32 | LOOPBACK if from_ipv4 else 1
    else:
        return None
    return format_key(family, key) if block_list._has(family, key) else None


public_name(BlockList, "uvnet.BlockList")
