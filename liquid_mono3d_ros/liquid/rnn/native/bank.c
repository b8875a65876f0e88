/* One step of a bank of Kalman filters, for N tracks of M models; float64.
 *
 * Every array is dense and row-major, as in bank.py: states (N, M, 9), covariances (N, M, 9, 9),
 * covariances with the bias (N, M, 9, 3) or NULL, logarithms of probabilities (N, M) and of the
 * experts' weights (N, E). A transition acts on position, velocity and acceleration alike along
 * each axis, so it moves blocks of three rows and three columns. Mixing needs each expert's mean
 * and covariance only: a model that keeps the part a of itself and takes b = 1 - a from the whole
 * has the covariance a P + b P_whole + a b d d', d being its offset from the whole. The same source
 * is compiled for AVX2 with FMA and for the plain instruction set; the processor is asked at run
 * time. One thread, no global state but the answer of the processor.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((visibility("default")))

typedef int64_t num;
enum { X = 9, PP = 81, CC = 27, MOST = 32 };
static const double LOG_TWO_PI = 1.8378770664093453, SMALLEST = 1e-300;

/* As Bank in native_bank.py. */
typedef struct {
    num models, experts, led;
    const num *first;
    const uint8_t *accelerates, *falls, *gated;
    const double *noise, *share, *gravity, *prior;
    double held, switch_rate, log_floor, bias_time, hedge_rate;
} Bank;

typedef struct {
    const double *x, *P, *log_mu, *C, *log_w;
} Belief;

typedef struct {
    double *x, *P, *log_mu, *C, *log_w;
} Result;

/* ---- small matrices ------------------------------------------------------------------------- */

/* By L D L', whose pivots stay positive however flat the matrix is; returns log det. */
INLINE double invert(const double *S, double *T) {
    const double least = 1e-15;
    double a = S[0], b = S[1], c = S[2], p = b / a, q = c / a;
    double d = S[4] - p * b, e = S[5] - p * c;
    d = d > least * S[4] ? d : least * S[4];
    double r = e / d, f = S[8] - q * c - r * e, u = p * r - q;
    f = f > least * S[8] ? f : least * S[8];
    double i = 1 / a, j = 1 / d, k = 1 / f;
    T[0] = i + p * p * j + u * u * k, T[1] = T[3] = -p * j - u * r * k, T[2] = T[6] = u * k;
    T[4] = j + r * r * k, T[5] = T[7] = -r * k, T[8] = k;
    return log(a * d * f);
}

INLINE double length2(const double *T, const double *y) {
    double u = T[0] * y[0] + T[1] * y[1] + T[2] * y[2];
    double v = T[3] * y[0] + T[4] * y[1] + T[5] * y[2];
    double w = T[6] * y[0] + T[7] * y[1] + T[8] * y[2];
    return u * y[0] + v * y[1] + w * y[2];
}

/* Rounding leaves two answers for each pair: the upper one stands. */
INLINE void symmetrise(double *P) {
    for (int r = 0; r < X; r++)
        for (int c = 0; c < r; c++)
            P[r * X + c] = P[c * X + r];
}

INLINE void add_outer(double *P, double w, const double *a, const double *b) {
    for (int r = 0; r < X; r++) {
        double wa = w * a[r];
        for (int c = 0; c < X; c++) P[r * X + c] += wa * b[c];
    }
}

INLINE void add_scaled(double *out, double w, const double *in, int length) {
    for (int k = 0; k < length; k++) out[k] += w * in[k];
}

/* Mean and covariance of a mixture of `count` parts. */
INLINE void gather(num count, const double *w, const double *x, const double *P, double *mean,
                   double *whole) {
    double offset[X];
    memset(mean, 0, X * sizeof *mean);
    memset(whole, 0, PP * sizeof *whole);
    for (num j = 0; j < count; j++) add_scaled(mean, w[j], x + j * X, X);
    for (num j = 0; j < count; j++) {
        for (int k = 0; k < X; k++) offset[k] = x[j * X + k] - mean[k];
        add_scaled(whole, w[j], P + j * PP, PP);
        add_outer(whole, w[j], offset, offset);
    }
}

