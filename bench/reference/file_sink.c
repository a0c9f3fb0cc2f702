/* The yardstick of files that are received: what comes goes into a file, which is begun anew after so many bytes.
 *
 * The answer at the end is the number of bytes, as of sink_server.c.
 *
 * usage: file_sink splice|copy DIRECTORY BYTES        (the kernel chooses the port) */
#include "serving.h"

#include <string.h>

#define READ_SIZE (256 * 1024)
#define PIPE_SIZE (1024 * 1024)

struct connection {
    int descriptor;
    int file;
    loff_t place;
    unsigned long long received;
};

static const char *directory;
static loff_t most;
static int splices;
static int pipe_ends[2];
static char read_buffer[READ_SIZE];

static void accepted(int queue, int descriptor)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        die("calloc");
    connection->descriptor = descriptor;
    connection->file = open(directory, O_TMPFILE | O_RDWR, 0600);
    if (connection->file < 0)
        die("file");
    if (readiness_change(queue, descriptor, connection, 0, READABLE) < 0)
        die("readiness");
}

static ssize_t move(struct connection *connection, size_t room)
{
    ssize_t length = splice(connection->descriptor, NULL, pipe_ends[1], NULL, room < PIPE_SIZE ? room : PIPE_SIZE,
                            SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    for (ssize_t left = length; left > 0;) {
        ssize_t moved = splice(pipe_ends[0], NULL, connection->file, &connection->place, (size_t)left, SPLICE_F_MOVE);
        if (moved <= 0)
            die("splice");
        left -= moved;
    }
    return length;
}

static ssize_t copy(struct connection *connection, size_t room)
{
    ssize_t length = recv(connection->descriptor, read_buffer, room < READ_SIZE ? room : READ_SIZE, 0);
    for (ssize_t done = 0; done < length;) {
        ssize_t written = pwrite(connection->file, read_buffer + done, (size_t)(length - done), connection->place);
        if (written <= 0)
            die("pwrite");
        done += written;
        connection->place += written;
    }
    return length;
}

static void ready(int queue, void *owner, unsigned directions)
{
    struct connection *connection = owner;
    size_t room = (size_t)(most - connection->place);
    ssize_t length = splices ? move(connection, room) : copy(connection, room);
    (void)queue;
    (void)directions;
    if (length > 0) {
        connection->received += (unsigned long long)length;
        if (connection->place == most)
            connection->place = 0;
        return;
    }
    if (length < 0 && would_block())
        return;
    if (length == 0) {
        char text[32];
        int digits = snprintf(text, sizeof text, "%llu", connection->received);
        /* An empty send buffer always takes these few bytes whole. */
        if (send(connection->descriptor, text, (size_t)digits, 0) != digits)
            perror("send");
    }
    close(connection->descriptor);
    close(connection->file);
    free(connection);
}

int main(int count, char **arguments)
{
    if (count < 4 || pipe2(pipe_ends, O_CLOEXEC) < 0)
        die("arguments");
    splices = strcmp(arguments[1], "splice") == 0;
    directory = arguments[2];
    most = atoll(arguments[3]);
    if (splices && fcntl(pipe_ends[1], F_SETPIPE_SZ, PIPE_SIZE) < 0)
        die("pipe");
    serve(0, accepted, ready);
    return 0;
}
