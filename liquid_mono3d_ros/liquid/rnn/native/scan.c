/* The recurrent part of a liquid cell over a whole sequence, and one running step; float32.
 *
 * Every array is dense and row-major: (T, B, H) for states, (T, B) for dt and reset. The matrix
 * product with U is a register tile of 6 rows by 16 columns over U packed in panels of 16
 * columns; tanh, exp and sigmoid are our own, in loops the compiler turns into vectors. The same
 * source is compiled for AVX2 with FMA and for the plain instruction set; the processor is asked
 * at run time. One thread, no global state but the answer of the processor.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((visibility("default")))

typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int64_t num;

enum { ROWS = 6, PANEL = 16 };

/* ---- elementary functions ------------------------------------------------------------------ */

/* expm1(x) and exp(x) share x = n ln2 + r, |r| <= ln2 / 2, and expm1(r) by its Taylor series. */
INLINE float reduce(float x, float *power) {
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float z = x * 1.44269504088896341f + magic;
    float n = z - magic;
    float r = (x - n * 0.693359375f) + n * 2.12194440054690583e-4f;
    uint32_t bits;
    memcpy(&bits, &z, sizeof bits);
    bits = (bits << 23) + 0x3f800000u; /* 2^n */
    memcpy(power, &bits, sizeof bits);
    float p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    return p * (r * r) + r;
}

INLINE float fast_expm1(float x) {
    float power, p = reduce(x, &power);
    return power * p + (power - 1.0f);
}

INLINE float fast_exp(float x) {
    float power, p = reduce(x, &power);
    return power * p + power;
}

INLINE float fast_tanh(float x) {
    x = x < -10.0f ? -10.0f : x;
    x = x > 10.0f ? 10.0f : x;
    float e = fast_expm1(2.0f * x);
    return e / (e + 2.0f);
}

INLINE float fast_sigmoid(float x) { return 1.0f / (1.0f + fast_exp(-x)); }

/* ---- matrix product ------------------------------------------------------------------------ */

INLINE num padded(num n) { return (n + PANEL - 1) / PANEL * PANEL; }

/* Pack the (K, N) matrix source[k * stride_k + n * stride_n]: panels of 16 columns, zero-filled. */
INLINE void pack(num K, num N, const float *source, num stride_k, num stride_n, float *packed) {
    for (num j = 0; j < padded(N); j += PANEL)
        for (num k = 0; k < K; k++)
            for (num i = 0; i < PANEL; i++)
                *packed++ = j + i < N ? source[k * stride_k + (j + i) * stride_n] : 0.0f;
}

/* out (rows, 16 panels) = A (rows, K) times `panels` neighbouring panels; both counts constant.
 * Sixteen columns are PARTS vectors of the type VECTOR. */
#define TILE(name, VECTOR, PARTS)                                                              \
    INLINE void name(const int rows, const int panels, num K, const float *A,                  \
                     const float *packed, num width, float *out) {                             \
        VECTOR sum[8][PARTS] = {{{0}}};                                                        \
        for (num k = 0; k < K; k++)                                                            \
            _Pragma("GCC unroll 4") for (int p = 0; p < panels; p++) {                         \
                const VECTOR *b = (const VECTOR *)(packed + (p * K + k) * PANEL);              \
                _Pragma("GCC unroll 6") for (int r = 0; r < rows; r++)                         \
                    _Pragma("GCC unroll 4") for (int i = 0; i < PARTS; i++)                    \
                        sum[r * panels + p][i] += A[r * K + k] * b[i];                         \
            }                                                                                  \
        _Pragma("GCC unroll 6") for (int r = 0; r < rows; r++)                                 \
            _Pragma("GCC unroll 4") for (int p = 0; p < panels; p++)                           \
                _Pragma("GCC unroll 4") for (int i = 0; i < PARTS; i++)                        \
                    ((VECTOR *)(out + r * width + p * PANEL))[i] = sum[r * panels + p][i];     \
    }

TILE(tile_of_eights, v8, 2)
TILE(tile_of_fours, v4, 4)

INLINE void tile(const int fast, const int rows, const int panels, num K, const float *A,
                 const float *packed, num width, float *out) {
    if (fast)
        tile_of_eights(rows, panels, K, A, packed, width, out);
    else
        tile_of_fours(rows, panels, K, A, packed, width, out);
}