INLINE double log_sum_exp(const double *a, num count) {
    double top = a[0], sum = 0;
    for (num j = 1; j < count; j++) top = a[j] > top ? a[j] : top;
    for (num j = 0; j < count; j++) sum += exp(a[j] - top);
    return top + log(sum);
}

/* ---- ahead in time -------------------------------------------------------------------------- */

/* Coefficients of a transition: position takes dt velocities and half accelerations, velocity
 * takes turn accelerations, and held accelerations stay. */
typedef struct {
    double dt, half, turn, stay, right[3][PP];
} Move;

INLINE void plan(Move *move, int accelerates, double dt) {
    move->dt = dt, move->half = accelerates ? dt * dt / 2 : 0.0;
    move->turn = accelerates ? dt : 0.0, move->stay = accelerates ? 1.0 : 0.0;
    for (int k = 0; k < PP; k++) {
        int block = k % X / 3;
        move->right[0][k] = block == 2 ? move->stay : 1.0;
        move->right[1][k] = block == 0 ? dt : block == 1 ? move->turn : 0.0;
        move->right[2][k] = block == 0 ? move->half : 0.0;
    }
}

INLINE void move_rows(const Move *m, const double *in, double *out, int width) {
    const double *v = in + 3 * width, *a = in + 6 * width;
    for (int k = 0; k < 3 * width; k++) {
        out[k] = in[k] + m->dt * v[k] + m->half * a[k];
        out[k + 3 * width] = v[k] + m->turn * a[k];
        out[k + 6 * width] = m->stay * a[k];
    }
}

INLINE void add_noise(double *P, int accelerates, double q, double held, double dt) {
    double t2 = dt * dt, t3 = t2 * dt, Q[3][3] = {{0}};
    if (accelerates) {
        Q[0][0] = q * t3 * t2 / 20, Q[0][1] = Q[1][0] = q * t2 * t2 / 8;
        Q[0][2] = Q[2][0] = q * t3 / 6, Q[1][1] = q * t3 / 3;
        Q[1][2] = Q[2][1] = q * t2 / 2, Q[2][2] = q * dt;
    } else {
        Q[0][0] = q * t3 / 3, Q[0][1] = Q[1][0] = q * t2 / 2, Q[1][1] = q * dt, Q[2][2] = held;
    }
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++)
            for (int i = 0; i < 3; i++) P[(3 * a + i) * X + 3 * b + i] += Q[a][b];
}

INLINE void share_weights(const Bank *bank, const double *log_w, double dt, double *out) {
    num experts = bank->experts;
    if (experts == 1) {
        out[0] = log_w[0];
        return;
    }
    double given = -expm1(-bank->hedge_rate * dt), kept = 1 - given;
    double added = given > SMALLEST ? given : SMALLEST;
    kept = kept > SMALLEST ? kept : SMALLEST;
    for (num e = 0; e < experts; e++) out[e] = log(kept * exp(log_w[e]) + added * bank->prior[e]);
}

/* What one track's step needs between its parts. */
typedef struct {
    double mixed[MOST * X], weight[MOST], A[PP + 6], P[PP], whole[PP], mean[X], bias[CC];
} Room;

