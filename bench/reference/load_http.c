/* What the load generator knows of HTTP/1.1: one request, and how long the reply to it is. */
#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LARGEST_REPLY (64 * 1024)

const char http_request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n";
const size_t http_request_size = sizeof http_request - 1;

static const char status[] = "HTTP/1.1 200 ";

static char reply[LARGEST_REPLY + 1];
static size_t learned; /* bytes of it that are here */
static size_t whole;   /* its size, 0 until all of it is here */
static size_t date_begin, date_end;

size_t learned_reply_size(void) { return whole; }

/* The value of a field of the head, with its end of line; NULL where there is none. */
static const char *field(const char *name)
{
    for (const char *line = strstr(reply, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            return line + strlen(name) + 1;
    }
    return NULL;
}

int learn_reply(const char *data, size_t size)
{
    if (learned + size > LARGEST_REPLY) {
        fail("the reply is longer than %d bytes", LARGEST_REPLY);
        return 0;
    }
    memcpy(reply + learned, data, size);
    learned += size;
    const char *head_end = strstr(reply, "\r\n\r\n");
    if (head_end == NULL)
        return 0;
    const char *length = field("content-length"), *date = field("date");
    if (strncmp(reply, status, sizeof status - 1) != 0 || length == NULL || length > head_end) {
        fail("the reply is no 200 with a Content-Length");
        return 0;
    }
    size_t size_in_all = (size_t)(head_end + 4 - reply) + strtoul(length, NULL, 10);
    if (learned > size_in_all)
        fail("the server sent more than it was asked for");
    if (learned != size_in_all)
        return 0;
    if (date != NULL && date < head_end) {
        date_begin = (size_t)(date - reply);
        date_end = (size_t)(strstr(date, "\r\n") - reply);
    }
    whole = learned;
    return 1;
}

int is_learned_reply(const char *data, size_t begin, size_t size)
{
    size_t end = begin + size;
    size_t before = date_begin < end ? date_begin : end;
    size_t after = date_end > begin ? date_end : begin;
    return (before <= begin || memcmp(data, reply + begin, before - begin) == 0) &&
           (after >= end || memcmp(data + (after - begin), reply + after, end - after) == 0);
}
