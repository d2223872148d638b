/* A device's preprocessing: nearest to the contract of the test but for what -DFAULT plants. */
#define EKT_API
#include "edgekit_trace_sinks.h"

#include <stdlib.h>
#include <string.h>

enum { HEIGHT = 40, WIDTH = 48, CHANNELS = 3, PIXELS = HEIGHT * WIDTH };

static void record(ekt_trace *t, uint32_t sample, const char *stage, const ekt_dtype *dtype, const uint32_t *shape,
                   uint8_t rank, const void *data, size_t size) {
    ekt_tensor x;
    memset(&x, 0, sizeof x);
    x.sample = sample;
    x.stage = x.name = stage;
    x.dtype = dtype;
    x.shape = shape;
    x.rank = rank;
    ekt_record(t, &x, data, size);
}

int main(int argc, char **argv) {
    static const char *const facts[] = {"device", "demo", NULL};
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
    static const uint32_t image[] = {HEIGHT, WIDTH, CHANNELS}, tensor[] = {1, CHANNELS, HEIGHT, WIDTH};
    static uint8_t rgb[PIXELS * CHANNELS];
    static float reals[PIXELS * CHANNELS], planar[PIXELS * CHANNELS];
    static int8_t codes[PIXELS * CHANNELS];
    ekt_trace trace;
    FILE *in = argc > 1 ? fopen(argv[1], "rb") : NULL;
    uint32_t sample = 0;
    int i, c;
    if (!in) return 2;
    ekt_begin(&trace, ekt_to_file, stdout, 0, facts);
    while (fread(rgb, 1, sizeof rgb, in) == sizeof rgb) {
        record(&trace, sample, "input", &ekt_uint8, image, 3, rgb, sizeof rgb);
        for (i = 0; i < PIXELS; i++)
            for (c = 0; c < CHANNELS; c++) {
                int from = FAULT == 1 ? 2 - c : c; /* 1: BGR */
                float x = (float)rgb[i * CHANNELS + from] / 255.0f;
                reals[i * CHANNELS + c] = FAULT == 2 ? x : (x - mean[c]) / std[c]; /* 2: no mean and std */
            }
        record(&trace, sample, "normalise", &ekt_float32, image, 3, reals, sizeof reals);
        for (i = 0; i < PIXELS; i++)
            for (c = 0; c < CHANNELS; c++)
                planar[FAULT == 3 ? i * CHANNELS + c : c * PIXELS + i] = reals[i * CHANNELS + c]; /* 3: not moved */
        record(&trace, sample, "layout", &ekt_float32, tensor, 4, planar, sizeof planar);
        for (i = 0; i < PIXELS * CHANNELS; i++) {
            float q = planar[i] / 0.0186f + -14.0f;
            q = FAULT == 4 ? q : q < 0 ? q - 0.5f : q + 0.5f; /* 4: cut off */
            codes[i] = (int8_t)(q < -128 ? -128 : q > 127 ? 127 : (int)q);
        }
        record(&trace, sample++, "quantise", &ekt_int8, tensor, 4, codes, sizeof codes);
    }
    return ekt_end(&trace) ? 1 : 0;
}