INLINE void advance_track(const Bank *bank, const Move *moves, double dt, Belief in, Result out,
                          const double *log_q, Room *room, double *mean, double *whole,
                          double *cross, double *bias_before) {
    double stay = exp(-bank->switch_rate * dt), given = -expm1(-bank->switch_rate * dt);
    double fade = exp(-dt / bank->bias_time), ahead[X];
    share_weights(bank, in.log_w, dt, out.log_w);
    if (cross) memset(cross, 0, PP * sizeof *cross);
    if (bias_before) memset(bias_before, 0, CC * sizeof *bias_before);
    for (num e = 0; e < bank->experts; e++) {
        num first = bank->first[e], count = bank->first[e + 1] - first;
        double mu[MOST], w = exp(in.log_w[e]); /* not yet shared: the link needs both ends alike */
        for (num j = 0; j < count; j++) mu[j] = exp(in.log_mu[first + j]);
        if (count > 1) gather(count, mu, in.x + first * X, in.P + first * PP, room->mean, room->whole);
        if (in.C) {
            memset(room->bias, 0, sizeof room->bias);
            for (num j = 0; j < count; j++)
                add_scaled(room->bias, mu[j], in.C + (first + j) * CC, CC);
        }
        for (num j = 0; j < count; j++) {
            num m = first + j;
            double c = stay * mu[j] + given * bank->share[m];
            double a = stay * mu[j] / c, b = given * bank->share[m] / c, offset[X];
            double *x = room->mixed + m * X, *P = out.P + m * PP;
            const Move *move = moves + bank->accelerates[m];
            out.log_mu[m] = log(c);
            room->weight[m] = w * c;
            if (count > 1) {
                for (int k = 0; k < X; k++) {
                    offset[k] = in.x[m * X + k] - room->mean[k];
                    x[k] = a * in.x[m * X + k] + b * room->mean[k];
                }
                for (int k = 0; k < PP; k++)
                    room->P[k] = a * in.P[m * PP + k] + b * room->whole[k];
                add_outer(room->P, a * b, offset, offset);
                move_rows(move, room->P, room->A, X);
            } else {
                memcpy(x, in.x + m * X, X * sizeof *x);
                move_rows(move, in.P + m * PP, room->A, X);
            }
            for (int k = 0; k < PP; k++)
                P[k] = move->right[0][k] * room->A[k] + move->right[1][k] * room->A[k + 3] +
                       move->right[2][k] * room->A[k + 6];
            double scale = log_q && e == bank->led ? exp(*log_q) : 1.0;
            add_noise(P, bank->accelerates[m], scale * bank->noise[m], scale * bank->held, dt);
            symmetrise(P);
            move_rows(move, x, out.x + m * X, 1);
            if (bank->falls[m])
                for (int k = 0; k < 3; k++) {
                    out.x[m * X + k] += dt * dt / 2 * bank->gravity[k];
                    out.x[m * X + 3 + k] += dt * bank->gravity[k];
                }
            if (cross) add_scaled(cross, room->weight[m], room->A, PP);
            if (in.C) {
                double C[CC];
                for (int k = 0; k < CC; k++) C[k] = a * in.C[m * CC + k] + b * room->bias[k];
                if (bias_before) add_scaled(bias_before, room->weight[m], C, CC);
                move_rows(move, C, out.C + m * CC, 3);
                for (int k = 0; k < CC; k++) out.C[m * CC + k] *= fade;
            }
        }
    }
    gather(bank->models, room->weight, out.x, out.P, mean, whole);
    symmetrise(whole);
    if (!cross) return;
    memset(ahead, 0, sizeof ahead);
    for (num m = 0; m < bank->models; m++)
        add_scaled(ahead, room->weight[m], room->mixed + m * X, X);
    for (num m = 0; m < bank->models; m++) {
        double before[X], after[X];
        for (int k = 0; k < X; k++) {
            before[k] = room->mixed[m * X + k] - ahead[k];
            after[k] = out.x[m * X + k] - mean[k];
        }
        add_outer(cross, room->weight[m], after, before);
    }
    for (int r = 0; r < X; r++) /* after with before -> before with after */
        for (int c = 0; c < r; c++) {
            double kept = cross[r * X + c];
            cross[r * X + c] = cross[c * X + r], cross[c * X + r] = kept;
        }
}

INLINE void advance_all(const Bank *bank, num tracks, double dt, const Belief *in,
                        const Result *out, const double *log_q, double *mean, double *whole,
                        double *cross, double *bias_before) {
    Move moves[2];
    Room room;
    memset(&room, 0, sizeof room);
    num M = bank->models, E = bank->experts;
    for (int kind = 0; kind < 2; kind++) plan(moves + kind, kind, dt);
    for (num t = 0; t < tracks; t++) {
        Belief own = {in->x + t * M * X, in->P + t * M * PP, in->log_mu + t * M,
                      in->C ? in->C + t * M * CC : NULL, in->log_w + t * E};
        Result next = {out->x + t * M * X, out->P + t * M * PP, out->log_mu + t * M,
                       in->C ? out->C + t * M * CC : NULL, out->log_w + t * E};
        advance_track(bank, moves, dt, own, next, log_q ? log_q + t : NULL, &room, mean + t * X,
                      whole + t * PP, cross ? cross + t * PP : NULL,
                      bias_before ? bias_before + t * CC : NULL);
    }
}

