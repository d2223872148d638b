/* Writes a trace of tensors whose values the test knows: `round_trip TRANSPORT SINK [FILE|PORT]`. */
#define EKT_API
#include "edgekit_trace_levels.h"
#include "edgekit_trace_sinks.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

static int connected(int port) {
    struct sockaddr_in to;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&to, sizeof to) ? -1 : fd;
}

static void write_all(ekt_trace *t) {
    static const ekt_dtype *const dtypes[] = {
        &ekt_bool, &ekt_uint8, &ekt_uint16, &ekt_uint32, &ekt_uint64, &ekt_int8, &ekt_int16, &ekt_int32, &ekt_int64,
        &ekt_float16, &ekt_float32, &ekt_float64, &ekt_bfloat16};
    static float ramp[1000], buckets[EKT_BUCKETS];
    uint8_t bytes[24] = {0};
    uint32_t shape[] = {1, 3}, line[] = {1000}, image[] = {1, 2, 2};
    float scale[] = {0.5f, 0.25f};
    int32_t zero_point[] = {0, -3};
    int8_t codes[] = {-128, 0, 1, 127};
    ekt_tensor x;
    size_t i;
    for (i = 0; i < sizeof dtypes / sizeof *dtypes; i++) { /* all bits zero: 0 in every dtype */
        memset(&x, 0, sizeof x);
        x.name = dtypes[i]->name;
        x.dtype = dtypes[i];
        x.shape = shape;
        x.rank = 2;
        ekt_record(t, &x, bytes, 3u * dtypes[i]->size);
    }
    memset(&x, 0, sizeof x);
    x.stage = "quantise";
    x.name = "codes";
    x.layout = "HWC";
    x.dtype = &ekt_int8;
    x.shape = image;
    x.rank = 3;
    x.axis = 2;
    x.channels = 2;
    x.scale = scale;
    x.zero_point = zero_point;
    x.sample = 70000;
    x.time[0] = 1;
    x.time[1] = ((uint64_t)1 << 40) + 5;
    ekt_record(t, &x, codes, sizeof codes);
    for (i = 0; i < 1000; i++) ramp[i] = (float)i / 8.0f - 50.0f;
    ramp[3] = ekt_from_bits(0x7fc00000u);
    memset(&x, 0, sizeof x);
    x.stage = "model";
    x.name = "ramp";
    x.dtype = &ekt_float32;
    x.shape = line;
    x.rank = 1;
    ekt_record(t, &x, ramp, sizeof ramp);
    ekt_record_hash(t, &x, ramp, sizeof ramp);
    ekt_record_sample(t, &x, ramp, 1000, 7);
    ekt_record_stats(t, &x, ramp, 1000);
    ekt_record_sketch(t, &x, ramp, 1000, buckets);
}

int main(int argc, char **argv) {
    static const char *const facts[] = {"device", "round trip", "clock", "ticks", NULL};
    ekt_trace trace;
    ekt_cobs cobs = {0};
    ekt_lines lines = {0};
    ekt_sink sink = ekt_to_file;
    void *ctx = stdout;
    int fd = -1;
    if (argc != 4) return 2;
    if (argv[2][0] == 'f') ctx = fopen(argv[3], "wb");
    if (argv[2][0] == 't') {
        fd = connected(atoi(argv[3]));
        sink = ekt_to_socket;
        ctx = &fd;
    }
    if (!ctx) return 3;
    cobs.sink = lines.sink = sink;
    cobs.ctx = lines.ctx = ctx;
    if (argv[1][0] == 'c') {
        sink = ekt_to_cobs;
        ctx = &cobs;
    }
    if (argv[1][0] == 'l') {
        sink = ekt_to_lines;
        ctx = &lines;
    }
    ekt_begin(&trace, sink, ctx, 168000000u, facts);
    write_all(&trace);
    return ekt_end(&trace) ? 1 : 0;
}
