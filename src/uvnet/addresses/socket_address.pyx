"""SocketAddress: an IP address with a port.  Node: "Class: net.SocketAddress"; rule 4.16.

Also where text and objects become the numbers that addresses are compared by.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

from cpython.bytes cimport PyBytes_AS_STRING
from cpython.object cimport PyObject_RichCompare

from uvnet._uv.public_name cimport public_name
from uvnet.addresses.ip cimport Key, format_key, key_of, parse_ip_str

from uvnet.arguments.checks import check_integer, check_port, reject_unknown
from uvnet.errors.codes import invalid_address, invalid_type, invalid_value

cdef tuple _IP_TYPES = (IPv4Address, IPv6Address)
cdef frozenset _OPTIONS = frozenset({"address", "port", "family", "flow_label"})

cdef enum:
    MAX_FLOW_LABEL = 0xfffff     # 20 bits in the header of IPv6


cdef class SocketAddress:
    """An IP address with a port: a value that never changes, hashable, and ordered by family, address and port.

    `address` is an IP address as str, by default "127.0.0.1" or "::"; a zone is dropped.  An IPv4Address or
    IPv6Address of `ipaddress` is taken too and says the family itself.  `port` is an int from 0 to 65535.
    `family` is "ipv4" or "ipv6" in any case.  `flow_label` is an int from 0 to 0xfffff, and 0 for IPv4.
    One mapping with these keys is taken in place of `address`; arguments win over it.

    Raises NetTypeError for a wrong type and NetValueError for the rest: ERR_INVALID_ADDRESS when the text is no
    address of the family, ERR_INVALID_ARG_VALUE, ERR_SOCKET_BAD_PORT, ERR_OUT_OF_RANGE.
    Node: "new net.SocketAddress([options])".
    """

    def __cinit__(self, address=None, port=0, family="ipv4", flow_label=0):
        cdef int given
        if isinstance(address, Mapping):
            options = address
            reject_unknown(options, _OPTIONS, "SocketAddress()")
            address = options.get("address")
            port = port or options.get("port", 0)
            family = options.get("family", "ipv4") if family == "ipv4" else family
            flow_label = flow_label or options.get("flow_label", 0)
        given = key_of_object(address, &self.key)
        self.number = given or family_of(family, "options.family")
        if self.number == 0:
            raise invalid_value("options.family", family)
        if address is None:
            address = "127.0.0.1" if self.number == 4 else "::"
        elif not given and not isinstance(address, str):
            raise invalid_type("options.address", "of type str", address)
        self.port = check_port(port, "options.port", "options.port")
        flow_label = check_integer(flow_label, "options.flow_label", MAX_FLOW_LABEL)
        if not given and key_of_text(address, &self.key) != self.number:
            raise invalid_address()
        self.flow_label = flow_label if self.number == 6 else 0
        self.address = format_key(self.number, self.key)

    @property
    def family(self):
        """ "ipv4" or "ipv6" (str).  Node: "socketaddress.family"."""
        return "ipv4" if self.number == 4 else "ipv6"

    @staticmethod
    def parse(text):
        """The SocketAddress written as "1.2.3.4:80" or "[::1]:80", or None for anything else.

        The port may be missing, which is 0.  An IPv4 address is read as in a URL: one to four numbers, decimal,
        octal after "0" or hexadecimal after "0x", the last of which fills what is left.
        Raises NetTypeError when `text` is no str.  Node: "SocketAddress.parse(input)".
        """
        if not isinstance(text, str):
            raise invalid_type("text", "of type str", text)
        if text.startswith("["):
            host, bracket, rest = text[1:].partition("]")
            if not bracket or "%" in host or rest[:1] not in ("", ":"):
                return None
            family = "ipv6"
            port = rest[1:]
        else:
            host, _, port = text.partition(":")
            host = _url_host(host)
            family = "ipv4"
        if host is None or not (port == "" or port.isascii() and port.isdecimal()):
            return None
        digits = port.lstrip("0")
        if len(digits) > 5 or int(digits or "0") > 65535:
            return None
        try:
            return SocketAddress(host, int(digits or "0"), family)
        except ValueError:
            return None

    @staticmethod
    def is_socket_address(value):
        """Whether `value` is a SocketAddress (bool).  Node: "SocketAddress.isSocketAddress(value)"."""
        return isinstance(value, SocketAddress)

    def __richcmp__(self, other, int operation):
        if not isinstance(other, SocketAddress):
            return NotImplemented
        return PyObject_RichCompare(_fields(self), _fields(<SocketAddress>other), operation)

    def __hash__(self):
        return hash(_fields(self))

    def __reduce__(self):
        return type(self), (self.address, self.port, self.family, self.flow_label)

    def __repr__(self):
        flow_label = f", flow_label={self.flow_label}" if self.flow_label else ""
        return f"{type(self).__name__}({self.address!r}, {self.port}, {self.family!r}{flow_label})"

    def __str__(self):
        return f"{self.address}:{self.port}" if self.number == 4 else f"[{self.address}]:{self.port}"


cdef tuple _fields(SocketAddress self):
    return self.number, self.key.high, self.key.low, self.port, self.flow_label


cdef int family_of(object family, str name) except -1:
    """4 or 6, or 0 for a str that is no family; raises NetTypeError for other types (rule 4.1)."""
    if not isinstance(family, str):
        raise invalid_type(name, "of type str", family)
    if family == "ipv4":
        return 4
    family = family.lower()
    return 4 if family == "ipv4" else 6 if family == "ipv6" else 0


cdef int key_of_text(str text, Key *key) noexcept:
    """4 or 6, or 0 when the text is no address.  A zone does not count."""
    cdef unsigned char address[16]
    cdef Py_ssize_t end = 0
    cdef int family = parse_ip_str(text, address, &end)
    if family:
        key[0] = key_of(family, address)
    return family


cdef int key_of_object(object address, Key *key) except -1:
    """4 or 6 for a SocketAddress and the addresses of `ipaddress`, or 0 for anything else."""
    cdef bytes packed
    cdef int family
    if isinstance(address, SocketAddress):
        key[0] = (<SocketAddress>address).key
        return (<SocketAddress>address).number
    if not isinstance(address, _IP_TYPES):
        return 0
    packed = address.packed
    family = 4 if len(packed) == 4 else 6
    key[0] = key_of(family, <const unsigned char *>PyBytes_AS_STRING(packed))
    return family


cdef str _url_host(str host):
    """The address that a URL's parser reads from an IPv4 host, or None."""
    cdef list numbers = []
    parts = host.removesuffix(".").split(".")
    if len(parts) > 4:
        return None
    for part in parts:
        if not (part.isascii() and part.isalnum()):
            return None
        try:
            if part[:2] in ("0x", "0X"):
                numbers.append(int(part[2:] or "0", 16))
            else:
                numbers.append(int(part, 8 if part[0] == "0" else 10))
        except ValueError:
            return None
    last = numbers.pop()
    if last >= 256 ** (4 - len(numbers)) or any(number > 255 for number in numbers):
        return None
    value = last
    for index, number in enumerate(numbers):
        value += number << (24 - 8 * index)
    return str(IPv4Address(value))


public_name(SocketAddress, "uvnet.SocketAddress")
