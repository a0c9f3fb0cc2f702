"""One rule of a block list: from arguments, from text, and as text.  Rules 4.1 to 4.5 and 4.11.

Everything that a user can get wrong about a rule is found here, before a list changes.
"""

from ipaddress import IPv4Network, IPv6Network

from libc.string cimport memset

from uvnet.addresses.ip cimport Key, format_key, key_before
from uvnet.addresses.rules cimport RULE_ADDRESS, RULE_RANGE, RULE_SUBNET, Rule
from uvnet.addresses.socket_address cimport family_of, key_of_object, key_of_text

from uvnet.arguments.checks import check_integer
from uvnet.errors.codes import invalid_address, invalid_type, invalid_value

cdef tuple _NETWORK_TYPES = (IPv4Network, IPv6Network)


cdef int read_key(object address, object family, str name, Key *key) except -1:
    """4 or 6, or 0 for text that is no address of `family` (rules 4.1, 4.2, 4.9)."""
    cdef int given = key_of_object(address, key)
    if given:
        return given
    if not isinstance(address, str):
        raise invalid_type(name, "of type str", address)
    given = family_of(family, "family")
    return given if key_of_text(address, key) == given else 0


cdef int _require(object address, object family, str name, Key *key) except -1:
    """4 or 6; raises where read_key() gives 0."""
    cdef int given = read_key(address, family, name, key)
    if not given:
        if not family_of(family, "family"):
            raise invalid_value("family", family)
        raise invalid_address()
    return given


cdef int read_address(object address, object family, Rule *rule) except -1:
    memset(rule, 0, sizeof(Rule))
    rule.kind = RULE_ADDRESS
    rule.family = _require(address, family, "address", &rule.first)
    return 0


cdef int read_range(object start, object end, object family, Rule *rule) except -1:
    memset(rule, 0, sizeof(Rule))
    rule.kind = RULE_RANGE
    for name, value in (("start", start), ("end", end)):
        if not key_of_object(value, &rule.first) and not isinstance(value, str):
            raise invalid_type(name, "of type str", value)
    rule.family = _require(start, family, "start", &rule.first)
    if _require(end, family, "end", &rule.last) != rule.family:
        raise invalid_address()
    if key_before(rule.last, rule.first):
        raise invalid_value("start", start, "must come before end")
    return 0


cdef int read_subnet(object network, object prefix, object family, Rule *rule) except -1:
    memset(rule, 0, sizeof(Rule))
    rule.kind = RULE_SUBNET
    rule.family = _require(network, family, "network", &rule.first)
    rule.prefix = check_integer(prefix, "prefix", 32 if rule.family == 4 else 128)
    return 0


cdef int read_cidr(object network, Rule *rule) except -1:
    cdef str address, prefix
    if isinstance(network, _NETWORK_TYPES):
        return read_subnet(network.network_address, network.prefixlen, "ipv4", rule)
    if not isinstance(network, str):
        raise invalid_type("network", "of type str", network)
    address, _, prefix = network.partition("/")
    if not (prefix.isascii() and prefix.isdecimal() and len(prefix) <= 3):
        raise invalid_value("network", network, 'must be an address, "/" and a prefix length')
    return read_subnet(address, int(prefix), "ipv6" if ":" in address else "ipv4", rule)


cdef str text_of_rule(const Rule *rule):
    """Rule 4.11."""
    cdef str family = "IPv4" if rule.family == 4 else "IPv6"
    cdef str first = format_key(rule.family, rule.first)
    if rule.kind == RULE_ADDRESS:
        return f"Address: {family} {first}"
    if rule.kind == RULE_RANGE:
        return f"Range: {family} {first}-{format_key(rule.family, rule.last)}"
    return f"Subnet: {family} {first}/{rule.prefix}"


cdef bint read_text(str text, Rule *rule) except -1:
    """Whether it is the text of a rule."""
    cdef str kind, family, value, start, end
    kind, _, value = text.partition(": ")
    family, _, value = value.partition(" ")
    if family not in ("IPv4", "IPv6"):
        return False
    try:
        if kind == "Address":
            read_address(value, family, rule)
        elif kind == "Range":
            start, _, end = value.partition("-")
            read_range(start, end, family, rule)
        elif kind == "Subnet" and (":" in value) == (family == "IPv6"):
            read_cidr(value, rule)
        else:
            return False
    except ValueError:
        return False
    return True
