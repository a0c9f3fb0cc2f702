# cython: nonecheck=True
# What is here for plain Python may be called on a socket that is not there yet, or any more.
"""Negotiated: what is known of a connection with TLS: the other end, the cipher, the session, the protocol.

How that comes about is the business of TLSSocket.  Node: "Class: tls.TLSSocket".
"""

from uvnet.socket.socket cimport Socket

from uvnet.errors.tls import not_of_ssl
from uvnet.tls.certificate import peer_certificate
from uvnet.tls.names import asked_name


cdef class Negotiated(Socket):
    """A socket that says what its TLS has come to; not made by users."""

    # === Public API ===

    @property
    def encrypted(self):
        """True, as of every TLSSocket.  Node: "tlsSocket.encrypted"."""
        return True

    @property
    def secure_connecting(self):
        """True until the handshake is over.  Node: "tlsSocket.secureConnecting"."""
        return bool(self._secure_connecting)

    @property
    def authorized(self):
        """True where the other end has shown a certificate that was verified.  Node: "tlsSocket.authorized"."""
        return bool(self._authorized)

    @property
    def authorization_error(self):
        """Why `authorized` is False after the handshake, as Node's code (str), or None.

        "CERT_NOT_VERIFIED" where reject_unauthorized=False: what is let through is not looked at.
        "UNABLE_TO_GET_ISSUER_CERT" where a client that was asked for a certificate has shown none.
        Node: "tlsSocket.authorizationError".
        """
        return self._authorization_error

    @property
    def alpn_protocol(self):
        """The protocol (str) that both ends have agreed on, or None.  Node: "tlsSocket.alpnProtocol"."""
        return self._engine.tls.selected_alpn_protocol() if self._secure else None

    @property
    def servername(self):
        """Whom a client has asked for (str), once it is secure, or None.  Node: "tlsSocket.servername"."""
        if not self._secure:
            return None
        return asked_name(self._engine.tls) if self._is_server else self._engine.tls.server_hostname

    @property
    def ssl_object(self):
        """The ssl.SSLObject of the connection, to be asked, or None before there is one.  This is not in Node."""
        return None if self._engine is None else self._engine.tls

    def get_protocol(self):
        """The version of TLS such as "TLSv1.3", or None before the handshake.  Node: "tlsSocket.getProtocol()"."""
        return None if self._engine is None else self._engine.tls.version()

    def get_cipher(self):
        """The cipher as a mapping: `name` and `version` (str), `bits` (int); None before the handshake.

        Node: "tlsSocket.getCipher()".
        """
        cipher = None if self._engine is None else self._engine.tls.cipher()
        return None if cipher is None else dict(zip(("name", "version", "bits"), cipher, strict=True))

    def get_peer_certificate(self, detailed=False):
        """The certificate of the other end, a mapping (PeerCertificate), or None where there is none.

        `detailed`: with that of who signed it as `issuer_certificate`, and so on, where the other end has sent them.
        Node: "tlsSocket.getPeerCertificate([detailed])".
        """
        return None if not self._secure else peer_certificate(self._engine.tls, bool(detailed))

    def get_session(self):
        """The ssl.SSLSession to resume the connection by (the option `session`), or None before the handshake.

        With TLS 1.3 there is one to be resumed only after 'session'.  Node: "tlsSocket.getSession()".
        """
        return self._engine.tls.session if self._secure else None

    def is_session_reused(self):
        """Whether the connection has resumed an earlier one.  Node: "tlsSocket.isSessionReused()"."""
        return bool(self._secure and self._engine.tls.session_reused)

    def get_certificate(self):
        """Raises RuntimeError: `ssl` does not say which one it has shown.  Node: "tlsSocket.getCertificate()"."""
        raise not_of_ssl("get_certificate()", "the program that gave the certificate knows it")

    def export_keying_material(self, length, label, context=b""):
        """Raises RuntimeError: `ssl` cannot.  Node: "tlsSocket.exportKeyingMaterial()"."""
        raise not_of_ssl("export_keying_material()", "ssl_object.get_channel_binding() may do")

    def renegotiate(self, options=None, callback=None):
        """Raises RuntimeError: `ssl` cannot, and TLS 1.3 has no renegotiation.  Node: "tlsSocket.renegotiate()"."""
        raise not_of_ssl("renegotiate()", "connect anew")
