# cython: nonecheck=True
# What is here for plain Python may be called on a socket that is not there yet, or any more.
"""TLSSocket: a Socket whose bytes go through TLS, on a connection of its own or on that of another socket.

The TLS itself is a SecureStream, which takes the place of the handle once there is a connection: all that a Socket
does with its handle it does with that.  Node: "Class: tls.TLSSocket".
"""

import ssl

from uvnet._loop.context cimport enter_context, exit_context
from uvnet._loop.idle cimport idle_timers_of
from uvnet._loop.loop cimport current_record
from uvnet._loop.record cimport no_record
from uvnet._stream.stream cimport Stream
from uvnet._stream.write_request cimport WriteRequest
from uvnet._tls.engine cimport TLSEngine, new_engine
from uvnet._tls.secure_stream cimport SecureStream
from uvnet._tls.secure_stream_events cimport open_secure
from uvnet._uv.public_name cimport public_name
from uvnet._uv.table cimport UVNET_UV_EOF
from uvnet.addresses.sockaddr cimport sockaddr_storage
from uvnet.socket.adopting cimport Adopting
from uvnet.socket.connection_events cimport attach
from uvnet.socket.socket cimport Socket, accepted
from uvnet.socket.socket_parent cimport SocketParent
from uvnet.tls.negotiated cimport Negotiated

from uvnet.addresses.endpoint import check_host, normalize
from uvnet.arguments.checks import merge_options, reject_unknown
from uvnet.arguments.keywords import TLSSocketKeywords
from uvnet.errors.codes import (
    cannot_be_sent,
    decoded_already,
    initialised_before,
    invalid_type,
    invalid_value,
    socket_closed,
    will_not_come,
)
from uvnet.errors.tls import (
    NOT_VERIFIED,
    closed_in_handshake,
    handshake_too_long,
    hang_up,
    with_code,
)
from uvnet.socket.options import SOCKET_OPTIONS
from uvnet.tls.security import check_session, parse_security, peer_name

_OPTIONS = frozenset(TLSSocketKeywords.__annotations__)


