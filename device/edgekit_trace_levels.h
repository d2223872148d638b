/* edgekit_trace_levels.h: records a summary of a tensor instead of its elements.
 *
 * A large network has more tensors than a slow link carries. Sketch everything first; record in full, in a second
 * run, what the comparison suspects. Levels, by what they tell:
 *
 *     ekt_record_hash     (in edgekit_trace.h) 4 bytes: equal or not
 *     ekt_record_stats    smallest, largest, mean and root mean square
 *     ekt_record_sketch   1 KB: the signal-to-noise ratio against a reference, to about 0.4 dB (one standard deviation)
 *     ekt_record_sample   every stride-th element
 *
 * The arithmetic is float32, which is emulated on cores without a floating-point unit.
 */
#ifndef EDGEKIT_TRACE_LEVELS_H
#define EDGEKIT_TRACE_LEVELS_H

#include "edgekit_trace.h"

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EKT_BUCKETS 256u

EKT_API float ekt_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16. Subnormals are counted in steps of 2^-24. */
EKT_API float ekt_from_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = (half >> 10) & 31u, fraction = half & 0x3ffu;
    if (exponent == 0) return (sign ? -1.0f : 1.0f) * (float)fraction * 5.9604644775390625e-8f;
    if (exponent == 31) return ekt_from_bits(sign | 0x7f800000u | fraction << 13);
    return ekt_from_bits(sign | (exponent + 112u) << 23 | fraction << 13);
}

/* One element as float32; integers stand for themselves, not for what scale and zero_point make of them. */
EKT_API float ekt_element(const ekt_dtype *dtype, const void *elements, size_t index) {
    const char *at = (const char *)elements + index * dtype->size;
    union {
        uint8_t u8; uint16_t u16; uint32_t u32; uint64_t u64;
        int8_t i8; int16_t i16; int32_t i32; int64_t i64;
        float f32; double f64;
    } x;
    memcpy(&x, at, dtype->size);
    switch (dtype->tag) {
    case 64: return (float)x.u8;
    case EKT_LITTLE(69): return dtype->name[0] == 'b' ? ekt_from_bits((uint32_t)x.u16 << 16) : (float)x.u16;
    case EKT_LITTLE(70): return (float)x.u32;
    case EKT_LITTLE(71): return (float)x.u64;
    case 72: return (float)x.i8;
    case EKT_LITTLE(77): return (float)x.i16;
    case EKT_LITTLE(78): return (float)x.i32;
    case EKT_LITTLE(79): return (float)x.i64;
    case EKT_LITTLE(84): return ekt_from_half(x.u16);
    case EKT_LITTLE(85): return x.f32;
    default: return (float)x.f64;
    }
}

/* x - x is 0 for every number and NaN for the others. */
EKT_API int ekt_is_finite(float x) { return x - x == 0.0f; }

EKT_API float ekt_sqrt(float x) {
    float root = x > 1.0f ? x : 1.0f;
    int i;
    if (x <= 0.0f) return 0.0f;
    for (i = 0; i < 100; i++) { /* Newton: falls until it stands still */
        float next = 0.5f * (root + x / root);
        if (next >= root) break;
        root = next;
    }
    return root;
}

/* Records smallest, largest, mean, root mean square of the finite elements, and how many are not finite. */
EKT_API int ekt_record_stats(ekt_trace *t, const ekt_tensor *x, const void *elements, size_t count) {
    float stats[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    float mean = 0.0f, square = 0.0f;
    size_t i, finite = 0;
    for (i = 0; i < count; i++) {
        float value = ekt_element(x->dtype, elements, i);
        if (!ekt_is_finite(value)) continue;
        finite++;
        if (finite == 1 || value < stats[0]) stats[0] = value;
        if (finite == 1 || value > stats[1]) stats[1] = value;
        mean += (value - mean) / (float)finite; /* running means neither overflow nor lose small elements */
        square += (value * value - square) / (float)finite;
    }
    stats[2] = mean;
    stats[3] = ekt_sqrt(square);
    ekt_open(t, x, "stats");
    ekt_pair_array(t, "stats", EKT_LITTLE(85), stats, sizeof stats);
    ekt_pair(t, "nonfinite", (uint32_t)(count - finite));
    return ekt_close(t);
}

/* A hash of an index with two multiplications, each bit of which depends on each bit of the index. */
EKT_API uint32_t ekt_mix(uint32_t x) {
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

/* Records a count sketch: each element is added to, or taken from, one of 256 sums that the hash of its index picks.
 * The difference of two sketches is the sketch of the difference, and its square sum estimates the error's energy
 * (Charikar, Chen, Farach-Colton 2002). `buckets` is room for 256 floats. */
EKT_API int ekt_record_sketch(
    ekt_trace *t, const ekt_tensor *x, const void *elements, size_t count, float *buckets) {
    uint32_t nonfinite = 0;
    size_t i;
    memset(buckets, 0, EKT_BUCKETS * sizeof *buckets);
    for (i = 0; i < count; i++) {
        uint32_t hash = ekt_mix((uint32_t)i);
        float value = ekt_element(x->dtype, elements, i);
        if (!ekt_is_finite(value)) nonfinite++;
        else buckets[hash % EKT_BUCKETS] += hash >> 31 ? -value : value;
    }
    ekt_open(t, x, "sketch");
    ekt_pair_array(t, "sketch", EKT_LITTLE(85), buckets, EKT_BUCKETS * sizeof *buckets);
    ekt_pair(t, "nonfinite", nonfinite);
    return ekt_close(t);
}

/* Records every stride-th element, beginning with the first. */
EKT_API int ekt_record_sample(
    ekt_trace *t, const ekt_tensor *x, const void *elements, size_t count, size_t stride) {
    size_t size = x->dtype->size, i;
    ekt_open(t, x, "sample");
    ekt_pair(t, "stride", (uint32_t)stride);
    ekt_array_head(t, "data", x->dtype->tag, (count + stride - 1) / stride * size);
    for (i = 0; i < count; i += stride) ekt_put(t, (const char *)elements + i * size, size);
    return ekt_close(t);
}

#ifdef __cplusplus
}
#endif
#endif