/* ---- against a measurement ------------------------------------------------------------------ */

/* N measurements of the position: z (N, 3), R (N, 3, 3), symmetric root of the slow covariance
 * (N, 3, 3) or NULL. */
typedef struct {
    const double *z, *R, *root;
} Measured;

/* y (N, M, 3), S (N, M, 3, 3); of each expert mean (N, E, 3), whole (N, E, 3, 3), surprise (N, E)
 * and loss (N, E); of all experts together surprise (N); weights after the measurement (N, E). */
typedef struct {
    double *y, *S, *mean, *whole, *surprise, *loss, *together, *log_w;
} Compared;

INLINE void join_innovations(num count, const double *w, const double *y, const double *S,
                             double *mean, double *whole) {
    memset(mean, 0, 3 * sizeof *mean);
    memset(whole, 0, 9 * sizeof *whole);
    for (num j = 0; j < count; j++) add_scaled(mean, w[j], y + 3 * j, 3);
    for (num j = 0; j < count; j++)
        for (int r = 0; r < 3; r++)
            for (int c = 0; c < 3; c++)
                whole[3 * r + c] +=
                    w[j] * (S[9 * j + 3 * r + c] +
                            (y[3 * j + r] - mean[r]) * (y[3 * j + c] - mean[c]));
}

INLINE void product3(const double *A, const double *B, double *out, int rows) {
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < 3; c++)
            out[3 * r + c] = A[3 * r] * B[c] + A[3 * r + 1] * B[3 + c] + A[3 * r + 2] * B[6 + c];
}

INLINE void compare_track(const Bank *bank, Belief in, Measured now, const double *log_r,
                          Compared out) {
    double slow[9] = {0}, shared[9], mu[MOST], density[MOST], inverse[9], S[9];
    if (now.root) product3(now.root, now.root, slow, 3);
    for (num e = 0; e < bank->experts; e++) {
        num first = bank->first[e], count = bank->first[e + 1] - first;
        double growth = log_r && e == bank->led ? expm1(*log_r) : 0.0;
        for (num j = 0; j < count; j++) {
            num m = first + j;
            double *y = out.y + 3 * m, *own = out.S + 9 * m;
            for (int k = 0; k < 3; k++) y[k] = now.z[k] - in.x[m * X + k];
            for (int r = 0; r < 3; r++)
                for (int c = 0; c < 3; c++)
                    own[3 * r + c] = in.P[m * PP + r * X + c] + now.R[3 * r + c] + slow[3 * r + c];
            if (now.root && in.C) {
                product3(in.C + m * CC, now.root, shared, 3);
                for (int r = 0; r < 3; r++)
                    for (int c = 0; c < 3; c++) own[3 * r + c] += shared[3 * r + c] + shared[3 * c + r];
            }
            for (int k = 0; k < 9; k++) S[k] = own[k] + growth * now.R[k];
            double log_det = invert(S, inverse);
            mu[j] = exp(in.log_mu[m]);
            density[j] = in.log_mu[m] - (length2(inverse, y) + log_det) / 2;
        }
        double *mean = out.mean + 3 * e, *whole = out.whole + 9 * e;
        join_innovations(count, mu, out.y + 3 * first, out.S + 9 * first, mean, whole);
        invert(whole, inverse);
        out.surprise[e] = length2(inverse, mean);
        out.loss[e] = 1.5 * LOG_TWO_PI - log_sum_exp(density, count);
    }
    double w[MOST], mean[3], whole[9];
    for (num e = 0; e < bank->experts; e++) {
        w[e] = exp(in.log_w[e]);
        out.log_w[e] = in.log_w[e] - out.loss[e];
    }
    double total = log_sum_exp(out.log_w, bank->experts);
    for (num e = 0; e < bank->experts; e++) out.log_w[e] -= total;
    join_innovations(bank->experts, w, out.mean, out.whole, mean, whole);
    invert(whole, inverse);
    *out.together = length2(inverse, mean);
}