cdef class TLSSocket(Negotiated):
    """A connection with TLS.  TLSSocket([socket][, options]), options as one mapping or as keywords.

    With `socket`, a Socket that is connected, it takes that one's connection over, with what came early, and begins
    the handshake at once: a client's, or with is_server=True a server's.  `socket` is left without a connection and
    says nothing more.  Without, connect() makes one.

    context: an ssl.SSLContext, or in its place the options of create_secure_context() to make one; without any a
    client verifies the other end by the system's authorities;
    servername: whom the certificate must name, and whom the server is asked for (default: the host of connect());
    session: what get_session() of an earlier connection with the same context has returned, to be resumed;
    handshake_timeout: seconds, more than 0, for the handshake (120); all options of Socket but those of descriptors.

    Events: those of Socket, 'secureConnect' (a client's handshake is over, and the other end is who it should be),
    'secure' (a handshake is over), 'session' (session).
    Raises TypeError or ValueError for bad options, OSError for a file that cannot be read, RuntimeError
    (ERR_SOCKET_CLOSED, ERR_SOCKET_SENDING) for a socket that cannot be taken over; it stays as it is.
    Node: "new tls.TLSSocket(socket[, options])".
    """

    def __init__(self, socket=None, options=None, **keywords):
        cdef TLSEngine engine = None
        if self.record is not no_record:
            raise initialised_before("TLSSocket")
        if socket is not None and options is None and not isinstance(socket, Socket) and hasattr(socket, "keys"):
            socket, options = None, socket
        options = merge_options(options, keywords)
        reject_unknown(options, _OPTIONS, "TLSSocket()")
        if socket is not None and not isinstance(socket, Socket):
            raise invalid_type("socket", "a Socket", socket)
        is_server = bool(options.get("is_server", False))
        if is_server and socket is None:
            raise invalid_value("options.is_server", True, "needs the socket that a client has connected to")
        self._security = parse_security(options, is_server)
        self._handshake_seconds = self._security.handshake_timeout
        if socket is not None:
            engine = self._new_engine(None)
        self._is_server = is_server
        self._secure_connecting = True
        self.record = current_record()
        try:
            self._initialise({name: value for name, value in options.items() if name in SOCKET_OPTIONS})
            if socket is not None:
                self._wrap(socket, engine)
        except BaseException:
            self.record = no_record
            raise
        if socket is not None:
            self._adopted({})

    # === Public API ===

    def connect(self, *arguments, **keywords):
        """Connect, and make the handshake once that is done; returns the socket.  All as of Socket.connect().

        'connect' comes before the handshake, 'secureConnect' after it; what is written meanwhile waits.
        Raises what Socket.connect() raises, and ValueError where nobody says whom the certificate must name.
        Node: "tls.connect()".
        """
        options, listener = normalize("connect", arguments, keywords, ("host",))
        if self._is_server:
            raise invalid_value("options.is_server", True, "is of a socket that was connected to")
        host = check_host(options.get("host"), "options.host")
        host = host or check_host(options.get("address"), "options.address")
        engine = self._new_engine(None if options.get("path") else host or "localhost")
        Socket.connect(self, **options, callback=listener)
        self._peer = (host, options.get("port"))
        return self._prepare(engine)

    def set_session(self, session):
        """What the option `session` does, before connect().  Raises TypeError or ValueError.

        Node: "tlsSocket.setSession(session)".
        """
        self.record.check()
        if not isinstance(session, ssl.SSLSession):
            raise invalid_type("session", "what get_session() has returned", session)
        if self._handle is not None or self._security is None:
            raise invalid_value("session", session, "must be set before connect()")
        check_session(self._security.context, session, self._is_server)
        self._security = self._security._replace(session=session)

    # === Life ===

    def _new_engine(self, host):
        cdef TLSEngine engine = new_engine(
            self.record, self._security.context, self._security.server_side, peer_name(self._security, host)
        )
        if self._security.session is not None:
            engine.tls.session = self._security.session
        return engine

    def _prepare(self, TLSEngine engine):
        self._set_engine(engine)
        return self

    cdef int _set_engine(self, TLSEngine engine) except -1:
        """For the connection that is to come."""
        self._engine = engine
        self._secure_connecting = True
        self._begun = self._secure = self._authorized = self._parent_told = False
        self._authorization_error = self._session_told = None
        return 0

    def _say_first(self, bytes preface not None):
        # For a proxy: in front of the handshake, once there is a connection.
        self._preface = preface

    cdef int _connected(self) except -1:
        cdef WriteRequest request
        if self._preface is not None:
            request = WriteRequest.__new__(WriteRequest)
            request.add(self._preface)
            self._preface = None
            # Where it cannot be sent the handshake cannot either.
            self._handle.send(request)
        attach(self, open_secure(self._handle, self._engine))
        return self._begin_handshake()

    cdef int _begin_handshake(self) except -1:
        self._begun = True
        idle_timers_of(self.record).start(
            &self._handshake, self, <unsigned long long>(self._handshake_seconds * 1000) or 1, _on_handshake_limit
        )
        return (<SecureStream>self._handle).begin()

    cdef int _stop_limit(self) except -1:
        if self._handshake.index:
            idle_timers_of(self.record).stop(&self._handshake)
        return 0

    cdef int _wrap(self, Adopting other, TLSEngine engine) except -1:
        """Take over the connection of another socket: what it has received and nobody has read is TLS."""
        cdef SocketParent server = other._server
        cdef bint counted = other._counted
        cdef Stream handle
        cdef SecureStream secure
        cdef object early
        other.record.check()
        if other.record is not self.record:
            raise socket_closed()
        early = other._unread()
        if early is not None and other._decoder is not None:
            raise decoded_already()
        # For its server it is the same connection.
        other._counted = False
        try:
            handle = other._give_away()
        except BaseException:
            other._counted = counted
            raise
        try:
            secure = open_secure(handle, engine)
        except BaseException:
            handle.close()
            if counted:
                server._connection_gone()
            raise
        self._counted = counted
        self._server = server
        self._local_name = other._local_name
        self._remote_name = other._remote_name
        attach(self, secure)
        try:
            self._set_engine(engine)
            for piece in early or ():
                engine.receive(piece, len(piece))
            other._forget_unread()
            self._begin_handshake()
            if other._readable_ended:
                secure._receive(UVNET_UV_EOF)
        except BaseException as error:
            # The connection is ours already.
            self._destroy_stream(error)
        return 0

    cdef Stream _give_away(self):
        if not self._secure:
            # Who gets it would not know how the handshake ends.
            raise socket_closed()
        return Socket._give_away(self)

    def _send_away(self):
        # Another process would have the connection, and not the keys.
        raise cannot_be_sent(self)

    cdef int _destroy_handle(self, object error) except -1:
        self._stop_limit()
        return Socket._destroy_handle(self, error)

    cdef int _shutdown_done(self, int status) except -1:
        if status == 0 and self._handle is not None:
            # As Node: behind the end that TLS has a word for comes the connection's own.
            (<SecureStream>self._handle).under.shutdown()
        return Socket._shutdown_done(self, status)

    # === The handshake ===

    cdef int _secured(self, object error) except -1:
        cdef unsigned int life = self._life
        if self._handle is None:
            return 0
        self._touch()
        if error is not None:
            return self._tls_failed(error)
        self._stop_limit()
        self._secure_connecting = False
        self._secure = True
        self._judge()
        if not self._is_server:
            self.emit0("secureConnect")
        if self._life == life and not self._destroyed:
            self.emit0("secure")
        if self._life == life and not self._destroyed and self._is_servers():
            self._server._connection_secured(self, None)
        if self._life == life and not self._destroyed and not self._is_server and self.has_listeners("session"):
            (<SecureStream>self._handle).tells_tickets = True
            self._tell_session()
        return 0

    cdef int _tls_failed(self, object error) except -1:
        if self._secure:
            self._lost(with_code(error))
        elif type(error) is not ConnectionResetError:
            self._destroy_stream(with_code(error))
        elif self._is_server:
            # Its 'close' says so.
            self._destroy_stream(None)
        else:
            self._destroy_stream(closed_in_handshake(*self._peer or ()))
        return 0

    cdef int _judge(self) except -1:
        """Whether the other end is who it should be; where it is not, there was no handshake."""
        cdef object tls = self._engine.tls
        cdef object mode = tls.context.verify_mode
        if mode == ssl.CERT_NONE:
            self._authorized = False
            self._authorization_error = None if self._is_server else NOT_VERIFIED
        elif tls.getpeercert(True) is None:
            self._authorized = False
            self._authorization_error = "UNABLE_TO_GET_ISSUER_CERT"
        else:
            self._authorized = True
        return 0

    cdef int _emit_error(self, object error, bint awaited) except -1:
        if self._secure or not self._is_servers():
            return Socket._emit_error(self, error, awaited)
        # The error is the server's to tell.
        self._tell_parent(error)
        return Socket._emit_error(self, error, awaited) if self.has_listeners("error") else 0

    cdef int _emit_close(self, bint had_error, unsigned int life) except -1:
        if life == self._life and not self._secure and self._is_servers():
            self._tell_parent(hang_up())
        return Socket._emit_close(self, had_error, life)

    cdef bint _is_servers(self) noexcept:
        """Whether it was accepted by a server with TLS, which waits for its handshake."""
        return self._security is None and self._server is not None

    cdef int _tell_parent(self, object error) except -1:
        if self._parent_told:
            return 0
        self._parent_told = True
        return self._server._connection_secured(self, error)

    # === Sessions ===

    cdef int _listener_added(self, object event) except -1:
        if event == "session" and self._secure and isinstance(self._handle, SecureStream):
            (<SecureStream>self._handle).tells_tickets = not self._is_server
        return Socket._listener_added(self, event)

    cdef int _ticket_came(self) except -1:
        return self._tell_session()

    cdef int _tell_session(self) except -1:
        """'session' for each that the server has sent."""
        if self._is_server or not self._secure or not self.has_listeners("session"):
            return 0
        session = self._engine.tls.session
        if session is None or session.id == self._session_told or not (
            session.has_ticket or self._engine.tls.version() != "TLSv1.3"
        ):
            return 0
        self._session_told = session.id
        return self.emit1("session", session)

    # === Awaiting ===

    def _awaited_first(self):
        # What `async with` and its like wait for.
        return "secure" if self._secure_connecting and not self._destroyed else None

    def _why_never(self, event):
        if event in ("secureConnect", "secure") and (self._secure or self._destroyed):
            return self._errored if self._errored is not None else will_not_come(event)
        return Socket._why_never(self, event)


cdef int _on_handshake_limit(object owner) except -1:
    cdef TLSSocket self = <TLSSocket>owner
    cdef object context = self._context
    enter_context(context)
    try:
        self._destroy_stream(handshake_too_long(self._handshake_seconds))
    finally:
        exit_context(context)
    return 0


cdef TLSSocket new_accepted_tls_socket(Stream stream, SocketParent server, const sockaddr_storage *remote,
                                       object context, object handshake_seconds):
    """A TLSSocket for a connection accepted from `remote`; _begin_handshake() follows."""
    cdef TLSSocket self = TLSSocket.__new__(TLSSocket)
    cdef TLSEngine engine = new_engine(stream.record, context, True, None)
    self._is_server = True
    self._handshake_seconds = handshake_seconds
    accepted(self, open_secure(stream, engine), server, remote)
    self._set_engine(engine)
    return self


public_name(TLSSocket, "uvnet.tls.TLSSocket")
