/* One step of the filter for N tracks: ahead in time, against the measurements, the network's
 * advice, the correction, and what is told of it; float64, the network float32.
 *
 * Four tracks go side by side, one a lane of a vector, through code that reads as if there were
 * one. A track is a row of numbers, laid out as Layout in native_bank.py says. Motion knows no
 * direction: a covariance is six blocks of 3 x 3 over (position, velocity, acceleration), and a
 * transition moves whole blocks. Mixing needs each expert's mean and covariance only: a model that
 * keeps the part a of itself and takes b = 1 - a from the whole has the covariance a P + b P_whole
 * + a b d d', d being its offset from the whole. On x86 it takes AVX2 with FMA, unless built with
 * -DPLAIN: ask `is_fast` before. One thread, no global state.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && !defined(PLAIN)
#define NEEDS_FAST 1
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#endif
#if defined(__clang__)
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (l4){i, j, k, l})
#endif

#define INLINE static inline __attribute__((always_inline))
#define APART static __attribute__((noinline)) /* large, and called from several places */
#define EACH _Pragma("GCC unroll 9") for
#define EXPORT __attribute__((visibility("default")))

typedef int64_t num;
typedef double v4 __attribute__((vector_size(32)));
typedef int64_t l4 __attribute__((vector_size(32)));
typedef float f8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef double loose __attribute__((vector_size(32), aligned(8), may_alias));

enum { LANES = 4, X = 9, SQUARE = 81, BIAS = 27, MOST = 32, MOST_EXPERTS = 4 };
enum { MEMBERS = 5, VECTORS = 10, INPUTS = 71, MOVES = 9, ANSWERS = 28, WIDE_ANSWERS = 32 };
enum { LINKED = 1, WATCHED = 2, MOVING = 4 };
static const double LOG_TWO_PI = 1.8378770664093453, SMALLEST = 1e-300, FLATTEST = 1e-15;
static const double HORIZON = 0.1, FORGETTING = 0.15, SHORTEST = 0.005, SOONEST = 1e-3;

/* A liquid cell, as Step in scan.c. */
typedef struct {
    num units, inputs;
    int adaptive, euler;
    float tau_min, tau_max;
    const float *packed, *bias, *alpha;
    float *joined, *dt, *scratch, *next;
} Cell;

/* Where a row of a track keeps what; C and root are -1 without a slow error. */
typedef struct {
    num x, P, log_mu, C, root, log_w, memory, log_q, log_r, log_scale, shift, tilt, lead, tau;
    num since, hidden, width;
} Layout;

/* Where a row of the answers keeps what. */
typedef struct {
    num x, P, stretch, strain, losses, whole, before, before_P, cross, bias_before, bias_after;
    num width;
} Told;

/* The first `owners` experts have models of their own, the others read those of the first. `open`:
 * nothing of the advice reaches the models; `tilts`: what it says of their probabilities does not. */
typedef struct {
    num models, experts, owners, led, open, tilts;
    const num *first, *last;
    const uint8_t *accelerates, *falls, *gated;
    const double *noise, *share, *gravity, *prior;
    double held, switch_rate, log_floor, bias_time, hedge_rate, gate;
    const Cell *cell;
    int (*run)(const Cell *, num);
    const float *heads, *heads_bias; /* (units, 32), (32) */
    Layout row;
    Told told;
} Filter;

/* N measurements of the position: z (N, 3), R (N, 3, 3), symmetric root of the slow covariance
 * (N, 3, 3) or NULL; `seen` (N) or NULL says which tracks have one. */
typedef struct {
    const double *z, *R, *root;
    const uint8_t *seen;
} Measured;

/* ---- four numbers at a time ------------------------------------------------------------------ */

INLINE v4 all(double a) { return (v4){a, a, a, a}; }
INLINE v4 pick(l4 mask, v4 a, v4 b) { return (v4)(((l4)a & mask) | ((l4)b & ~mask)); }
INLINE v4 larger(v4 a, v4 b) { return pick(a > b, a, b); }
INLINE v4 smaller(v4 a, v4 b) { return pick(a < b, a, b); }
INLINE v4 size(v4 a) { return (v4)((l4)a & INT64_MAX); }
INLINE int any(l4 mask) { return (mask[0] | mask[1] | mask[2] | mask[3]) != 0; }

/* x = n ln2 + r, |r| <= ln2 / 2; expm1(r) by its Taylor series. */
INLINE v4 reduce(v4 x, v4 *power) {
    const double magic = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to an integer */
    x = pick(x < all(-708.0), all(-708.0), x);
    x = pick(x > all(709.0), all(709.0), x);
    v4 z = x * 1.4426950408889634 + magic, n = z - magic;
    v4 r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
    *power = (v4)(((l4)z << 52) + 0x3ff0000000000000); /* 2^n */
    v4 p = r * (1.0 / 479001600) + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800, p = p * r + 1.0 / 362880, p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040, p = p * r + 1.0 / 720, p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24, p = p * r + 1.0 / 6, p = p * r + 0.5;
    return p * (r * r) + r;
}

INLINE v4 exponential(v4 x) {
    v4 power, p = reduce(x, &power);
    return power * p + power;
}

INLINE v4 exponential_less_1(v4 x) {
    v4 power, p = reduce(x, &power);
    return power * p + (power - 1.0);
}