INLINE void compare_all(const Bank *bank, num tracks, const Belief *in, const Measured *now,
                        const double *log_r, const Compared *out) {
    num M = bank->models, E = bank->experts;
    for (num t = 0; t < tracks; t++) {
        Belief own = {in->x + t * M * X, in->P + t * M * PP, in->log_mu + t * M,
                      in->C ? in->C + t * M * CC : NULL, in->log_w + t * E};
        Measured its = {now->z + 3 * t, now->R + 9 * t, now->root ? now->root + 9 * t : NULL};
        Compared to = {out->y + 3 * M * t, out->S + 9 * M * t, out->mean + 3 * E * t,
                       out->whole + 9 * E * t, out->surprise + E * t, out->loss + E * t,
                       out->together + t, out->log_w + E * t};
        compare_track(bank, own, its, log_r ? log_r + t : NULL, to);
    }
}

INLINE double correct_model(const double *x, const double *P, const double *C, const double *y,
                            const double *S, const double *R, const double *root, double s,
                            double *x_out, double *P_out, double *C_out) {
    double inverse[9], K[CC], Kt[CC], noise[9], U[CC], T[PP], KG[CC], AC[CC], lead[CC];
    double log_det = invert(S, inverse);
    double near = length2(inverse, y) / s, slow[9] = {0}, shared[CC] = {0};
    for (int k = 0; k < 9; k++) inverse[k] /= s;
    if (root) {
        product3(root, root, slow, 3);
        if (C) product3(C, root, shared, X);
    }
    for (int r = 0; r < X; r++)
        for (int c = 0; c < 3; c++) lead[3 * r + c] = P[r * X + c] + shared[3 * r + c];
    product3(lead, inverse, K, X);
    for (int r = 0; r < X; r++) {
        x_out[r] = x[r] + K[3 * r] * y[0] + K[3 * r + 1] * y[1] + K[3 * r + 2] * y[2];
        for (int c = 0; c < 3; c++) Kt[c * X + r] = K[3 * r + c];
    }
    for (int k = 0; k < 9; k++) noise[k] = R[k] + slow[k] + (s - 1) * S[k];
    for (int r = 0; r < X; r++)
        for (int c = 0; c < X; c++)
            T[r * X + c] = P[r * X + c] - K[3 * r] * P[c] - K[3 * r + 1] * P[X + c] -
                           K[3 * r + 2] * P[2 * X + c];
    product3(K, noise, U, X);
    for (int r = 0; r < X; r++)
        for (int c = 0; c < 3; c++) U[3 * r + c] = T[r * X + c] - U[3 * r + c];
    for (int r = 0; r < X; r++)
        for (int c = 0; c < X; c++)
            P_out[r * X + c] = T[r * X + c] - U[3 * r] * Kt[c] - U[3 * r + 1] * Kt[X + c] -
                               U[3 * r + 2] * Kt[2 * X + c];
    if (C) {
        product3(K, C, AC, X);
        for (int k = 0; k < CC; k++) AC[k] = C[k] - AC[k];
        if (root) {
            product3(K, root, KG, X);
            for (int r = 0; r < X; r++)
                for (int c = 0; c < X; c++)
                    for (int k = 0; k < 3; k++)
                        P_out[r * X + c] -=
                            AC[3 * r + k] * KG[3 * c + k] + KG[3 * r + k] * AC[3 * c + k];
        }
        for (int k = 0; k < CC; k++) C_out[k] = AC[k] - (root ? KG[k] : 0.0);
    }
    symmetrise(P_out);
    return -(near + log_det + (s > 1 ? 3 * log(s) : 0.0) + 3 * LOG_TWO_PI) / 2;
}

