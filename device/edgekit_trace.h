/* edgekit_trace.h: records tensors on the device as an edgekit trace (EKT).
 *
 * C99 and C++17; no malloc, no globals, no dependency but <stddef.h> and <stdint.h>. A trace is a CBOR sequence
 * (RFC 8742): a header, one map for each tensor, an end mark. Elements are typed arrays (RFC 8746), and each item
 * closes with the CRC-32 of its own bytes, so that a trace cut anywhere still gives every complete record.
 *
 *     static int to_uart(void *ctx, const void *bytes, size_t size);   // returns 0 on success
 *
 *     ekt_trace trace;
 *     ekt_begin(&trace, to_uart, NULL, 1000000, (const char *[]){"device", "board-7", NULL});
 *     uint32_t shape[] = {1, 10};
 *     ekt_tensor logits = {.stage = "model", .name = "logits", .dtype = &ekt_float32, .shape = shape, .rank = 2};
 *     ekt_record(&trace, &logits, output, sizeof output);
 *     ekt_end(&trace);
 *
 * Buffers of a runtime are reused: record a tensor before the next op overwrites it.
 * Where bytes go is up to the sink; edgekit_trace_sinks.h has some. Summaries of large tensors: edgekit_trace_levels.h.
 */
#ifndef EDGEKIT_TRACE_H
#define EDGEKIT_TRACE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EKT_VERSION 1u

/* A library that records from several files defines EKT_API as empty in one of them and includes this as it is in
 * none of the others; everybody else gets private copies, of which the linker keeps what is used. */
#ifndef EKT_API
#if defined(__GNUC__)
#define EKT_API static __attribute__((unused))
#else
#define EKT_API static
#endif
#endif

#if defined(__BYTE_ORDER__) && defined(__ORDER_BIG_ENDIAN__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define EKT_LITTLE(tag) ((tag)-4) /* RFC 8746: a big-endian array has the tag of the little-endian one less 4 */
#else
#define EKT_LITTLE(tag) (tag)
#endif

/* How elements are stored: the tag of RFC 8746, the bytes of one element, the name. */
typedef struct {
    uint8_t tag;
    uint8_t size;
    char name[9];
} ekt_dtype;

#define EKT_DTYPE(name, tag, size) \
    EKT_UNUSED static const ekt_dtype ekt_##name = {(size) == 1 ? (tag) : EKT_LITTLE(tag), size, #name}
#if defined(__GNUC__)
#define EKT_UNUSED __attribute__((unused))
#else
#define EKT_UNUSED
#endif
EKT_DTYPE(bool, 64, 1);
EKT_DTYPE(uint8, 64, 1);
EKT_DTYPE(uint16, 69, 2);
EKT_DTYPE(uint32, 70, 4);
EKT_DTYPE(uint64, 71, 8);
EKT_DTYPE(int8, 72, 1);
EKT_DTYPE(int16, 77, 2);
EKT_DTYPE(int32, 78, 4);
EKT_DTYPE(int64, 79, 8);
EKT_DTYPE(float16, 84, 2);
EKT_DTYPE(bfloat16, 69, 2); /* its bits, as uint16 */
EKT_DTYPE(float32, 85, 4);
EKT_DTYPE(float64, 86, 8);

/* Takes bytes; (NULL, 0) says that a record is complete. Returns 0 on success; after a failure nothing more is sent. */
typedef int (*ekt_sink)(void *ctx, const void *bytes, size_t size);

typedef struct {
    ekt_sink sink;
    void *ctx;
    uint32_t crc;
    uint32_t records; /* begun so far */
    int failed;       /* what the sink returned first that is not 0 */
} ekt_trace;

typedef struct {
    const char *stage;         /* the stage of the pipeline; NULL: not said */
    const char *name;          /* the tensor */
    const char *layout;        /* such as "NHWC"; NULL: not said */
    const ekt_dtype *dtype;
    const uint32_t *shape;
    uint8_t rank;
    uint8_t axis;              /* the axis of scale and zero_point where channels > 1 */
    uint32_t channels;         /* number of scales; 0: not quantised */
    const float *scale;
    const int32_t *zero_point;
    uint32_t sample;           /* which input this belongs to */
    uint64_t time[2];          /* begin and end in ticks of the clock; both 0: not measured */
} ekt_tensor;

