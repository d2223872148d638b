/* edgekit_trace_sinks.h: where the bytes of a trace go.
 *
 *     ekt_to_file     a FILE; each complete record is flushed, so that a crash loses only the one being written
 *     ekt_to_socket   a connected socket (POSIX)
 *     ekt_to_cobs     frames for a serial line: one record a frame, ended by a zero byte (COBS)
 *     ekt_to_lines    text lines `EKT:<base64>` for any log, console or debug probe
 *
 * The last two hand their bytes to another sink. `ekt_to_file(stdout)` under ekt_to_lines is the usual start.
 */
#ifndef EDGEKIT_TRACE_SINKS_H
#define EDGEKIT_TRACE_SINKS_H

#include "edgekit_trace.h"

#ifndef EKT_NO_STDIO
#include <stdio.h>

/* ctx: a FILE opened for writing, binary. */
EKT_API int ekt_to_file(void *ctx, const void *bytes, size_t size) {
    FILE *file = (FILE *)ctx;
    if (size == 0) return fflush(file);
    return fwrite(bytes, 1, size, file) == size ? 0 : -1;
}
#endif

#if defined(__unix__) || defined(__APPLE__)
#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>

#if !defined(MSG_NOSIGNAL)
#define MSG_NOSIGNAL 0 /* where it is missing, the socket option SO_NOSIGPIPE keeps a lost peer from ending us */
#endif

/* ctx: an int, the descriptor of a connected, blocking socket. */
EKT_API int ekt_to_socket(void *ctx, const void *bytes, size_t size) {
    const char *at = (const char *)bytes;
    while (size) {
        ssize_t sent = send(*(const int *)ctx, at, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return -1;
        at += sent;
        size -= (size_t)sent;
    }
    return 0;
}
#endif

/* Consistent overhead byte stuffing (Cheshire and Baker 1999): frames hold no zero byte; zero ends them, so that a
 * reader that joins late or loses bytes goes on with the next frame. */
typedef struct {
    ekt_sink sink;
    void *ctx;
    uint8_t used; /* bytes of the block without a zero */
    uint8_t block[255];
} ekt_cobs;

EKT_API int ekt_cobs_flush(ekt_cobs *c) {
    size_t size = (size_t)c->used + 1u;
    c->block[0] = (uint8_t)size;
    c->used = 0;
    return c->sink(c->ctx, c->block, size);
}

/* ctx: an ekt_cobs, all zero but for its sink and ctx. */
EKT_API int ekt_to_cobs(void *ctx, const void *bytes, size_t size) {
    static const uint8_t end = 0;
    ekt_cobs *c = (ekt_cobs *)ctx;
    const uint8_t *at = (const uint8_t *)bytes;
    int failed = 0;
    if (size == 0) {
        failed = ekt_cobs_flush(c);
        if (!failed) failed = c->sink(c->ctx, &end, 1);
        return failed ? failed : c->sink(c->ctx, NULL, 0);
    }
    for (; size && !failed; size--, at++) {
        if (*at) c->block[++c->used] = *at;
        if (!*at || c->used == 254u) failed = ekt_cobs_flush(c);
    }
    return failed;
}

/* Lines of base64 (RFC 4648) of up to 48 bytes. A record begins on a line of its own. */
typedef struct {
    ekt_sink sink;
    void *ctx;
    uint8_t used;
    uint8_t bytes[48];
} ekt_lines;

EKT_API int ekt_line_flush(ekt_lines *l) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char line[4 + 64 + 1] = {'E', 'K', 'T', ':'};
    size_t size = 4;
    unsigned i, k;
    for (i = 0; i < l->used; i += 3) {
        unsigned left = l->used - i;
        uint32_t word = (uint32_t)l->bytes[i] << 16;
        if (left > 1) word |= (uint32_t)l->bytes[i + 1] << 8;
        if (left > 2) word |= l->bytes[i + 2];
        for (k = 0; k < 4; k++, word <<= 6) line[size++] = k > left ? '=' : digits[(word >> 18) & 63u];
    }
    line[size++] = '\n';
    l->used = 0;
    return l->sink(l->ctx, line, size);
}

/* ctx: an ekt_lines, all zero but for its sink and ctx. */
EKT_API int ekt_to_lines(void *ctx, const void *bytes, size_t size) {
    ekt_lines *l = (ekt_lines *)ctx;
    const uint8_t *at = (const uint8_t *)bytes;
    int failed = 0;
    if (size == 0) {
        if (l->used) failed = ekt_line_flush(l);
        return failed ? failed : l->sink(l->ctx, NULL, 0);
    }
    for (; size && !failed; size--) {
        l->bytes[l->used++] = *at++;
        if (l->used == sizeof l->bytes) failed = ekt_line_flush(l);
    }
    return failed;
}

#endif
