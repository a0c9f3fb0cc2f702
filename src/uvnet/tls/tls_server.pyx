"""tls.Server: a server whose connections begin with a TLS handshake.

Its sockets are handed out when that is over; until then they count, and have a limit of time.
Node: "Class: tls.Server".
"""

from uvnet._stream.stream cimport Stream
from uvnet._uv.public_name cimport public_name
from uvnet.addresses.sockaddr cimport sockaddr_storage
from uvnet.server.server cimport Server as PlainServer
from uvnet.socket.socket cimport Socket
from uvnet.tls.tls_socket cimport TLSSocket, new_accepted_tls_socket

from uvnet._accept.limit_options import with_preset
from uvnet.arguments.checks import merge_options, reject_unknown
from uvnet.arguments.keywords import TLSServerKeywords
from uvnet.errors.codes import invalid_callback, invalid_type, invalid_value
from uvnet.server.listening import SERVER_OPTIONS
from uvnet.tls.context import CONTEXT_OPTIONS, check_context, context_of
from uvnet.tls.names import Names, choose_by, may_choose
from uvnet.tls.security import check_handshake_timeout

_OPTIONS = frozenset(TLSServerKeywords.__annotations__)


cdef class Server(PlainServer):
    """A server with TLS.  Server([options][, listener]), options as one mapping or as keywords:

    context: a server's ssl.SSLContext with a certificate, or in its place the options of create_secure_context() to
    make one, `cert` at least; handshake_timeout: seconds, more than 0, for each handshake (120, with the preset
    "internet" 15); sni_callback: a function that gets the name a client asks for (str) and returns the ssl.SSLContext
    for it, or None for the server's own; all options of uvnet.Server.
    `listener` is called at 'secureConnection'.

    Events: those of uvnet.Server; 'connection' is the TLSSocket before its handshake; 'secureConnection' (TLSSocket)
    when that is over; 'tlsClientError' (error, TLSSocket) when it has failed, and the socket is destroyed; without a
    listener that is logged once a second, and told by 'drop' with the reason "tls".
    Raises TypeError or ValueError for bad options, OSError for a file that cannot be read.
    Node: "tls.createServer([options][, secureConnectionListener])".
    """

    def __init__(self, options=None, connection_listener=None, **keywords):
        if options is not None and callable(options) and connection_listener is None:
            options, connection_listener = None, options
        options = merge_options(options, keywords)
        reject_unknown(options, _OPTIONS, "tls.Server()")
        callback = options.get("sni_callback")
        if callback is not None and not callable(callback):
            raise invalid_callback(callback, "options.sni_callback")
        handshake_seconds = check_handshake_timeout(with_preset(options, "options.preset"))
        context = context_of(options, True)
        if callback is not None:
            _check_may_choose(context)
        PlainServer.__init__(
            self, {name: value for name, value in options.items() if name in SERVER_OPTIONS}, connection_listener
        )
        self._names = Names(callback)
        self._handshake_seconds = handshake_seconds
        self._secure_context = context

    # === Public API ===

    def set_secure_context(self, options=None, **keywords):
        """Use another context for connections from now on: those that are there keep theirs.

        `options`: an ssl.SSLContext, or the options of create_secure_context() as one mapping or as keywords.
        Raises what the constructor raises; then nothing has changed.  Node: "server.setSecureContext(options)".
        """
        self.record.check()
        context = _context_of(options, keywords)
        if self._names.callback is not None or self._names.added:
            _check_may_choose(context)
        self._secure_context = context

    def add_context(self, hostname, context=None, **keywords):
        """Use this context for clients that ask for `hostname`, in which "*" stands for any part between dots.

        `context`: an ssl.SSLContext, or the options of create_secure_context() as one mapping or as keywords.
        Raises TypeError or ValueError for bad arguments, OSError for a file that cannot be read.
        Node: "server.addContext(hostname, context)".
        """
        self.record.check()
        if not isinstance(hostname, str):
            raise invalid_type("hostname", "of type str", hostname)
        if not hostname:
            raise invalid_value("hostname", hostname, "must not be empty")
        _check_may_choose(self._secure_context)
        self._names.add(hostname, _context_of(context, keywords))

    # === Accepting ===

    cdef str _event_of_arrival(self):
        return "secureConnection"

    cdef Socket _make_socket(self, Stream stream, const sockaddr_storage *remote):
        cdef TLSSocket socket = new_accepted_tls_socket(
            stream, self, remote, self._secure_context, self._handshake_seconds
        )
        choose_by(self._names, socket._engine.tls, self._choice_failed)
        return socket

    def _choice_failed(self, error):
        self._failed_for(error, None)

    cdef int _arrived(self, Socket socket) except -1:
        if self.has_listeners("connection"):
            self.emit1("connection", socket)
        if socket._handle is not None and socket._server is self and not (<TLSSocket>socket)._begun:
            (<TLSSocket>socket)._begin_handshake()
        return 0

    cdef int _connection_secured(self, object socket, object error) except -1:
        return self._secure(socket) if error is None else self._not_secure(socket, error)

    cdef int _secure(self, TLSSocket socket) except -1:
        try:
            self._hand_out(socket)
        except BaseException as error:
            self._failed_for(error, socket)
            if socket._server is self:
                socket._destroy_stream(None)
        return self._hold_if_full()

    cdef int _not_secure(self, TLSSocket socket, object error) except -1:
        cdef sockaddr_storage *remote = <sockaddr_storage *>&socket._remote_name
        cdef sockaddr_storage *local = <sockaddr_storage *>&socket._local_name
        if self.has_listeners("tlsClientError"):
            try:
                self.emit_all("tlsClientError", (error, socket))
            except BaseException as failure:
                self._failed_for(failure, socket)
        elif not isinstance(error, ConnectionResetError):
            # Who only goes is nobody to tell of.
            self._intake.tls_failed(self, -1, remote, local, error)
        return 0


def _context_of(given, keywords):
    if given is not None and not isinstance(given, dict) and not hasattr(given, "keys"):
        if keywords:
            raise invalid_value("options", given, "is a context, and what it does is set on it")
        return check_context(given, True)
    options = merge_options(given, keywords)
    reject_unknown(options, CONTEXT_OPTIONS, "options")
    return context_of(options, True)


def _check_may_choose(context):
    if not may_choose(context):
        raise invalid_value(
            "options.context", context, "has a sni_callback of its own, which decides by the name that is asked for"
        )


public_name(Server, "uvnet.tls.Server")