/* out (B, padded N) = A (B, K) times the packed (K, N). */
INLINE void multiply(const int fast, num B, num K, num N, const float *A, const float *packed,
                     float *out) {
    num width = padded(N), j = 0;
    if (B == 1)
        for (; j + 4 * PANEL <= width; j += 4 * PANEL)
            tile(fast, 1, 4, K, A, packed + j * K, width, out + j);
    for (; j < width; j += PANEL) {
        const float *panel = packed + j * K, *a = A;
        float *o = out + j;
        num left = B;
        for (; left >= ROWS; left -= ROWS, a += ROWS * K, o += ROWS * width)
            tile(fast, ROWS, 1, K, a, panel, width, o);
        if (left >= 4) {
            tile(fast, 4, 1, K, a, panel, width, o);
            left -= 4, a += 4 * K, o += 4 * width;
        }
        if (left >= 2) {
            tile(fast, 2, 1, K, a, panel, width, o);
            left -= 2, a += 2 * K, o += 2 * width;
        }
        if (left) tile(fast, 1, 1, K, a, panel, width, o);
    }
}

INLINE float total(const float *x, num n) {
    float lane[8] = {0};
    num i = 0;
    for (; i + 8 <= n; i += 8)
        for (int l = 0; l < 8; l++) lane[l] += x[i + l];
    for (; i < n; i++) lane[i % 8] += x[i];
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* The state before step t: h0 or h[t - 1], with zeros where it is reset; `copy` holds those. */
INLINE const float *before(num t, num B, num H, const float *h0, const float *h,
                           const uint8_t *reset, float *copy) {
    const float *state = t ? h + (t - 1) * B * H : h0;
    if (!reset || !memchr(reset + t * B, 1, (size_t)B)) return state;
    memcpy(copy, state, (size_t)(B * H) * sizeof(float));
    for (num b = 0; b < B; b++)
        if (reset[t * B + b]) memset(copy + b * H, 0, (size_t)H * sizeof(float));
    return copy;
}

/* ---- fixed alpha: h' = decay h + gain phi --------------------------------------------------- */

INLINE void coefficients(num H, const float *alpha, float dt, int euler, float *decay,
                         float *gain) {
    for (num i = 0; i < H; i++) {
        float settled = euler ? alpha[i] * dt : -fast_expm1(-alpha[i] * dt);
        decay[i] = 1.0f - settled;
        gain[i] = euler ? dt : settled / alpha[i];
    }
}

INLINE void fixed_row(num H, const float *restrict d, const float *restrict r,
                      const float *restrict s, const float *restrict decay,
                      const float *restrict gain, float *restrict phi, float *restrict next) {
    for (num i = 0; i < H; i++) {
        phi[i] = fast_tanh(d[i] + r[i]);
        next[i] = decay[i] * s[i] + gain[i] * phi[i];
    }
}

INLINE void fixed_row_back(num H, const float *restrict up, const float *restrict s,
                           const float *restrict phi, const float *restrict alpha,
                           const float *restrict decay, const float *restrict gain,
                           const float *restrict slope, const float *restrict d_decay,
                           const float *restrict d_gain, float *restrict carry,
                           float *restrict delta, float *restrict of_alpha,
                           float *restrict of_dt) {
    for (num i = 0; i < H; i++) {
        float g = up[i] + carry[i], p = phi[i];
        delta[i] = g * gain[i] * (1.0f - p * p);
        of_alpha[i] += g * (d_decay[i] * s[i] + d_gain[i] * p);
        of_dt[i] = g * slope[i] * (p - alpha[i] * s[i]);
        carry[i] = g * decay[i];
    }
}

INLINE int fixed_forward_body(const int fast, num T, num B, num H, const float *restrict drive,
                              const float *restrict U, const float *restrict alpha,
                              const float *h0, const float *restrict dt, const uint8_t *reset,
                              int euler, float *h, float *restrict phi) {
    num width = padded(H);
    float *work = malloc((size_t)(width * H + B * width + B * H + 2 * H) * sizeof(float));
    if (!work) return -1;
    float *packed = work, *recurrent = packed + width * H, *copy = recurrent + B * width;
    float *restrict decay = copy + B * H, *restrict gain = decay + H;
    float known = -1.0f;
    pack(H, H, U, 1, H, packed);
    for (num t = 0; t < T; t++) {
        const float *state = before(t, B, H, h0, h, reset, copy);
        multiply(fast, B, H, H, state, packed, recurrent);
        for (num b = 0; b < B; b++) {
            num row = (t * B + b) * H;
            if (dt[t * B + b] != known)
                coefficients(H, alpha, known = dt[t * B + b], euler, decay, gain);
            fixed_row(H, drive + row, recurrent + b * width, state + b * H, decay, gain, phi + row,
                      h + row);
        }
    }
    free(work);
    return 0;
}

INLINE int fixed_backward_body(const int fast, num T, num B, num H, const float *restrict grad,
                               const float *restrict U, const float *restrict alpha,
                               const float *h0, const float *restrict dt, const uint8_t *reset,
                               int euler, const float *h, const float *restrict phi,
                               float *restrict delta, float *restrict d_alpha,
                               float *restrict d_h0, float *restrict d_dt) {
    num width = padded(H);
    float *work = malloc((size_t)(width * H + B * width + B * H + 7 * H) * sizeof(float));
    double *sum = calloc((size_t)H, sizeof(double));
    if (!work || !sum) {
        free(work), free(sum);
        return -1;
    }
    float *packed = work, *back = packed + width * H, *copy = back + B * width;
    float *restrict decay = copy + B * H, *restrict gain = decay + H;
    float *restrict d_decay = gain + H, *restrict d_gain = d_decay + H; /* by alpha */
    float *restrict part = d_gain + H, *restrict of_dt = part + H, *restrict slope = of_dt + H;
    float known = -1.0f;
    pack(H, H, U, H, 1, packed);
    memset(d_h0, 0, (size_t)(B * H) * sizeof(float)); /* dL/dh of the step after the last */
    for (num t = T - 1; t >= 0; t--) {
        const float *state = before(t, B, H, h0, h, reset, copy);
        memset(part, 0, (size_t)H * sizeof(float));
        for (num b = 0; b < B; b++) {
            num row = (t * B + b) * H;
            float step = dt[t * B + b];
            if (step != known) {
                coefficients(H, alpha, known = step, euler, decay, gain);
                for (num i = 0; i < H; i++) {
                    slope[i] = euler ? 1.0f : decay[i];
                    d_decay[i] = -step * slope[i];
                    d_gain[i] = euler ? 0.0f : (step * slope[i] - gain[i]) / alpha[i];
                }
            }
            fixed_row_back(H, grad + row, state + b * H, phi + row, alpha, decay, gain, slope, d_decay,
                           d_gain, d_h0 + b * H, delta + row, part, of_dt);
            d_dt[t * B + b] = total(of_dt, H);
        }
        for (num i = 0; i < H; i++) sum[i] += part[i];
        multiply(fast, B, H, H, delta + t * B * H, packed, back);
        for (num b = 0; b < B; b++) {
            float *restrict carry = d_h0 + b * H;
            float kept = reset && reset[t * B + b] ? 0.0f : 1.0f;
            for (num i = 0; i < H; i++) carry[i] = kept * (carry[i] + back[b * width + i]);
        }
    }
    for (num i = 0; i < H; i++) d_alpha[i] = (float)sum[i];
    free(work), free(sum);
    return 0;
}

/* ---- adaptive tau: h' = h + settled(dt / tau) (f - h) --------------------------------------- */

typedef struct {
    float min, range;
} Tau;

INLINE void adaptive_row(const int euler, num H, Tau bounds, float dt, const float *restrict d,
                         const float *restrict r, const float *restrict s, float *restrict f,
                         float *restrict tau, float *restrict next) {
    for (num i = 0; i < H; i++) {
        f[i] = fast_tanh(d[i] + r[i]);
        tau[i] = bounds.min + bounds.range * fast_sigmoid(d[H + i] + r[H + i]);
        float ratio = dt / tau[i];
        next[i] = s[i] + (euler ? ratio : -fast_expm1(-ratio)) * (f[i] - s[i]);
    }
}

INLINE void adaptive_row_back(const int euler, num H, Tau bounds, float dt,
                              const float *restrict up, const float *restrict s,
                              const float *restrict f, const float *restrict tau,
                              float *restrict carry, float *restrict of_f,
                              float *restrict of_tau, float *restrict of_dt) {
    float inverse = 1.0f / bounds.range;
    for (num i = 0; i < H; i++) {
        float g = up[i] + carry[i], rate = 1.0f / tau[i], ratio = dt * rate;
        float settled = euler ? ratio : -fast_expm1(-ratio);
        float of_ratio = g * (euler ? 1.0f : 1.0f - settled) * (f[i] - s[i]);
        float open = (tau[i] - bounds.min) * inverse;
        of_f[i] = g * settled * (1.0f - f[i] * f[i]);
        of_tau[i] = -of_ratio * ratio * rate * bounds.range * open * (1.0f - open);
        of_dt[i] = of_ratio * rate;
        carry[i] = g * (1.0f - settled);
    }
}

/* drive and gates are (T, B, 2 H): first of f, then of tau; U is (2 H, H), or NULL for zero. */
INLINE int adaptive_forward_body(const int fast, num T, num B, num H, const float *restrict drive,
                                 const float *restrict U, const float *h0,
                                 const float *restrict dt, const uint8_t *reset, int euler,
                                 float tau_min, float tau_max, float *h, float *restrict gates) {
    num G = 2 * H, width = padded(G);
    float *work = malloc((size_t)(width * H + B * width + B * H) * sizeof(float));
    if (!work) return -1;
    float *packed = work, *recurrent = packed + width * H, *copy = recurrent + B * width;
    Tau bounds = {tau_min, tau_max - tau_min};
    if (U) pack(H, G, U, 1, H, packed);
    if (!U) memset(recurrent, 0, (size_t)(B * width) * sizeof(float));
    for (num t = 0; t < T; t++) {
        const float *state = before(t, B, H, h0, h, reset, copy);
        if (U) multiply(fast, B, H, G, state, packed, recurrent);
        for (num b = 0; b < B; b++) {
            num row = t * B + b;
            const float *d = drive + row * G, *r = recurrent + b * width, *s = state + b * H;
            float *f = gates + row * G;
            if (euler)
                adaptive_row(1, H, bounds, dt[row], d, r, s, f, f + H, h + row * H);
            else
                adaptive_row(0, H, bounds, dt[row], d, r, s, f, f + H, h + row * H);
        }
    }
    free(work);
    return 0;
}

INLINE int adaptive_backward_body(const int fast, num T, num B, num H, const float *restrict grad,
                                  const float *restrict U, const float *h0,
                                  const float *restrict dt, const uint8_t *reset, int euler,
                                  float tau_min, float tau_max, const float *h,
                                  const float *restrict gates, float *restrict delta,
                                  float *restrict d_h0, float *restrict d_dt) {
    num G = 2 * H, width = padded(H);
    float *work = malloc((size_t)(width * G + B * width + B * H + H) * sizeof(float));
    if (!work) return -1;
    float *packed = work, *back = packed + width * G, *copy = back + B * width;
    float *of_dt = copy + B * H;
    Tau bounds = {tau_min, tau_max - tau_min};
    if (U) pack(G, H, U, H, 1, packed);
    if (!U) memset(back, 0, (size_t)(B * width) * sizeof(float));
    memset(d_h0, 0, (size_t)(B * H) * sizeof(float)); /* dL/dh of the step after the last */
    for (num t = T - 1; t >= 0; t--) {
        const float *state = before(t, B, H, h0, h, reset, copy);
        for (num b = 0; b < B; b++) {
            num row = t * B + b;
            const float *up = grad + row * H, *s = state + b * H, *f = gates + row * G;
            float *carry = d_h0 + b * H, *d = delta + row * G;
            if (euler)
                adaptive_row_back(1, H, bounds, dt[row], up, s, f, f + H, carry, d, d + H, of_dt);
            else
                adaptive_row_back(0, H, bounds, dt[row], up, s, f, f + H, carry, d, d + H, of_dt);
            d_dt[row] = total(of_dt, H);
        }
        if (U) multiply(fast, B, G, H, delta + t * B * G, packed, back);
        for (num b = 0; b < B; b++) {
            float *restrict carry = d_h0 + b * H;
            float kept = reset && reset[t * B + b] ? 0.0f : 1.0f;
            for (num i = 0; i < H; i++) carry[i] = kept * (carry[i] + back[b * width + i]);
        }
    }
    free(work);
    return 0;
}

/* ---- one step for a running system --------------------------------------------------------- */

typedef struct {
    num units, inputs;
    int adaptive, euler;
    float tau_min, tau_max;
    const float *packed, *bias, *alpha; /* packed: ([x, h], G) */
    const float *joined, *dt;           /* [x, h] (B, inputs + units), (B) */
    float *scratch, *next;              /* (B, padded G) and 4 H more, (B, units) */
} Step;

INLINE int running_step_body(const int fast, const Step *s, num B) {
    num H = s->units, G = s->adaptive ? 2 * H : H, width = padded(G);
    const float *bias = s->bias;
    float *decay = s->scratch + B * width, *gain = decay + H, *f = gain + H, *tau = f + H;
    Tau bounds = {s->tau_min, s->tau_max - s->tau_min};
    float known = -1.0f;
    multiply(fast, B, s->inputs + H, G, s->joined, s->packed, s->scratch);
    for (num b = 0; b < B; b++) {
        const float *a = s->scratch + b * width;
        const float *h = s->joined + b * (s->inputs + H) + s->inputs;
        float *next = s->next + b * H, dt = s->dt[b];
        if (s->adaptive && s->euler) {
            adaptive_row(1, H, bounds, dt, bias, a, h, f, tau, next);
        } else if (s->adaptive) {
            adaptive_row(0, H, bounds, dt, bias, a, h, f, tau, next);
        } else {
            if (dt != known) coefficients(H, s->alpha, known = dt, s->euler, decay, gain);
            fixed_row(H, bias, a, h, decay, gain, f, next);
        }
    }
    return 0;
}

INLINE int pack_step_body(const int fast, num K, num N, const float *weights, float *packed) {
    pack(K, N, weights, 1, K, packed); /* weights (N, K) */
    return 0;
}

/* ---- for the tests of the elementary functions ---------------------------------------------- */

INLINE int apply_body(const int fast, int function, num n, const float *restrict x, float *restrict y) {
    if (function == 0)
        for (num i = 0; i < n; i++) y[i] = fast_exp(x[i]);
    if (function == 1)
        for (num i = 0; i < n; i++) y[i] = fast_expm1(x[i]);
    if (function == 2)
        for (num i = 0; i < n; i++) y[i] = fast_tanh(x[i]);
    if (function == 3)
        for (num i = 0; i < n; i++) y[i] = fast_sigmoid(x[i]);
    return 0;
}

/* ---- one body, two instruction sets --------------------------------------------------------- */

#if defined(__x86_64__)
#define FAST __attribute__((target("avx2,fma")))
#define HAS_FAST (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#else
#define FAST
#define HAS_FAST 0
#endif

static int plain; /* set by the tests, to reach the plain instruction set anywhere */

EXPORT void use_plain(int yes) { plain = yes; }
EXPORT int is_fast(void) { return HAS_FAST && !plain; }

#define ALL(...) __VA_ARGS__
#define PUBLIC(name, parameters, arguments)                                            \
    FAST static int name##_fast parameters { return name##_body(1, ALL arguments); }    \
    static int name##_plain parameters { return name##_body(0, ALL arguments); }        \
    EXPORT int name parameters {                                                       \
        return is_fast() ? name##_fast arguments : name##_plain arguments;             \
    }

PUBLIC(fixed_forward,
       (num T, num B, num H, const float *drive, const float *U, const float *alpha,
        const float *h0, const float *dt, const uint8_t *reset, int euler, float *h, float *phi),
       (T, B, H, drive, U, alpha, h0, dt, reset, euler, h, phi))
PUBLIC(fixed_backward,
       (num T, num B, num H, const float *grad, const float *U, const float *alpha,
        const float *h0, const float *dt, const uint8_t *reset, int euler, const float *h,
        const float *phi, float *delta, float *d_alpha, float *d_h0, float *d_dt),
       (T, B, H, grad, U, alpha, h0, dt, reset, euler, h, phi, delta, d_alpha, d_h0, d_dt))
PUBLIC(adaptive_forward,
       (num T, num B, num H, const float *drive, const float *U, const float *h0,
        const float *dt, const uint8_t *reset, int euler, float tau_min, float tau_max, float *h,
        float *gates),
       (T, B, H, drive, U, h0, dt, reset, euler, tau_min, tau_max, h, gates))
PUBLIC(adaptive_backward,
       (num T, num B, num H, const float *grad, const float *U, const float *h0, const float *dt,
        const uint8_t *reset, int euler, float tau_min, float tau_max, const float *h,
        const float *gates, float *delta, float *d_h0, float *d_dt),
       (T, B, H, grad, U, h0, dt, reset, euler, tau_min, tau_max, h, gates, delta, d_h0, d_dt))
PUBLIC(running_step, (const Step *s, num B), (s, B))
PUBLIC(pack_step, (num K, num N, const float *weights, float *packed), (K, N, weights, packed))
PUBLIC(apply, (int function, num n, const float *x, float *y), (function, n, x, y))