EKT_API uint32_t ekt_crc32(uint32_t crc, const void *bytes, size_t size) {
    const uint8_t *p = (const uint8_t *)bytes;
    int bit;
    crc = ~crc;
    while (size--) {
        crc ^= *p++;
        for (bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

EKT_API void ekt_put(ekt_trace *t, const void *bytes, size_t size) {
    t->crc = ekt_crc32(t->crc, bytes, size);
    if (!t->failed) t->failed = t->sink(t->ctx, bytes, size);
}

enum {
    EKT_UINT = 0x00,
    EKT_BYTES = 0x40,
    EKT_TEXT = 0x60,
    EKT_MAP = 0xbf, /* of indefinite length: pairs follow until EKT_BREAK */
    EKT_TAG = 0xc0,
    EKT_BREAK = 0xff
};

/* The head of an item: its major type and an argument, in the shortest form of up to four bytes. */
EKT_API void ekt_head(ekt_trace *t, unsigned major, uint32_t value) {
    uint8_t head[5];
    unsigned size = value > 0xffffu ? 4u : value > 0xffu ? 2u : value > 23u ? 1u : 0u, i;
    head[0] = (uint8_t)(major | (size ? 24u + size / 2u : value));
    for (i = size; i > 0; i--, value >>= 8) head[i] = (uint8_t)value;
    ekt_put(t, head, size + 1u);
}

EKT_API void ekt_text(ekt_trace *t, const char *text) {
    size_t size = 0;
    while (text[size]) size++;
    ekt_head(t, EKT_TEXT, (uint32_t)size);
    ekt_put(t, text, size);
}

EKT_API void ekt_pair(ekt_trace *t, const char *key, uint32_t value) {
    ekt_text(t, key);
    ekt_head(t, EKT_UINT, value);
}

/* A pair of texts, left out where the value is NULL. */
EKT_API void ekt_pair_text(ekt_trace *t, const char *key, const char *value) {
    if (!value) return;
    ekt_text(t, key);
    ekt_text(t, value);
}

/* The head of a typed array; its elements follow, as the device stores them. */
EKT_API void ekt_array_head(ekt_trace *t, const char *key, unsigned tag, size_t bytes) {
    ekt_text(t, key);
    ekt_head(t, EKT_TAG, tag);
    ekt_head(t, EKT_BYTES, (uint32_t)bytes);
}

EKT_API void ekt_pair_array(ekt_trace *t, const char *key, unsigned tag, const void *elements, size_t bytes) {
    ekt_array_head(t, key, tag, bytes);
    ekt_put(t, elements, bytes);
}

/* Closes an item with the CRC-32 of its bytes so far, and tells the sink. */
EKT_API int ekt_close(ekt_trace *t) {
    ekt_text(t, "crc32");
    ekt_head(t, EKT_UINT, t->crc);
    ekt_head(t, EKT_BREAK, 0);
    ekt_put(t, NULL, 0);
    t->crc = 0;
    return t->failed;
}

/* Opens a map, whose pairs follow until ekt_close. */
EKT_API void ekt_map(ekt_trace *t, const char *key, uint32_t value) {
    ekt_head(t, EKT_MAP, 0);
    ekt_pair(t, key, value);
}

/* Starts a trace.
 *
 * hz: ticks in a second of the clock that times are read from; 0: unknown.
 * facts: what is known of the device, as keys and values in turn, closed by NULL. Keys that readers know: "device",
 * "runtime", "clock", "model" (SHA-256 of the artifact), "contract" (SHA-256 of the wrapping contract).
 * Returns 0, or what the sink returned.
 */
EKT_API int ekt_begin(ekt_trace *t, ekt_sink sink, void *ctx, uint32_t hz, const char *const *facts) {
    t->sink = sink;
    t->ctx = ctx;
    t->crc = 0;
    t->records = 0;
    t->failed = 0;
    ekt_head(t, EKT_TAG, 55799); /* self-described CBOR, RFC 8949 section 3.4.6 */
    ekt_map(t, "ekt", EKT_VERSION);
    ekt_pair(t, "hz", hz);
    while (*facts) ekt_text(t, *facts++);
    return ekt_close(t);
}

/* Opens the record of a tensor; the pairs of its level follow until ekt_close. */
EKT_API void ekt_open(ekt_trace *t, const ekt_tensor *x, const char *level) {
    size_t bytes = 4u * (size_t)x->channels;
    ekt_map(t, "seq", t->records++);
    ekt_pair(t, "sample", x->sample);
    ekt_pair_text(t, "stage", x->stage);
    ekt_pair_text(t, "name", x->name);
    ekt_pair_text(t, "dtype", x->dtype->name);
    ekt_pair_text(t, "layout", x->layout);
    ekt_pair_text(t, "level", level);
    ekt_pair_array(t, "shape", EKT_LITTLE(70), x->shape, 4u * (size_t)x->rank);
    if (bytes) {
        ekt_pair_array(t, "scale", EKT_LITTLE(85), x->scale, bytes);
        ekt_pair_array(t, "zero_point", EKT_LITTLE(78), x->zero_point, bytes);
        ekt_pair(t, "axis", x->axis);
    }
    if (x->time[1]) ekt_pair_array(t, "time", EKT_LITTLE(71), x->time, sizeof x->time);
}

/* Records all elements, contiguous and in row-major order. Returns 0, or what the sink returned. */
EKT_API int ekt_record(ekt_trace *t, const ekt_tensor *x, const void *elements, size_t bytes) {
    ekt_open(t, x, "full");
    ekt_pair_array(t, "data", x->dtype->tag, elements, bytes);
    return ekt_close(t);
}

/* Records that a tensor passed, by the CRC-32 of its bytes. Returns 0, or what the sink returned. */
EKT_API int ekt_record_hash(ekt_trace *t, const ekt_tensor *x, const void *elements, size_t bytes) {
    ekt_open(t, x, "hash");
    ekt_pair(t, "hash", ekt_crc32(0, elements, bytes));
    return ekt_close(t);
}

/* Marks the end, so that a trace that lost its last records is known to be incomplete. */
EKT_API int ekt_end(ekt_trace *t) {
    ekt_map(t, "end", t->records);
    return ekt_close(t);
}

#ifdef __cplusplus
}
#endif
#endif
