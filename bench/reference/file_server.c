/* The yardstick of files that are sent: a request of one byte is answered with a file, by sendfile(2) alone.
 *
 * usage: file_server PATH        (the kernel chooses the port) */
#include "serving.h"

#include <sys/sendfile.h>
#include <sys/stat.h>

#define MOST_AT_ONCE (1024 * 1024)

struct connection {
    int descriptor;
    off_t place; /* of the file that is on its way; `size` where none is */
};

static int file;
static off_t size;

static void accepted(int queue, int descriptor)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        die("calloc");
    connection->descriptor = descriptor;
    connection->place = size;
    if (readiness_change(queue, descriptor, connection, 0, READABLE) < 0)
        die("readiness");
}

static void finish(struct connection *connection)
{
    close(connection->descriptor);
    free(connection);
}

static void ready(int queue, void *owner, unsigned directions)
{
    struct connection *connection = owner;
    int was_sending = connection->place < size;
    char request;
    ssize_t moved;
    (void)directions;
    if (!was_sending) {
        moved = recv(connection->descriptor, &request, 1, 0);
        if (moved < 0 && would_block())
            return;
        if (moved <= 0) {
            finish(connection);
            return;
        }
        connection->place = 0;
    }
    while (connection->place < size) {
        moved = sendfile(connection->descriptor, file, &connection->place, MOST_AT_ONCE);
        if (moved < 0 && would_block())
            break;
        if (moved <= 0) {
            finish(connection);
            return;
        }
    }
    if (was_sending != (connection->place < size) &&
        readiness_change(queue, connection->descriptor, connection, was_sending ? WRITABLE : READABLE,
                         was_sending ? READABLE : WRITABLE) < 0)
        die("readiness");
}

int main(int count, char **arguments)
{
    struct stat status;
    file = count > 1 ? open(arguments[1], O_RDONLY) : -1;
    if (file < 0 || fstat(file, &status) < 0)
        die("file");
    size = status.st_size;
    serve(0, accepted, ready);
    return 0;
}