/* Of positive normal numbers: x = 2^n m, sqrt(1/2) <= m < sqrt(2); log m by atanh. */
INLINE v4 logarithm(v4 x) {
    l4 bits = (l4)x - 0x3fe6a09e667f3bcd, n = bits >> 52;
    v4 m = (v4)((bits & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd);
    v4 f = (m - 1.0) / (m + 1.0), g = f * f, p = g * (1.0 / 21) + 1.0 / 19;
    p = p * g + 1.0 / 17, p = p * g + 1.0 / 15, p = p * g + 1.0 / 13, p = p * g + 1.0 / 11;
    p = p * g + 1.0 / 9, p = p * g + 1.0 / 7, p = p * g + 1.0 / 5, p = p * g + 1.0 / 3;
    v4 count = (v4)((n + 2048) | 0x4330000000000000) - (4503599627370496.0 + 2048.0);
    v4 value = count * 0.6931471805599453 + 2.0 * (f + f * g * p);
    return pick((x > 0.0) & (x < INFINITY), value, (v4)((l4)x | (l4)all(NAN)));
}

INLINE v4 root_of(v4 x) { return (v4){sqrt(x[0]), sqrt(x[1]), sqrt(x[2]), sqrt(x[3])}; }

INLINE v4 bounded(v4 a, double most) {
    v4 e = exponential_less_1(a * (2.0 / most));
    return most * e / (e + 2.0);
}

APART v4 log_sum_exp(num count, const v4 *a, v4 *part) {
    v4 top = a[0], sum = all(0);
    for (num j = 1; j < count; j++) top = larger(a[j], top);
    for (num j = 0; j < count; j++) sum += part[j] = exponential(a[j] - top);
    for (num j = 0; j < count; j++) part[j] /= sum;
    return top + logarithm(sum);
}

/* ---- small matrices -------------------------------------------------------------------------- */

/* By L D L', whose pivots stay positive however flat the matrix is; returns log det. */
APART v4 invert(const v4 *S, v4 *T) {
    v4 a = S[0], b = S[1], c = S[2], i = 1.0 / a, p = b * i, q = c * i;
    v4 d = larger(S[4] - p * b, FLATTEST * S[4]), e = S[5] - p * c, j = 1.0 / d, r = e * j;
    v4 f = larger(S[8] - q * c - r * e, FLATTEST * S[8]), u = p * r - q, k = 1.0 / f;
    T[0] = i + p * p * j + u * u * k, T[1] = T[3] = -p * j - u * r * k, T[2] = T[6] = u * k;
    T[4] = j + r * r * k, T[5] = T[7] = -r * k, T[8] = k;
    return logarithm(a * d * f);
}

INLINE void turn(const v4 *T, const v4 *y, v4 *out) {
    EACH (int r = 0; r < 3; r++) out[r] = T[3 * r] * y[0] + T[3 * r + 1] * y[1] + T[3 * r + 2] * y[2];
}

INLINE v4 dot(const v4 *a, const v4 *b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

INLINE v4 length2(const v4 *T, const v4 *y) {
    v4 turned[3];
    turn(T, y, turned);
    return dot(turned, y);
}

INLINE void product(const v4 *A, const v4 *B, v4 *out, int rows) {
    for (int r = 0; r < rows; r++)
        EACH (int c = 0; c < 3; c++)
            out[3 * r + c] = A[3 * r] * B[c] + A[3 * r + 1] * B[3 + c] + A[3 * r + 2] * B[6 + c];
}

/* A covariance is the blocks on and above the diagonal. */
enum { PP, PV, PA, VV, VA, AA, BLOCKS };
static const int ROW[BLOCKS] = {0, 0, 0, 1, 1, 2}, COLUMN[BLOCKS] = {0, 1, 2, 1, 2, 2};
static const int TURNED[9] = {0, 3, 6, 1, 4, 7, 2, 5, 8};
typedef v4 Covariance[BLOCKS][9];

INLINE void add_outer(Covariance P, v4 w, const v4 *d) {
    for (int b = 0; b < BLOCKS; b++)
        EACH (int i = 0; i < 3; i++) {
            v4 wd = w * d[3 * ROW[b] + i];
            EACH (int j = 0; j < 3; j++) P[b][3 * i + j] += wd * d[3 * COLUMN[b] + j];
        }
}

INLINE void add_scaled(v4 *out, v4 w, const v4 *in, int length) {
    for (int k = 0; k < length; k++) out[k] += w * in[k];
}

typedef struct {
    v4 x[X];
    Covariance P;
    v4 C[BIAS];
} Model;

/* Mean and covariance of a mixture. */
APART void gather(num count, const v4 *w, const Model *part, v4 *mean, Covariance whole) {
    v4 offset[MOST][X];
    for (int k = 0; k < X; k++) mean[k] = w[0] * part[0].x[k];
    for (num j = 1; j < count; j++) add_scaled(mean, w[j], part[j].x, X);
    for (num j = 0; j < count; j++)
        for (int k = 0; k < X; k++) offset[j][k] = part[j].x[k] - mean[k];
    for (int b = 0; b < BLOCKS; b++) {
        v4 sum[9] = {{0}};
        for (num j = 0; j < count; j++) {
            const v4 *P = part[j].P[b], *r = offset[j] + 3 * ROW[b], *c = offset[j] + 3 * COLUMN[b];
            EACH (int k = 0; k < 9; k++) sum[k] += w[j] * (P[k] + r[k / 3] * c[k % 3]);
        }
        EACH (int k = 0; k < 9; k++) whole[b][k] = sum[k];
    }
}

/* A model keeps the part a of itself and takes b from the whole, d being its offset from it. */
INLINE void blend(Covariance P, v4 a, v4 b, const v4 *d, Covariance whole) {
    for (int e = 0; e < BLOCKS; e++) {
        const v4 *r = d + 3 * ROW[e], *c = d + 3 * COLUMN[e];
        EACH (int k = 0; k < 9; k++)
            P[e][k] = a * P[e][k] + b * (whole[e][k] + a * r[k / 3] * c[k % 3]);
    }
}

/* ---- rows and lanes -------------------------------------------------------------------------- */

/* The rows of four tracks; where there are fewer, the last stands in. */
typedef struct {
    const double *in[LANES];
    double *out[LANES], *told[LANES];
    num track[LANES];
    int lanes;
} Rows;

INLINE v4 across(const double *const *row, num k) {
    return (v4){row[0][k], row[1][k], row[2][k], row[3][k]};
}

INLINE void read(const double *const *row, num at, v4 *out, int length) {
    for (int k = 0; k < length; k++) out[k] = across(row, at + k);
}

APART void write(double *const *row, int lanes, num at, const v4 *in, int length) {
    int k = 0;
    for (; lanes == LANES && k + LANES <= length; k += LANES) { /* turn a square of numbers */
        v4 a = SHUFFLE(in[k], in[k + 1], 0, 4, 2, 6), b = SHUFFLE(in[k], in[k + 1], 1, 5, 3, 7);
        v4 c = SHUFFLE(in[k + 2], in[k + 3], 0, 4, 2, 6);
        v4 d = SHUFFLE(in[k + 2], in[k + 3], 1, 5, 3, 7);
        *(loose *)(row[0] + at + k) = SHUFFLE(a, c, 0, 1, 4, 5);
        *(loose *)(row[1] + at + k) = SHUFFLE(b, d, 0, 1, 4, 5);
        *(loose *)(row[2] + at + k) = SHUFFLE(a, c, 2, 3, 6, 7);
        *(loose *)(row[3] + at + k) = SHUFFLE(b, d, 2, 3, 6, 7);
    }
    for (; k < length; k++)
        for (int l = 0; l < lanes; l++) row[l][at + k] = in[k][l];
}

APART void read_covariance(const double *const *row, num at, Covariance P) {
    for (int b = 0; b < BLOCKS; b++)
        for (int k = 0; k < 9; k++)
            P[b][k] = across(row, at + (3 * ROW[b] + k / 3) * X + 3 * COLUMN[b] + k % 3);
}

/* Number r, c of a covariance is this one of its blocks' 54. */
#define PLACE(r, c) (9 * ((c) / 3 + ((r) < 3 ? 0 : (r) < 6 ? 2 : 3)) + (r) % 3 * 3 + (c) % 3)
#define AT(k) ((k) / X <= (k) % X ? PLACE((k) / X, (k) % X) : PLACE((k) % X, (k) / X))

APART void write_covariance(double *const *row, int lanes, num at, Covariance P) {
    const v4 *in = P[0];
    v4 whole[SQUARE];
    _Pragma("GCC unroll 81") for (int k = 0; k < SQUARE; k++) whole[k] = in[AT(k)];
    write(row, lanes, at, whole, SQUARE);
}

/* Four tracks on their way through the step. */
typedef struct {
    Model model[MOST];
    v4 log_mu[MOST], mu[MOST], weight[MOST], log_w[MOST_EXPERTS];
    v4 memory[6], log_q, log_r, log_scale[2], shift[6], tilt[MEMBERS], lead[6], tau, since;
    int bias;
} Group;

/* ---- ahead in time --------------------------------------------------------------------------- */

/* F P of a covariance, all nine blocks: of position, velocity and acceleration after with before. */
INLINE void move_rows(Covariance P, v4 t, int accelerates, v4 A[3][3][9]) {
    v4 half = accelerates ? t * t / 2 : all(0);
    for (int k = 0; k < 9; k++) {
        int turned = TURNED[k];
        v4 vp = P[PV][turned], ap = P[PA][turned], av = P[VA][turned];
        A[0][0][k] = P[PP][k] + t * vp, A[0][1][k] = P[PV][k] + t * P[VV][k];
        A[0][2][k] = P[PA][k] + t * P[VA][k];
        A[1][0][k] = vp, A[1][1][k] = P[VV][k], A[1][2][k] = P[VA][k];
        A[2][0][k] = A[2][1][k] = A[2][2][k] = all(0);
        if (!accelerates) continue;
        A[0][0][k] += half * ap, A[0][1][k] += half * av, A[0][2][k] += half * P[AA][k];
        A[1][0][k] += t * ap, A[1][1][k] += t * av, A[1][2][k] += t * P[AA][k];
        A[2][0][k] = ap, A[2][1][k] = av, A[2][2][k] = P[AA][k];
    }
}

INLINE void move_columns(v4 A[3][3][9], v4 t, int accelerates, Covariance P) {
    v4 half = t * t / 2;
    for (int k = 0; k < 9; k++) {
        P[PP][k] = A[0][0][k] + t * A[0][1][k];
        P[PV][k] = A[0][1][k], P[VV][k] = A[1][1][k];
        P[PA][k] = P[VA][k] = P[AA][k] = all(0);
        if (!accelerates) continue;
        P[PP][k] += half * A[0][2][k], P[PV][k] += t * A[0][2][k], P[VV][k] += t * A[1][2][k];
        P[PA][k] = A[0][2][k], P[VA][k] = A[1][2][k], P[AA][k] = A[2][2][k];
    }
}

INLINE void add_noise(Covariance P, int accelerates, v4 q, v4 held, v4 t) {
    v4 t2 = t * t, t3 = t2 * t;
    for (int k = 0; k < 9; k += 4) {
        P[PP][k] += accelerates ? q * t3 * t2 / 20 : q * t3 / 3;
        P[PV][k] += accelerates ? q * t2 * t2 / 8 : q * t2 / 2;
        P[VV][k] += accelerates ? q * t3 / 3 : q * t;
        P[AA][k] += accelerates ? q * t : held;
        if (!accelerates) continue;
        P[PA][k] += q * t3 / 6, P[VA][k] += q * t2 / 2;
    }
}

/* Position, velocity and acceleration of `width` columns each. */
INLINE void move_vector(v4 *x, v4 t, int accelerates, int width) {
    v4 half = t * t / 2;
    for (int k = 0; k < width; k++) {
        v4 v = x[width + k], a = x[2 * width + k];
        x[k] += t * v + (accelerates ? half * a : all(0));
        x[width + k] = v + (accelerates ? t * a : all(0));
        x[2 * width + k] = accelerates ? a : all(0);
    }
}

APART void accelerate(Model *one, v4 t, v4 q, v4 held, v4 A[3][3][9]) {
    move_rows(one->P, t, 1, A);
    move_columns(A, t, 1, one->P);
    add_noise(one->P, 1, q, held, t);
    move_vector(one->x, t, 1, 3);
}

APART void glide(Model *one, v4 t, v4 q, v4 held, v4 A[3][3][9]) {
    move_rows(one->P, t, 0, A);
    move_columns(A, t, 0, one->P);
    add_noise(one->P, 0, q, held, t);
    move_vector(one->x, t, 0, 3);
}

INLINE void share_weights(const Filter *f, v4 dt, v4 *log_w) {
    v4 given = -exponential_less_1(-f->hedge_rate * dt);
    v4 kept = larger(1.0 - given, all(SMALLEST)), added = larger(given, all(SMALLEST));
    for (num e = 0; e < f->experts; e++)
        log_w[e] = logarithm(kept * exponential(log_w[e]) + added * f->prior[e]);
}

/* What links the state before with the state after: see smoother.py. */
typedef struct {
    v4 before[MOST][X], cross[SQUARE], bias_before[BIAS], bias_after[BIAS];
} Bond;

INLINE void bond_model(Bond *bond, num m, v4 weight, v4 A[3][3][9]) {
    if (m == 0) memset(bond->cross, 0, sizeof bond->cross);
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++)
            for (int k = 0; k < 9; k++)
                bond->cross[(3 * b + k % 3) * X + 3 * a + k / 3] += weight * A[a][b][k];
}

APART void advance(const Filter *f, Group *g, v4 dt, Bond *bond) {
    v4 stay = exponential(-f->switch_rate * dt);
    v4 given = -exponential_less_1(-f->switch_rate * dt), fade = exponential(-dt / f->bias_time);
    v4 w[MOST_EXPERTS], A[3][3][9];
    for (num e = 0; e < f->experts; e++) w[e] = exponential(g->log_w[e]); /* as yet unshared */
    for (num e = f->owners; e < f->experts; e++) w[0] += w[e];
    if (bond) memset(bond->bias_before, 0, sizeof bond->bias_before);
    if (f->experts > 1) share_weights(f, dt, g->log_w);
    for (num e = 0; e < f->owners; e++) {
        num first = f->first[e], count = f->last[e] - first;
        Model *own = g->model + first;
        v4 mean[X], bias[BIAS] = {{0}}, offset[X];
        Covariance whole;
        for (num j = 0; j < count; j++) g->mu[first + j] = exponential(g->log_mu[first + j]);
        if (count > 1) gather(count, g->mu + first, own, mean, whole);
        if (count > 1 && g->bias)
            for (num j = 0; j < count; j++) add_scaled(bias, g->mu[first + j], own[j].C, BIAS);
        for (num j = 0; j < count; j++) {
            num m = first + j;
            Model *one = own + j;
            int accelerates = f->accelerates[m];
            v4 kept = stay * g->mu[m], c = kept + given * f->share[m], a = kept / c, b = 1.0 - a;
            if (count > 1) {
                for (int k = 0; k < X; k++) offset[k] = one->x[k] - mean[k];
                for (int k = 0; k < X; k++) one->x[k] -= b * offset[k];
                blend(one->P, a, b, offset, whole);
            }
            g->mu[m] = c, g->log_mu[m] = logarithm(c), g->weight[m] = w[e] * c;
            if (bond) memcpy(bond->before[m], one->x, sizeof one->x);
            v4 scale = all(1);
            if (e == f->led && !f->open) scale = exponential(g->log_q);
            (accelerates ? accelerate : glide)(one, dt, scale * f->noise[m], scale * f->held, A);
            if (bond) bond_model(bond, m, g->weight[m], A);
            if (f->falls[m])
                for (int k = 0; k < 3; k++) {
                    one->x[k] += dt * dt / 2 * f->gravity[k];
                    one->x[3 + k] += dt * f->gravity[k];
                }
            if (!g->bias) continue;
            if (count > 1)
                for (int k = 0; k < BIAS; k++) one->C[k] = a * one->C[k] + b * bias[k];
            if (bond) add_scaled(bond->bias_before, g->weight[m], one->C, BIAS);
            for (int k = 0; k < BIAS; k++) one->C[k] *= fade;
            move_vector(one->C, dt, accelerates, 9);
        }
    }
    for (int k = 0; k < 6; k++) g->shift[k] = all(0);
    g->since += dt;
}

/* Write down what links before and after, and the whole belief after. */
APART void tell_bond(const Filter *f, Group *g, const Rows *rows, Bond *bond) {
    v4 mean[X], ahead[X] = {{0}}, before[X], after[X];
    Covariance whole;
    num M = f->models;
    gather(M, g->weight, g->model, mean, whole);
    for (num m = 0; m < M; m++) add_scaled(ahead, g->weight[m], bond->before[m], X);
    for (num m = 0; m < M; m++) {
        for (int k = 0; k < X; k++) before[k] = g->weight[m] * (bond->before[m][k] - ahead[k]);
        for (int k = 0; k < X; k++) after[k] = g->model[m].x[k] - mean[k];
        for (int r = 0; r < X; r++) add_scaled(bond->cross + r * X, before[r], after, X);
    }
    write(rows->told, rows->lanes, f->told.before, mean, X);
    write_covariance(rows->told, rows->lanes, f->told.before_P, whole);
    write(rows->told, rows->lanes, f->told.cross, bond->cross, SQUARE);
    if (!g->bias) return;
    memset(bond->bias_after, 0, sizeof bond->bias_after);
    for (num m = 0; m < M; m++) add_scaled(bond->bias_after, g->weight[m], g->model[m].C, BIAS);
    write(rows->told, rows->lanes, f->told.bias_before, bond->bias_before, BIAS);
    write(rows->told, rows->lanes, f->told.bias_after, bond->bias_after, BIAS);
}

/* ---- against a measurement ------------------------------------------------------------------- */

/* Measurements of four tracks, and what the models and experts make of them. */
typedef struct {
    v4 z[3], R[9], G[9], slow[9];
    l4 seen;
    int biased;
    v4 y[MOST][3], S[MOST][9], inverse[MOST][9], log_det[MOST], d2[MOST];
    v4 mean[MOST_EXPERTS][3], whole[MOST_EXPERTS][9], distrust[MOST_EXPERTS], loss[MOST_EXPERTS];
    v4 strain;
} Look;

INLINE void join_innovations(num count, const v4 *w, const v4 (*y)[3], const v4 (*S)[9], v4 *mean,
                             v4 *whole) {
    for (int k = 0; k < 3; k++) mean[k] = w[0] * y[0][k];
    for (num j = 1; j < count; j++) add_scaled(mean, w[j], y[j], 3);
    memset(whole, 0, 9 * sizeof *whole);
    for (num j = 0; j < count; j++)
        for (int r = 0; r < 3; r++)
            for (int c = 0; c < 3; c++)
                whole[3 * r + c] +=
                    w[j] * (S[j][3 * r + c] + (y[j][r] - mean[r]) * (y[j][c] - mean[c]));
}

APART void compare(const Filter *f, const Group *g, Look *look) {
    for (num e = 0; e < f->owners; e++) {
        num first = f->first[e], count = f->last[e] - first;
        v4 density[MOST], part[MOST], inverse[9];
        int advised = e == f->led && !f->open;
        for (num j = 0; j < count; j++) {
            num m = first + j;
            const Model *one = g->model + m;
            v4 *y = look->y[m], *S = look->S[m];
            for (int k = 0; k < 3; k++) y[k] = look->z[k] - one->x[k];
            for (int k = 0; k < 9; k++) S[k] = one->P[PP][k] + look->R[k];
            if (look->biased) {
                v4 mutual[9];
                product(one->C, look->G, mutual, 3);
                for (int k = 0; k < 9; k++) S[k] += mutual[k] + mutual[TURNED[k]] + look->slow[k];
            }
            look->log_det[m] = invert(S, look->inverse[m]);
            look->d2[m] = length2(look->inverse[m], y);
            v4 surprise = look->d2[m] + look->log_det[m];
            if (advised) {
                v4 growth = exponential_less_1(g->log_r), inflated[9];
                for (int k = 0; k < 9; k++) inflated[k] = S[k] + growth * look->R[k];
                surprise = invert(inflated, inverse);
                surprise += length2(inverse, y);
            }
            density[j] = g->log_mu[m] - surprise / 2;
        }
        join_innovations(count, g->mu + first, look->y + first, look->S + first, look->mean[e],
                         look->whole[e]);
        invert(look->whole[e], inverse);
        look->distrust[e] = length2(inverse, look->mean[e]) / f->gate;
        look->loss[e] = 1.5 * LOG_TWO_PI - log_sum_exp(count, density, part);
    }
    for (num e = f->owners; e < f->experts; e++) {
        memcpy(look->mean[e], look->mean[0], sizeof look->mean[e]);
        memcpy(look->whole[e], look->whole[0], sizeof look->whole[e]);
        look->loss[e] = look->loss[0];
    }
    look->strain = look->distrust[0];
    if (f->owners > 1) {
        v4 w[MOST_EXPERTS] = {{0}}, mean[3], whole[9], inverse[9];
        for (num e = 0; e < f->experts; e++) w[e] = exponential(g->log_w[e]);
        join_innovations(f->experts, w, look->mean, look->whole, mean, whole);
        invert(whole, inverse);
        look->strain = length2(inverse, mean) / f->gate;
    }
    for (num e = 0; e < f->owners; e++) look->distrust[e] = larger(look->distrust[e], all(1));
}

/* Probabilities of the led expert's models, weighed anew. */
APART void tilt(const Filter *f, const Group *g, v4 *log_tilted, v4 *tilted) {
    num first = f->first[f->led];
    for (int j = 0; j < MEMBERS; j++) log_tilted[j] = g->log_mu[first + j] + g->tilt[j];
    v4 total = log_sum_exp(MEMBERS, log_tilted, tilted);
    for (int j = 0; j < MEMBERS; j++) log_tilted[j] -= total;
}

/* Judge the led expert by what its output foretold: see guidance.py. */
APART void judge_led(const Filter *f, const Group *g, Look *look) {
    v4 joint[MEMBERS], part[MEMBERS], S[9], inverse[9], y[3];
    v4 stretch = exponential(g->log_scale[0]);
    v4 less = smaller(stretch, all(1)), more = larger(stretch, all(1)) - 1.0;
    v4 noise = 1.0 - less + (f->open ? all(0) : exponential_less_1(g->log_r));
    tilt(f, g, joint, part);
    for (int j = 0; j < MEMBERS; j++) {
        num m = f->first[f->led] + j;
        for (int k = 0; k < 9; k++)
            S[k] = less * look->S[m][k] + noise * look->R[k] + more * g->model[m].P[PP][k];
        for (int k = 0; k < 3; k++)
            y[k] = look->y[m][k] - g->lead[k] - g->since * g->lead[3 + k];
        v4 log_det = invert(S, inverse);
        joint[j] -= (length2(inverse, y) + log_det) / 2;
    }
    look->loss[f->led] = 1.5 * LOG_TWO_PI - log_sum_exp(MEMBERS, joint, part);
}

APART void weigh_experts(const Filter *f, Group *g, const Look *look) {
    v4 joint[MOST_EXPERTS] = {{0}}, part[MOST_EXPERTS];
    for (num e = 0; e < f->experts; e++) joint[e] = g->log_w[e] - look->loss[e];
    v4 total = log_sum_exp(f->experts, joint, part);
    for (num e = 0; e < f->experts; e++)
        g->log_w[e] = pick(look->seen, joint[e] - total, g->log_w[e]);
}

/* ---- the network ----------------------------------------------------------------------------- */

typedef struct {
    v4 log_r, openness, log_q, log_scale[2], delta[MEMBERS], move[MOVES], turn[MOVES];
    v4 velocity[3], tau;
} Advice;

/* What the network hears: see invariants in advice.py. */
APART void hear(const Filter *f, const Group *g, const Look *look, v4 *velocity, v4 *heard) {
    num first = f->first[f->led], e = f->led;
    v4 vectors[VECTORS][3], turned[VECTORS][3], acceleration[3], inverse[9], spare[9];
    v4 log_det = invert(look->whole[e], inverse), of_noise = invert(look->R, spare);
    for (int k = 0; k < 3; k++) velocity[k] = acceleration[k] = all(0);
    for (int j = 0; j < MEMBERS; j++) {
        memcpy(vectors[j], look->y[first + j], sizeof vectors[j]);
        add_scaled(velocity, g->mu[first + j], g->model[first + j].x + 3, 3);
        add_scaled(acceleration, g->mu[first + j], g->model[first + j].x + 6, 3);
    }
    for (int k = 0; k < 3; k++) {
        vectors[MEMBERS][k] = HORIZON * velocity[k];
        vectors[MEMBERS + 1][k] = HORIZON * HORIZON / 2 * acceleration[k];
        vectors[MEMBERS + 2][k] = g->memory[3 + k];
        vectors[MEMBERS + 3][k] = g->memory[k];
        vectors[MEMBERS + 4][k] = all(HORIZON * HORIZON / 2 * f->gravity[k]);
    }
    for (int a = 0; a < VECTORS; a++) turn(inverse, vectors[a], turned[a]);
    for (int a = 0; a < VECTORS; a++)
        for (int b = a; b < VECTORS; b++) *heard++ = dot(turned[a], vectors[b]);
    heard -= VECTORS * (VECTORS + 1) / 2;
    for (int k = 0; k < VECTORS * (VECTORS + 1) / 2; k++) {
        v4 grown = 0.3 * logarithm(1.0 + size(heard[k]));
        heard[k] = (v4)((l4)grown | ((l4)heard[k] & INT64_MIN));
    }
    heard += VECTORS * (VECTORS + 1) / 2;
    for (int j = 0; j < MEMBERS; j++)
        *heard++ = 0.3 * logarithm(1.0 + larger(look->d2[first + j], all(0)));
    for (int j = 0; j < MEMBERS; j++) *heard++ = 0.2 * g->log_mu[first + j];
    v4 white = look->R[0] + look->R[4] + look->R[8], slow = all(0);
    if (look->biased) slow = look->slow[0] + look->slow[4] + look->slow[8];
    *heard++ = 0.2 * (log_det - of_noise);
    *heard++ = 0.5 * logarithm(larger(g->since, all(SOONEST)) / 0.03);
    *heard++ = 0.5 * g->log_q;
    *heard++ = 0.5 * g->log_r;
    *heard++ = 0.25 * logarithm(white / 0.0075);
    *heard++ = 0.3 * logarithm(1.0 + slow / white);
}

/* Run the cell, a row at a time where its time constants are wanted. */
INLINE v4 run_cell(const Filter *f, int lanes, int watched) {
    v4 tau = all(NAN);
    if (!watched) {
        f->run(f->cell, lanes);
        return tau;
    }
    num H = f->cell->units, G = f->cell->adaptive ? 2 * H : H, width = (G + 15) / 16 * 16;
    for (int l = 0; l < lanes; l++) {
        Cell one = *f->cell;
        one.joined += l * (INPUTS + H), one.dt += l, one.next += l * H;
        f->run(&one, 1);
        double sum = 0;
        for (num i = 0; i < H; i++)
            sum += one.adaptive ? one.scratch[width + 3 * H + i] : 1.0f / one.alpha[i];
        tau[l] = sum / H;
    }
    return tau;
}

APART void ask(const Filter *f, const Group *g, const Rows *rows, const Look *look, int watched,
                Advice *advice) {
    v4 heard[INPUTS], said[ANSWERS];
    num H = f->cell->units, hidden = f->row.hidden;
    hear(f, g, look, advice->velocity, heard);
    for (int l = 0; l < rows->lanes; l++) {
        float *joined = f->cell->joined + l * (INPUTS + H);
        for (int k = 0; k < INPUTS; k++) joined[k] = (float)heard[k][l];
        memcpy(joined + INPUTS, rows->in[l] + hidden, H * sizeof *joined);
        f->cell->dt[l] = (float)(g->since[l] > SOONEST ? g->since[l] : SOONEST);
    }
    advice->tau = run_cell(f, rows->lanes, watched);
    for (int k = 0; k < ANSWERS; k++) said[k] = all(0);
    for (int l = 0; l < rows->lanes; l++) {
        const float *next = f->cell->next + l * H;
        f8 sum[WIDE_ANSWERS / 8];
        memcpy(sum, f->heads_bias, sizeof sum);
        for (num i = 0; i < H; i++)
            EACH (int k = 0; k < WIDE_ANSWERS / 8; k++)
                sum[k] += next[i] * ((const f8 *)(f->heads + i * WIDE_ANSWERS))[k];
        for (int k = 0; k < ANSWERS; k++) said[k][l] = sum[k / 8][k % 8];
        memcpy(rows->out[l] + hidden, look->seen[l] ? next : (const float *)(rows->in[l] + hidden),
               H * sizeof *next);
    }
    advice->log_r = bounded(said[0], 4), advice->openness = bounded(said[1], 1);
    advice->log_q = bounded(said[2], 4);
    for (int k = 0; k < 2; k++) advice->log_scale[k] = bounded(said[3 + k], 2);
    for (int k = 0; k < MEMBERS; k++) advice->delta[k] = bounded(said[5 + k], 5);
    memcpy(advice->move, said + 10, sizeof advice->move);
    memcpy(advice->turn, said + 10 + MOVES, sizeof advice->turn);
}

/* ---- correct --------------------------------------------------------------------------------- */

/* T is the inverse of the innovation covariance as it is distrusted, N the noise that goes with
 * it, the slow one included; the first `length` numbers of the state are correlated with the
 * position. Joseph's form, so that an inexact gain K harms in second order only: with A = I - K H,
 * A P A' + K N K' = P - K H P - U K', U = A P H' - K N; a bias takes A C G' K' off twice. */
INLINE void correct_model(Model *one, const Look *look, const v4 *y, const v4 *T, const v4 *N,
                          int bias, int length) {
    v4 near[BIAS], lead[BIAS], K[BIAS], U[BIAS], S[9], KG[BIAS];
    for (int r = 0; r < length; r++)
        EACH (int c = 0; c < 3; c++)
            near[3 * r + c] = r < 3 ? one->P[PP][3 * r + c] : one->P[r / 3][3 * c + r % 3];
    if (look->biased) {
        product(one->C, look->G, lead, length);
        for (int k = 0; k < 3 * length; k++) lead[k] += near[k];
    }
    product(look->biased ? lead : near, T, K, length);
    for (int r = 0; r < length; r++) one->x[r] += dot(K + 3 * r, y);
    for (int k = 0; k < 9; k++) S[k] = near[k] + N[k];
    product(K, S, U, length);
    for (int k = 0; k < 3 * length; k++) U[k] = near[k] - U[k];
    for (int b = 0; b < BLOCKS; b++) {
        if (3 * COLUMN[b] >= length) continue;
        for (int r = 3 * ROW[b]; r < 3 * ROW[b] + 3; r++)
            EACH (int j = 0; j < 3; j++) {
                int c = 3 * COLUMN[b] + j;
                one->P[b][3 * (r % 3) + j] -= dot(K + 3 * r, near + 3 * c) + dot(U + 3 * r, K + 3 * c);
            }
    }
    if (!bias) return;
    product(K, one->C, U, length);
    for (int k = 0; k < 3 * length; k++) one->C[k] -= U[k];
    if (!look->biased) return;
    product(K, look->G, KG, length);
    for (int b = 0; b < BLOCKS; b++) {
        if (3 * COLUMN[b] >= length) continue;
        for (int r = 3 * ROW[b]; r < 3 * ROW[b] + 3; r++)
            EACH (int j = 0; j < 3; j++) {
                int c = 3 * COLUMN[b] + j;
                one->P[b][3 * (r % 3) + j] -=
                    dot(one->C + 3 * r, KG + 3 * c) + dot(KG + 3 * r, one->C + 3 * c);
            }
    }
    for (int k = 0; k < 3 * length; k++) one->C[k] -= KG[k];
}

APART void correct_six(Model *one, const Look *look, const v4 *y, const v4 *T, const v4 *N,
                       int bias) {
    correct_model(one, look, y, T, N, bias, 6);
}

APART void correct_nine(Model *one, const Look *look, const v4 *y, const v4 *T, const v4 *N,
                        int bias) {
    correct_model(one, look, y, T, N, bias, X);
}

INLINE void keep_unseen(Model *one, const Model *old, l4 seen, int bias) {
    for (int k = 0; k < X; k++) one->x[k] = pick(seen, one->x[k], old->x[k]);
    for (int b = 0; b < BLOCKS; b++)
        for (int k = 0; k < 9; k++) one->P[b][k] = pick(seen, one->P[b][k], old->P[b][k]);
    for (int k = 0; bias && k < BIAS; k++) one->C[k] = pick(seen, one->C[k], old->C[k]);
}

INLINE void normalise(const Filter *f, num count, v4 *log_mu) {
    v4 spare[MOST], total = log_sum_exp(count, log_mu, spare);
    l4 lifted = {0};
    for (num j = 0; j < count; j++) {
        log_mu[j] -= total;
        lifted |= log_mu[j] < f->log_floor;
        log_mu[j] = pick(log_mu[j] < f->log_floor, all(f->log_floor), log_mu[j]);
    }
    if (!any(lifted)) return;
    /* Only where it is needed: a track does not hang on its neighbours. */
    total = pick(lifted, log_sum_exp(count, log_mu, spare), all(0));
    for (num j = 0; j < count; j++) log_mu[j] -= total;
}

APART void correct(const Filter *f, Group *g, const Look *look, const Advice *advice, int moved) {
    int all_seen = look->seen[0] && look->seen[1] && look->seen[2] && look->seen[3];
    for (num e = 0; e < f->owners; e++) {
        num first = f->first[e], count = f->last[e] - first;
        const Advice *heard = advice && e == f->led && !f->open ? advice : NULL;
        v4 growth = heard ? exponential_less_1(heard->log_r) : all(0);
        v4 log_mu[MOST], distrust = look->distrust[e], log_s = logarithm(distrust);
        if (heard) {
            log_s *= 1.0 - heard->openness;
            distrust = exponential(log_s);
        }
        for (num j = 0; j < count; j++) {
            num m = first + j;
            v4 inflated[9], inverse[9], noise[9], d2 = look->d2[m], log_det = look->log_det[m];
            v4 s = f->gated[m] ? distrust : all(1), t = 1.0 / s;
            const v4 *S = look->S[m], *T = look->inverse[m];
            if (heard) {
                for (int k = 0; k < 9; k++) inflated[k] = S[k] + growth * look->R[k];
                log_det = invert(inflated, inverse), d2 = length2(inverse, look->y[m]);
                S = inflated, T = inverse;
            }
            for (int k = 0; k < 9; k++)
                noise[k] = look->R[k] + growth * look->R[k] + (s - 1.0) * S[k] +
                           (look->biased ? look->slow[k] : all(0));
            for (int k = 0; k < 9; k++) inverse[k] = T[k] * t;
            log_mu[j] = g->log_mu[m] -
                        (d2 * t + log_det + (f->gated[m] ? 3.0 * log_s : all(0))) / 2;
            if (heard && !f->tilts) log_mu[j] += heard->delta[j];
            Model *one = g->model + m, old;
            if (!all_seen) old = *one;
            if (moved && !f->accelerates[m])
                correct_six(one, look, look->y[m], inverse, noise, g->bias);
            else
                correct_nine(one, look, look->y[m], inverse, noise, g->bias);
            if (!all_seen) keep_unseen(one, &old, look->seen, g->bias);
        }
        normalise(f, count, log_mu);
        for (num j = 0; j < count; j++)
            g->log_mu[first + j] = pick(look->seen, log_mu[j], g->log_mu[first + j]);
    }
}

/* ---- what is told ---------------------------------------------------------------------------- */

/* Mean and covariance of one expert; the led one's models are weighed anew if it tilts. */
INLINE void collapse(const Filter *f, const Group *g, num e, v4 *mean, Covariance whole) {
    num first = f->first[e];
    v4 tilted[MEMBERS], spare[MEMBERS];
    const v4 *mu = g->mu + first;
    if (f->tilts && e == f->led) tilt(f, g, spare, tilted), mu = tilted;
    gather(f->last[e] - first, mu, g->model + first, mean, whole);
}

/* Take the advice that concerns the output, and remember: see move_output in advice.py. */
APART void heed(const Filter *f, Group *g, const Look *look, const Advice *advice, v4 *mean,
                 Covariance whole) {
    num first = f->first[f->led], e = f->led;
    v4 told = larger(g->since, all(SOONEST)), dt = larger(told, all(SHORTEST)), shift[6];
    for (int b = 0; b < 2; b++) {
        const v4 *share = b ? advice->turn : advice->move;
        v4 moved[3], inverse[9], over = b ? 1.0 / dt : all(1);
        for (int k = 0; k < 3; k++) {
            v4 gravity = all(f->gravity[k]);
            moved[k] = share[MEMBERS] * look->mean[e][k] * over;
            moved[k] += share[MEMBERS + 1] * advice->velocity[k] * (b ? all(1) : dt);
            moved[k] += share[MEMBERS + 2] * g->memory[3 + k] * over;
            moved[k] += share[MEMBERS + 3] * gravity * (b ? dt : dt * dt / 2);
            for (int j = 0; j < MEMBERS; j++)
                moved[k] += share[j] * (g->model[first + j].x[3 * b + k] - mean[3 * b + k]);
        }
        invert(whole[b ? VV : PP], inverse);
        v4 l2 = larger(length2(inverse, moved), all(0)), scale = root_of(1.0 + l2 / 9.0);
        for (int k = 0; k < 3; k++) shift[3 * b + k] = moved[k] / scale;
    }
    v4 kept = exponential(-told / FORGETTING);
    for (int k = 0; k < 3; k++) {
        v4 usual = kept * g->memory[3 + k] + (1.0 - kept) * look->mean[e][k];
        g->memory[3 + k] = pick(look->seen, usual, g->memory[3 + k]);
        g->memory[k] = pick(look->seen, look->mean[e][k], g->memory[k]);
    }
    for (int k = 0; k < 6; k++) {
        g->shift[k] = pick(look->seen, shift[k], g->shift[k]);
        g->lead[k] = pick(look->seen, shift[k], g->lead[k]);
    }
    for (int k = 0; k < 2; k++)
        g->log_scale[k] = pick(look->seen, advice->log_scale[k], g->log_scale[k]);
    g->log_q = pick(look->seen, advice->log_q, g->log_q);
    g->log_r = pick(look->seen, advice->log_r, g->log_r);
    g->tau = pick(look->seen, advice->tau, g->tau);
    g->since = pick(look->seen, all(0), g->since);
}

/* Tell the mixture over the experts, of which the led one is moved and stretched. */
APART void tell(const Filter *f, Group *g, const Rows *rows, v4 *means, Covariance *wholes) {
    v4 mean[X], stretch[X], w[MOST_EXPERTS], offset[X];
    Covariance whole;
    int lanes = rows->lanes;
    for (num e = 0; e < f->experts; e++) w[e] = exponential(g->log_w[e]);
    for (int k = 0; k < X; k++) stretch[k] = all(1);
    if (f->cell) {
        v4(*plain)[9] = wholes[0];
        if (f->owners > 1) { /* of all models, as they are */
            v4 weight[MOST];
            for (num e = 0; e < f->owners; e++)
                for (num m = f->first[e]; m < f->last[e]; m++) weight[m] = w[e] * g->mu[m];
            gather(f->models, weight, g->model, mean, whole);
            plain = whole;
        } else if (f->experts == 1 && f->tilts) {
            gather(f->models, g->mu, g->model, mean, whole);
            plain = whole;
        }
        write_covariance(rows->told, lanes, f->told.whole, plain);
        v4 *led = means + X * f->led;
        for (int k = 0; k < 6; k++) {
            stretch[k] = exponential(g->log_scale[k / 3] / 2.0);
            led[k] += g->shift[k];
        }
        for (int b = 0; b < BLOCKS; b++)
            for (int k = 0; k < 9; k++)
                wholes[f->led][b][k] *= stretch[3 * ROW[b]] * stretch[3 * COLUMN[b]];
        for (int k = 0; k < 6; k++)
            stretch[k] = exponential(g->log_scale[k / 3] / 2.0 * w[f->led]);
    }
    write(rows->told, lanes, f->told.stretch, stretch, X);
    if (f->experts == 1) {
        write(rows->told, lanes, f->told.x, means, X);
        write_covariance(rows->told, lanes, f->told.P, wholes[0]);
        return;
    }
    for (int k = 0; k < X; k++) mean[k] = all(0);
    memset(whole, 0, sizeof whole);
    for (num e = 0; e < f->experts; e++) add_scaled(mean, w[e], means + X * e, X);
    for (num e = 0; e < f->experts; e++) {
        for (int k = 0; k < X; k++) offset[k] = means[X * e + k] - mean[k];
        for (int b = 0; b < BLOCKS; b++) add_scaled(whole[b], w[e], wholes[e][b], 9);
        add_outer(whole, w[e], offset);
    }
    write(rows->told, lanes, f->told.x, mean, X);
    write_covariance(rows->told, lanes, f->told.P, whole);
}

/* ---- the step -------------------------------------------------------------------------------- */

APART void load(const Filter *f, const Rows *rows, Group *g) {
    const Layout *row = &f->row;
    const double *const *in = rows->in;
    g->bias = row->C >= 0;
    for (num m = 0; m < f->models; m++) {
        read(in, row->x + m * X, g->model[m].x, X);
        read_covariance(in, row->P + m * SQUARE, g->model[m].P);
        if (g->bias) read(in, row->C + m * BIAS, g->model[m].C, BIAS);
        g->log_mu[m] = across(in, row->log_mu + m);
    }
    for (num e = 0; e < f->experts; e++) g->log_w[e] = across(in, row->log_w + e);
    g->since = across(in, row->since);
    if (!f->cell) return;
    read(in, row->memory, g->memory, 6), read(in, row->log_scale, g->log_scale, 2);
    read(in, row->shift, g->shift, 6), read(in, row->lead, g->lead, 6);
    read(in, row->tilt, g->tilt, MEMBERS);
    g->log_q = across(in, row->log_q), g->log_r = across(in, row->log_r);
    g->tau = across(in, row->tau);
}

APART void store(const Filter *f, const Rows *rows, Group *g) {
    const Layout *row = &f->row;
    int lanes = rows->lanes;
    for (num m = 0; m < f->models; m++) {
        write(rows->out, lanes, row->x + m * X, g->model[m].x, X);
        write_covariance(rows->out, lanes, row->P + m * SQUARE, g->model[m].P);
        if (g->bias) write(rows->out, lanes, row->C + m * BIAS, g->model[m].C, BIAS);
    }
    write(rows->out, lanes, row->log_mu, g->log_mu, f->models);
    write(rows->out, lanes, row->log_w, g->log_w, f->experts);
    write(rows->out, lanes, row->since, &g->since, 1);
    if (!f->cell) return;
    write(rows->out, lanes, row->memory, g->memory, 6);
    write(rows->out, lanes, row->log_scale, g->log_scale, 2);
    write(rows->out, lanes, row->shift, g->shift, 6);
    write(rows->out, lanes, row->lead, g->lead, 6);
    write(rows->out, lanes, row->tilt, g->tilt, MEMBERS);
    write(rows->out, lanes, row->log_q, &g->log_q, 1);
    write(rows->out, lanes, row->log_r, &g->log_r, 1);
    write(rows->out, lanes, row->tau, &g->tau, 1);
}

APART void look_at(const Rows *rows, const Measured *now, Look *look) {
    const double *z[LANES], *R[LANES], *G[LANES];
    for (int l = 0; l < LANES; l++) {
        num t = rows->track[l];
        z[l] = now->z + 3 * t, R[l] = now->R + 9 * t, G[l] = now->root ? now->root + 9 * t : NULL;
        look->seen[l] = !now->seen || now->seen[t] ? -1 : 0;
    }
    look->biased = now->root != NULL;
    read(z, 0, look->z, 3), read(R, 0, look->R, 9);
    if (!look->biased) return;
    read(G, 0, look->G, 9);
    product(look->G, look->G, look->slow, 3);
}

/* Copy what the step leaves alone: the network's parts where there is none, and the root. */
APART void carry(const Filter *f, const Rows *rows, const Measured *now) {
    for (int l = 0; l < rows->lanes; l++) {
        const double *in = rows->in[l];
        double *out = rows->out[l];
        num t = rows->track[l], row = f->row.root;
        if (!f->cell) {
            memcpy(out + f->row.memory, in + f->row.memory, (f->row.width - f->row.memory) * sizeof *out);
        } else {
            memcpy(out + f->row.hidden, in + f->row.hidden, (f->row.width - f->row.hidden) * sizeof *out);
        }
        if (row < 0) continue;
        int is_new = now && now->root && (!now->seen || now->seen[t]);
        memcpy(out + row, is_new ? now->root + 9 * t : in + row, 9 * sizeof *out);
    }
}

static void step_four(const Filter *f, const Rows *rows, v4 dt, const Measured *now, int flags) {
    Group g;
    Look look;
    Bond bond;
    Advice advice;
    v4 means[MOST_EXPERTS * X];
    Covariance wholes[MOST_EXPERTS];
    int moving = flags & MOVING, asked = 0;
    load(f, rows, &g);
    carry(f, rows, now);
    if (moving) {
        advance(f, &g, dt, flags & LINKED ? &bond : NULL);
        if (flags & LINKED) tell_bond(f, &g, rows, &bond);
    } else {
        for (num m = 0; m < f->models; m++) g.mu[m] = exponential(g.log_mu[m]);
    }
    if (now) {
        look_at(rows, now, &look);
        compare(f, &g, &look);
        if (f->cell && f->tilts) judge_led(f, &g, &look);
        if (f->experts > 1) weigh_experts(f, &g, &look);
        if ((asked = f->cell != NULL)) ask(f, &g, rows, &look, flags & WATCHED, &advice);
        correct(f, &g, &look, asked ? &advice : NULL, moving);
        if (asked && f->tilts)
            for (int k = 0; k < MEMBERS; k++) g.tilt[k] = pick(look.seen, advice.delta[k], g.tilt[k]);
        write(rows->told, rows->lanes, f->told.strain, &look.strain, 1);
        write(rows->told, rows->lanes, f->told.losses, look.loss, f->experts);
    }
    for (num m = 0; m < f->models; m++) g.mu[m] = exponential(g.log_mu[m]);
    for (num e = 0; e < f->experts; e++) collapse(f, &g, e, means + X * e, wholes[e]);
    if (asked) heed(f, &g, &look, &advice, means + X * f->led, wholes[f->led]);
    store(f, rows, &g);
    tell(f, &g, rows, means, wholes);
}

/* ---- what is called -------------------------------------------------------------------------- */

/* Step N tracks: rows `in` (N, width of Layout) to rows `out` and answers `told` (N, width of
 * Told), over dt, or over `each` (N) where it is given. z is NULL without measurements. */
EXPORT void bank_step(const Filter *f, num tracks, double dt, const double *each, const double *in,
                      double *out, double *told, const double *z, const double *R,
                      const double *root, const uint8_t *seen, int flags) {
    Measured now = {z, R, root, seen};
    for (num t = 0; t < tracks; t += LANES) {
        Rows rows = {.lanes = tracks - t < LANES ? (int)(tracks - t) : LANES};
        v4 own;
        for (int l = 0; l < LANES; l++) {
            num track = t + (l < rows.lanes ? l : rows.lanes - 1);
            rows.track[l] = track, rows.in[l] = in + track * f->row.width;
            rows.out[l] = out + track * f->row.width, rows.told[l] = told + track * f->told.width;
            own[l] = each ? each[track] : dt;
        }
        step_four(f, &rows, own, z ? &now : NULL, flags);
    }
}

#if defined(__clang__) && defined(NEEDS_FAST)
#pragma clang attribute pop
#endif

/* Whether the processor can run it. */
EXPORT int is_fast(void) {
#ifdef NEEDS_FAST
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return 1;
#endif
}
