/* Carries the bytes of the load generator in TLS 1.3, by OpenSSL; the server's certificate is not looked at.
 *
 * For modes that send and receive messages: nothing here ends one direction alone. */
#include "load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "readiness.h"

#define READ_AHEAD (64 * 1024)

static SSL_CTX *context;
static const char *reason;

int prepare_carrier(void)
{
    if (options.mode == MODE_SEND || options.mode == MODE_FAN_OUT || options.mode == MODE_IDLE) {
        errno = ENOTSUP;
        return -1;
    }
    context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION))
        return -1;
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
    return 0;
}

/* What failed, as `errno` says it, or in OpenSSL's words. */
static int error_of(const struct connection *connection, int result)
{
    int kind = SSL_get_error(connection->session, result);
    unsigned long code = ERR_get_error();
    reason = NULL;
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE)
        errno = EAGAIN;
    else if (code != 0 || errno == 0 || would_block())
        errno = EPROTO;
    if (code != 0)
        reason = ERR_reason_error_string(code);
    return kind;
}

enum greeting carrier_open(struct connection *connection)
{
    if (connection->session == NULL) {
        connection->session = SSL_new(context);
        if (connection->session == NULL || !SSL_set_fd(connection->session, connection->descriptor))
            return UNGREETED;
    }
    ERR_clear_error();
    int result = SSL_connect(connection->session);
    if (result == 1)
        return GREETED;
    int kind = error_of(connection, result);
    if (!would_block())
        return UNGREETED;
    want(connection, kind == SSL_ERROR_WANT_WRITE ? WRITABLE : READABLE);
    return GREETING;
}

/* OpenSSL writes each record by itself. A program that writes a message at once has them leave together. */
static void hold_back(struct connection *connection, size_t size, int on)
{
#if defined(TCP_CORK)
    if (size > SSL3_RT_MAX_PLAIN_LENGTH)
        setsockopt(connection->descriptor, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
#else
    (void)connection, (void)size, (void)on;
#endif
}

ssize_t carrier_send(struct connection *connection, const char *data, size_t size)
{
    ERR_clear_error();
    hold_back(connection, size, 1);
    int sent = SSL_write(connection->session, data, (int)size);
    hold_back(connection, size, 0);
    if (sent > 0)
        return sent;
    error_of(connection, sent);
    return -1;
}

ssize_t carrier_receive(struct connection *connection, char *data, size_t size)
{
    ERR_clear_error();
    int length = SSL_read(connection->session, data, (int)size);
    if (length > 0)
        return length;
    return error_of(connection, length) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

/* What OpenSSL has read ahead is no longer in the descriptor. */
int carrier_holds(const struct connection *connection)
{
    return connection->session != NULL && SSL_has_pending(connection->session);
}

void carrier_close(struct connection *connection)
{
    SSL_free(connection->session);
    connection->session = NULL;
    close(connection->descriptor);
}

const char *carrier_error(void) { return reason != NULL ? reason : strerror(errno); }