INLINE void correct_all(const Bank *bank, num tracks, const Belief *in, const Measured *now,
                        const Compared *found, const double *distrust, const double *log_r,
                        const double *delta, const Result *out) {
    num M = bank->models, E = bank->experts;
    for (num t = 0; t < tracks; t++) {
        const double *R = now->R + 9 * t, *root = now->root ? now->root + 9 * t : NULL;
        double noise[9], S[9];
        for (num e = 0; e < E; e++) {
            num first = bank->first[e], count = bank->first[e + 1] - first;
            double *log_mu = out->log_mu + t * M + first;
            int led = log_r && e == bank->led;
            double growth = led ? expm1(log_r[t]) : 0.0;
            for (int k = 0; k < 9; k++) noise[k] = R[k] + growth * R[k];
            for (num j = 0; j < count; j++) {
                num m = t * M + first + j;
                double s = bank->gated[first + j] ? distrust[t * E + e] : 1.0;
                for (int k = 0; k < 9; k++) S[k] = found->S[9 * m + k] + growth * R[k];
                log_mu[j] = in->log_mu[m] +
                            correct_model(in->x + m * X, in->P + m * PP,
                                          in->C ? in->C + m * CC : NULL, found->y + 3 * m, S, noise,
                                          root, s, out->x + m * X, out->P + m * PP,
                                          in->C ? out->C + m * CC : NULL);
                if (led && delta) log_mu[j] += delta[t * count + j];
            }
            double total = log_sum_exp(log_mu, count);
            int lifted = 0;
            for (num j = 0; j < count; j++) {
                log_mu[j] -= total;
                if (log_mu[j] < bank->log_floor) log_mu[j] = bank->log_floor, lifted = 1;
            }
            if (!lifted) continue;
            total = log_sum_exp(log_mu, count);
            for (num j = 0; j < count; j++) log_mu[j] -= total;
        }
    }
}

/* Mean (N, E, 9) and covariance (N, E, 9, 9) of each expert, and of all together. */
INLINE void collapse_all(const Bank *bank, num tracks, const Belief *in, double *means,
                         double *wholes, double *mean, double *whole) {
    num M = bank->models, E = bank->experts;
    for (num t = 0; t < tracks; t++) {
        double mu[MOST], w[MOST];
        for (num e = 0; e < E; e++) {
            num first = bank->first[e], count = bank->first[e + 1] - first, m = t * M + first;
            for (num j = 0; j < count; j++) mu[j] = exp(in->log_mu[m + j]);
            gather(count, mu, in->x + m * X, in->P + m * PP, means + (t * E + e) * X,
                   wholes + (t * E + e) * PP);
            symmetrise(wholes + (t * E + e) * PP);
            w[e] = exp(in->log_w[t * E + e]);
        }
        if (E == 1) continue;
        gather(E, w, means + t * E * X, wholes + t * E * PP, mean + t * X, whole + t * PP);
        symmetrise(whole + t * PP);
    }
}

/* ---- what is called ------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define FAST __attribute__((target("avx2,fma")))
#else
#define FAST
#endif

static int plain = -1;

static int fast(void) {
    if (plain < 0) {
#if defined(__x86_64__)
        __builtin_cpu_init();
        plain = !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
#else
        plain = 1;
#endif
    }
    return !plain;
}

#define TWICE(name, parameters, arguments)                              \
    FAST static void name##_fast parameters { name##_all arguments; }   \
    static void name##_plain parameters { name##_all arguments; }       \
    EXPORT void bank_##name parameters {                                \
        if (fast())                                                     \
            name##_fast arguments;                                      \
        else                                                            \
            name##_plain arguments;                                     \
    }

TWICE(advance,
      (const Bank *bank, num tracks, double dt, const Belief *in, const Result *out,
       const double *log_q, double *mean, double *whole, double *cross, double *bias_before),
      (bank, tracks, dt, in, out, log_q, mean, whole, cross, bias_before))
TWICE(compare,
      (const Bank *bank, num tracks, const Belief *in, const Measured *now, const double *log_r,
       const Compared *out),
      (bank, tracks, in, now, log_r, out))
TWICE(correct,
      (const Bank *bank, num tracks, const Belief *in, const Measured *now, const Compared *found,
       const double *distrust, const double *log_r, const double *delta, const Result *out),
      (bank, tracks, in, now, found, distrust, log_r, delta, out))
TWICE(collapse,
      (const Bank *bank, num tracks, const Belief *in, double *means, double *wholes, double *mean,
       double *whole),
      (bank, tracks, in, means, wholes, mean, whole))

/* For tests: whether to leave the fast instructions unused. */
EXPORT void use_plain(int yes) { plain = yes ? 1 : -1; }
EXPORT int is_fast(void) { return fast(); }
