/* The hot loops of assay/kernels/, compiled: the same functions on the same inputs, without temporaries.
 * Arrays come in through the buffer protocol, C-contiguous; results are written into arrays that the caller made.
 * Sums are float64 in blocks, counts int64. The interpreter's lock is released while a loop runs. */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Clones by processor need GCC 12 (x86-64-v3, -v4) and a C library that resolves them when it loads. */
#if defined(__GNUC__) && __GNUC__ >= 12 && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__)
#define FAST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FAST
#endif

#ifdef __clang__ /* numbers picked of two vectors of four */
#define PICK(M, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define PICK(M, a, b, ...) __builtin_shuffle(a, b, (M __attribute__((vector_size(4 * sizeof(M))))){__VA_ARGS__})
#endif
#define LANES 32
#define STRIP 256
#define AHEAD 16384 /* bytes that are fetched before they are read, where reading is all the work */
#define TOGETHER 8
#define TILE 64
#define BITE 16384 /* rows that are read a few times, and stay in cache */
#define FEW_CLASSES 64
#define PART(n, start, most) ((n) - (start) < (most) ? (n) - (start) : (most))
/* Strips of rows, from `start` on, of `size`, while what is known holds. */
#define STRIPS(known, n)                                                                                               \
    for (int64_t start = 0, size; size = PART(n, start, STRIP), (known) && start < (n); start += STRIP)

/* ---- arguments ------------------------------------------------------------------------------------------------ */

/* A view of an argument; an absent one (None) has data NULL. */
typedef struct {
    Py_buffer view;
    void *data;
    int64_t n; /* of items */
    char type; /* B H I (unsigned codes), i q (int32, int64), f, d; any other is left to NumPy */
} Arg;

static int take(PyObject *object, Arg *arg, int writable) {
    memset(arg, 0, sizeof(Arg));
    if (object == Py_None) return 0;
    if (PyObject_GetBuffer(object, &arg->view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0)))
        return -1;
    const char *format = arg->view.format ? arg->view.format : "B";
    int64_t wide = arg->view.itemsize;
    arg->data = arg->view.buf;
    arg->n = wide ? arg->view.len / wide : 0;
    arg->type = format[0];
    if (arg->type == '?') arg->type = 'B';
    if (arg->type == 'l') arg->type = wide == 8 ? 'q' : 'i';
    if (arg->type == 'L') arg->type = wide == 4 ? 'I' : 0;
    if (!wide || (uintptr_t)arg->data % wide) arg->type = 0; /* not aligned */
    return 0;
}

static void give(Arg *args, int count) { while (count--) PyBuffer_Release(&args[count].view); }

/* All arguments of a call: `count` arrays, of which the first `reads` are only read, then a number if one is asked. */
static int take_all(PyObject *const *objects, Py_ssize_t given, Arg *args, int count, int reads, int64_t *number) {
    if (given != count + (number != NULL)) {
        PyErr_Format(PyExc_TypeError, "%d arguments expected, not %zd", count + (number != NULL), given);
        return -1;
    }
    if (number && (*number = PyLong_AsLongLong(objects[count])) == -1 && PyErr_Occurred()) return -1;
    for (int i = 0; i < count; i++)
        if (take(objects[i], &args[i], i >= reads)) {
            give(args, i);
            return -1;
        }
    return 0;
}

/* Whether an argument is absent or has one item a row: a kernel leaves inputs that disagree to NumPy, which says so. */
static int fits(const Arg *arg, int64_t n) { return !arg->data || arg->n == n; }

#define HIGHEST(T)                                                                                                     \
    FAST static uint64_t highest_##T(const T *x, int64_t n) {                                                          \
        T most = 0;                                                                                                    \
        for (int64_t i = 0; i < n; i++) most = x[i] > most ? x[i] : most;                                              \
        return most;                                                                                                   \
    }

HIGHEST(uint8_t) HIGHEST(uint16_t) HIGHEST(uint32_t) HIGHEST(uint64_t)

/* Whether codes, if there are any, all lie in 0..k-1; those that do not have no place in a table. */
static int within(const Arg *codes, int64_t k) {
    if (!codes->n) return 1;
    switch (k > 0 ? codes->type : 0) {
        case 'B': return highest_uint8_t(codes->data, codes->n) < (uint64_t)k;
        case 'H': return highest_uint16_t(codes->data, codes->n) < (uint64_t)k;
        case 'I': return highest_uint32_t(codes->data, codes->n) < (uint64_t)k;
        case 'q': return highest_uint64_t(codes->data, codes->n) < (uint64_t)k; /* a negative one is a high one */
        default: return 0;
    }
}

static PyObject *done(Arg *args, int count, int known) { return give(args, count), PyBool_FromLong(known); }

/* ---- pairs of codes -------------------------------------------------------------------------------------------- */

/* Neighbouring rows count into different tables: a cell that dominates would otherwise wait for its own last store. */
#define COUNT_PAIRS(T)                                                                                                 \
    static void count_##T(const T *a, const T *b, int64_t n, int64_t k, int64_t *table, int64_t *four) {               \
        int64_t size = k * k, i = 0;                                                                                   \
        if (four) {                                                                                                    \
            for (; i + 4 <= n; i += 4)                                                                                 \
                for (int j = 0; j < 4; j++) four[j * size + a[i + j] * k + b[i + j]]++;                                \
            for (int j = 0; j < 4; j++)                                                                                \
                for (int64_t c = 0; c < size; c++) table[c] += four[j * size + c];                                     \
        }                                                                                                              \
        for (; i < n; i++) table[a[i] * k + b[i]]++;                                                                   \
    }                                                                                                                  \
    static void count_cells_##T(const T *a, const T *b, const int64_t *cell, int64_t n, int64_t k, int64_t *table) {   \
        for (int64_t i = 0; i < n; i++) table[(cell[i] * k + a[i]) * k + b[i]]++;                                      \
    }                                                                                                                  \
    static void weigh_##T(const T *a, const T *b, const int64_t *cell, const double *w, int64_t n, int64_t k,          \
                          double *table) {                                                                             \
        for (int64_t i = 0; i < n; i++) table[((cell ? cell[i] * k : 0) + a[i]) * k + b[i]] += w[i];                   \
    }
COUNT_PAIRS(uint8_t) COUNT_PAIRS(uint16_t) COUNT_PAIRS(uint32_t) COUNT_PAIRS(int64_t)

/* Of few classes a byte holds a pair, and two rows are counted as one, in k^4 cells; in several tables, as above. */
#define NARROW 16
#define TURNS(k) ((k) <= 6 ? 4 : (k) <= 10 ? 2 : 1)

FAST static int pair_up(const uint8_t *a, const uint8_t *b, int64_t n, int64_t k, uint16_t *at) {
    uint16_t rows, said, both, by = (uint16_t)k, square = (uint16_t)(k * k);
    uint8_t most = 0;
    for (int64_t i = 0; i < n; i++) most = a[i] > most ? a[i] : most, most = b[i] > most ? b[i] : most;
    for (int64_t i = 0; i < n / 2; i++)
        memcpy(&rows, a + 2 * i, 2), memcpy(&said, b + 2 * i, 2), both = (uint16_t)(rows * by + said),
            at[i] = (uint16_t)((both & 0xff) + (both >> 8) * square);
    return most < k;
}
static int count_bytes(const uint8_t *a, const uint8_t *b, int64_t n, int64_t k, int64_t *table, uint32_t *two) {
    int64_t cells = k * k * k * k;
    uint32_t *turn[4];
    uint16_t at[STRIP / 2];
    for (int j = 0; j < 4; j++) turn[j] = two + j % TURNS(k) * cells;
    STRIPS(1, n) {
        int64_t i = 0;
        if (!pair_up(a + start, b + start, size, k, at)) return 0;
        for (; i + 4 <= size / 2; i += 4)
            for (int j = 0; j < 4; j++) turn[j][at[i + j]]++;
        for (; i < size / 2; i++) two[at[i]]++;
    }
    if (n % 2) table[a[n - 1] * k + b[n - 1]]++;
    return 1;
}
static void add_bytes(const uint32_t *two, int64_t k, int64_t *table) {
    for (int64_t first = 0, square = k * k; first < TURNS(k) * square; first++, two += square)
        for (int64_t c = 0; c < square; c++) table[first % square] += two[c], table[c] += two[c];
}
#define PAIRS_OF(T)                                                                                                    \
    if (w) weigh_##T(a, b, cell, w, n, k, (double *)table);                                                            \
    else if (cell) count_cells_##T(a, b, cell, n, k, table);                                                           \
    else count_##T(a, b, n, k, table, four);

/* count_pairs(first, second, cell, weight, table, k) */
static PyObject *count_pairs(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[5];
    int64_t k;
    if (take_all(args, nargs, x, 5, 4, &k)) return NULL;
    const void *a = x[0].data, *b = x[1].data;
    const int64_t *cell = x[2].data;
    const double *w = x[3].data;
    int64_t *table = x[4].data, n = x[0].n;
    char type = x[0].type == x[1].type && fits(&x[1], n) && fits(&x[2], n) && fits(&x[3], n) ? x[0].type : 0;
    if ((cell && x[2].type != 'q') || (w && x[3].type != 'd')) type = 0;
    int plain = !w && !cell && k <= 64, narrow = plain && k <= NARROW && type == 'B' && n > 1 << 16 && n < UINT32_MAX;
    int64_t *four = plain && n > 1024 && !narrow ? calloc(4 * k * k, sizeof(int64_t)) : NULL;
    uint32_t *two = narrow ? calloc(TURNS(k) * k * k * k * k, sizeof(uint32_t)) : NULL;
    Py_BEGIN_ALLOW_THREADS
    if (two && !count_bytes(a, b, n, k, table, two)) type = 0;
    else if (two) add_bytes(two, k, table);
    else if (!within(&x[0], k) || !within(&x[1], k) || !within(&x[2], k > 0 ? x[4].n / k / k : 0)) type = 0;
    else switch (type) {
        case 'B': PAIRS_OF(uint8_t) break;
        case 'H': PAIRS_OF(uint16_t) break;
        case 'I': PAIRS_OF(uint32_t) break;
        case 'q': PAIRS_OF(int64_t) break;
        default: type = 0;
    }
    Py_END_ALLOW_THREADS
    free(four), free(two);
    return done(x, 5, type != 0);
}

/* The code that a table gives each number from `low` on; false where a number is outside, or its code is `none`. */
#define LOOK_UP(T, U, C)                                                                                               \
    FAST static int64_t look_##T##_##C(const T *restrict x, int64_t n, int64_t low, const C *restrict table,           \
                                       int64_t size, C none, C *restrict code) {                                       \
        int64_t wrong = 0, same = 0;                                                                                   \
        while (same < size && (int64_t)table[same] == same) same++;                                                    \
        for (int64_t start = 0; start < n; start += STRIP, x += STRIP, code += STRIP) {                                \
            int64_t count = PART(n, start, STRIP);                                                                     \
            C place[STRIP];                                                                                            \
            for (size_t i = 0; i < STRIP * sizeof(T); i += 64) __builtin_prefetch((const char *)x + AHEAD + i, 0, 2);  \
            for (int64_t i = 0; i < count; i++) {                                                                      \
                U at = (U)((U)x[i] - (U)low);                                                                          \
                wrong |= at >= (U)size;                                                                                \
                code[i] = place[i] = (C)at;                                                                            \
            }                                                                                                          \
            if (same == size && (int64_t)none >= size) continue; /* codes already, but for where they begin */         \
            for (int64_t i = 0; i < count; i++) code[i] = table[place[i] < size ? place[i] : 0];                       \
            for (int64_t i = 0; i < count; i++) wrong |= code[i] == none;                                              \
        }                                                                                                              \
        return !wrong;                                                                                                 \
    }
LOOK_UP(uint8_t, uint8_t, uint8_t) LOOK_UP(int32_t, uint32_t, uint8_t) LOOK_UP(int64_t, uint64_t, uint8_t)
LOOK_UP(int32_t, uint32_t, uint16_t) LOOK_UP(int64_t, uint64_t, uint16_t)

/* As look_up, of n numbers from `start` on; -1 for other types. */
#define LOOK(TYPE, T, C)                                                                                               \
    if (x->type == TYPE)                                                                                               \
        return look_##T##_##C((T *)x->data + start, n, low, table->data, size, ((C *)table->data)[size], code);
static int64_t codes_of(const Arg *x, int64_t start, int64_t n, int64_t low, const Arg *table, void *code) {
    int64_t size = table->n - 1;
    if (size >= 0 && table->type == 'B') {
        LOOK('B', uint8_t, uint8_t) LOOK('i', int32_t, uint8_t) LOOK('q', int64_t, uint8_t)
    } else if (size >= 0 && table->type == 'H') {
        LOOK('i', int32_t, uint16_t) LOOK('q', int64_t, uint16_t)
    }
    return -1;
}

/* look_up(values, table, codes, low): the last entry of the table is the code of what it does not hold */
static PyObject *look_up(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[3];
    int64_t low, found = -1;
    if (take_all(args, nargs, x, 3, 2, &low)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    if (x[2].type == x[1].type && x[2].n == x[0].n) found = codes_of(&x[0], 0, x[0].n, low, &x[1], x[2].data);
    Py_END_ALLOW_THREADS
    give(x, 3);
    return PyLong_FromLongLong(found);
}

/* pair_values(first, second, codes of the first, of the second, table (k, k), low): as look_up of both and count_pairs,
 * so many rows at a time that no code leaves the cache; 0 where a number has no code, -1 for NumPy */
static PyObject *pair_values(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[5];
    int64_t low, k = 1;
    if (take_all(args, nargs, x, 5, 4, &low)) return NULL;
    while (k * k < x[4].n && k <= NARROW) k++;
    int64_t n = x[0].n;
    int known = k * k == x[4].n && k <= NARROW && x[1].n == n && n < UINT32_MAX && x[2].type == 'B';
    known = known && x[3].type == 'B' && x[4].type == 'q';
    uint8_t code[2][BITE];
    uint32_t *two = known ? calloc(TURNS(k) * k * k * k * k, sizeof(uint32_t)) : NULL;
    int64_t found = two ? 1 : -1;
    Py_BEGIN_ALLOW_THREADS
    for (int64_t start = 0; found > 0 && start < n; start += BITE) {
        int64_t size = PART(n, start, BITE);
        for (int j = 0; found > 0 && j < 2; j++) found = codes_of(&x[j], start, size, low, &x[2 + j], code[j]);
        if (found > 0 && !count_bytes(code[0], code[1], size, k, x[4].data, two)) found = -1;
    }
    if (found > 0) add_bytes(two, k, x[4].data);
    Py_END_ALLOW_THREADS
    free(two), give(x, 5);
    return PyLong_FromLongLong(found);
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

/* Sums of the deviations from `centre` and of their squares. */
FAST static void spread(const double *x, int64_t n, double centre, double *first, double *second) {
    double one[LANES] = {0}, two[LANES] = {0}, d;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) d = x[i + j] - centre, one[j] += d, two[j] += d * d;
    for (; i < n; i++) d = x[i] - centre, one[0] += d, two[0] += d * d;
    for (int j = 1; j < LANES; j++) one[0] += one[j], two[0] += two[j];
    *first = one[0], *second = two[0];
}

/* Number of rows, and the sums of their deviations from a centre and of the squares: the mean need not be a number that
 * a double holds. The centre follows a mean that is a 64th of a standard deviation away (see Chan et al., 1983). */
typedef struct {
    double rows, centre, first, second;
} Run;
static int join(Run *run, const double *x, int64_t n) {
    double first, second;
    if (!run->rows) run->centre = x[0];
    spread(x, n, run->centre, &first, &second);
    run->rows += n, run->first += first, run->second += second;
    if (4096 * run->first * run->first > run->rows * run->second) {
        double to = run->centre + run->first / run->rows, by = to - run->centre;
        run->second += by * (by * run->rows - 2 * run->first);
        run->first -= by * run->rows, run->centre = to;
    }
    return isfinite(run->second);
}
static double mean_of(const Run *run) { return run->centre + run->first / run->rows; }
static double m2_of(const Run *run) { return fmax(run->second - run->first * run->first / run->rows, 0); }

#define COLUMNS 6
/* What metrics of error are means of: the part of the error above 0 and below, its square and size, the truth, and the
 * size as a share of the truth (0 where that is 0, which is counted). */
#define SUM_ERRORS(T)                                                                                                  \
    FAST static int64_t errors_##T(const T *y, const T *f, int64_t n, double (*column)[STRIP]) {                       \
        int64_t zeros = 0;                                                                                             \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            double truth = y[i], e = truth - (double)f[i], size = fabs(e);                                             \
            column[0][i] = e > 0 ? e : 0, column[1][i] = e < 0 ? -e : 0;                                               \
            column[2][i] = e * e, column[3][i] = size, column[4][i] = truth;                                           \
        }                                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            double of = fabs(column[4][i]);                                                                            \
            zeros += of == 0, column[5][i] = (of == 0 ? 0 : column[3][i]) / (of == 0 ? 1 : of);                        \
        }                                                                                                              \
        return zeros;                                                                                                  \
    }
SUM_ERRORS(float) SUM_ERRORS(double)
#define ERRORS_OF(T) zeros += errors_##T((T *)x[0].data + start, (T *)x[1].data + start, size, column);

/* sum_errors(truth, value, found (2, 6), zeros (1,)): False where a sum is not finite */
static PyObject *sum_errors(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[4];
    if (take_all(args, nargs, x, 4, 2, NULL)) return NULL;
    int64_t n = x[0].n;
    int known = x[0].type == x[1].type && (x[0].type == 'f' || x[0].type == 'd') && x[1].n == n;
    known = known && x[2].n == 2 * COLUMNS && x[2].type == 'd' && x[3].n == 1 && x[3].type == 'q';
    double column[COLUMNS][STRIP], *found = x[2].data;
    int64_t zeros = 0;
    Run run[COLUMNS] = {{0, 0, 0, 0}};
    Py_BEGIN_ALLOW_THREADS
    STRIPS(known, n) {
        if (x[0].type == 'f') ERRORS_OF(float)
        else ERRORS_OF(double)
        for (int j = 0; known && j < COLUMNS; j++) known = join(&run[j], column[j], size);
    }
    Py_END_ALLOW_THREADS
    for (int j = 0; known && j < COLUMNS; j++) found[j] = mean_of(&run[j]), found[COLUMNS + j] = m2_of(&run[j]);
    if (known) *(int64_t *)x[3].data = zeros;
    return done(x, 4, known);
}

/* Which numbers lie from `low` to `high`, or are none; how many lie below. */
FAST static int64_t mark(const double *v, int64_t n, double low, double high, uint8_t *inside) {
    int64_t below = 0;
    for (int64_t i = 0; i < n; i++) below += v[i] < low, inside[i] = !((v[i] < low) | (v[i] > high));
    return below;
}

/* keep_between(values, ends (2,), kept): those are put at the start of `kept`; how many they are, and how many below */
static PyObject *keep_between(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[3];
    if (take_all(args, nargs, x, 3, 2, NULL)) return NULL;
    const double *v = x[0].data, *ends = x[1].data;
    double *kept = x[2].data;
    long long n = x[0].n, m = 0, below = 0;
    int known = x[0].type == 'd' && x[1].type == 'd' && x[1].n == 2 && x[2].type == 'd' && x[2].n == n;
    uint8_t inside[STRIP];
    Py_BEGIN_ALLOW_THREADS
    STRIPS(known, n) {
        below += mark(v + start, size, ends[0], ends[1], inside);
        for (int64_t i = 0; i < size; i++) kept[m] = v[start + i], m += inside[i];
    }
    Py_END_ALLOW_THREADS
    give(x, 3);
    return known ? Py_BuildValue("LL", m, below) : Py_NewRef(Py_None);
}

/* ---- order ------------------------------------------------------------------------------------------------------ */

/* Sorting of bits that sort as the numbers do: by value alone, so that no row has to be carried along. A long list is
 * parted by its leading bits into lists that stay in cache; a short one is sorted by its 22 leading bits (of the
 * difference to the least number) in two passes, after which only runs that agree in all of them are out of order. */
#define DIGIT 11
#define DIGITS (1 << DIGIT)
#define IN_CACHE (1 << 17)
#define BY_HAND 24

#define SORT(T)                                                                                                        \
    static void by_hand_##T(T *x, int64_t n) {                                                                         \
        for (int64_t i = 1; i < n; i++) {                                                                              \
            T v = x[i];                                                                                                \
            int64_t j = i;                                                                                             \
            for (; j && x[j - 1] > v; j--) x[j] = x[j - 1];                                                            \
            x[j] = v;                                                                                                  \
        }                                                                                                              \
    }                                                                                                                  \
    static void by_digits_##T(T *x, T *spare, int64_t n, T low, int shift) {                                           \
        uint32_t first[DIGITS] = {0}, second[DIGITS] = {0}, a = 0, b = 0, was;                                         \
        T v;                                                                                                           \
        for (int64_t i = 0; i < n; i++)                                                                                \
            v = (T)(x[i] - low) >> shift, first[v & (DIGITS - 1)]++, second[v >> DIGIT]++;                             \
        for (int j = 0; j < DIGITS; j++)                                                                               \
            was = first[j], first[j] = a, a += was, was = second[j], second[j] = b, b += was;                          \
        for (int64_t i = 0; i < n; i++) spare[first[(T)(x[i] - low) >> shift & (DIGITS - 1)]++] = x[i];                \
        for (int64_t i = 0; i < n; i++) x[second[(T)(spare[i] - low) >> shift >> DIGIT]++] = spare[i];                 \
    }                                                                                                                  \
    static void sort_##T(T *x, T *spare, int64_t n) {                                                                  \
        T low = n ? x[0] : 0, high = low;                                                                              \
        for (int64_t i = 0; i < n; i++) low = x[i] < low ? x[i] : low, high = x[i] > high ? x[i] : high;               \
        int bits = 0, shift;                                                                                           \
        while (bits < (int)(8 * sizeof(T)) && (T)(high - low) >> bits) bits++;                                         \
        if (!bits) return;                                                                                             \
        if (n <= BY_HAND) {                                                                                            \
            by_hand_##T(x, n);                                                                                         \
        } else if (n <= IN_CACHE) {                                                                                    \
            shift = bits > 2 * DIGIT ? bits - 2 * DIGIT : 0;                                                           \
            by_digits_##T(x, spare, n, low, shift);                                                                    \
            for (int64_t i = 0, end; shift && i < n; i = end) {                                                        \
                T lead = (T)(x[i] - low) >> shift;                                                                     \
                for (end = i + 1; end < n && (T)(x[end] - low) >> shift == lead;) end++;                               \
                if (end - i > 1) sort_##T(x + i, spare, end - i);                                                      \
            }                                                                                                          \
        } else {                                                                                                       \
            int64_t place[DIGITS + 1] = {0}, ends[DIGITS];                                                             \
            int lead = 5; /* so many that the lists are not too short for their tables */                              \
            while (lead < DIGIT && n >> (lead + 13)) lead++;                                                           \
            shift = bits > lead ? bits - lead : 0;                                                                     \
            for (int64_t i = 0; i < n; i++) place[((T)(x[i] - low) >> shift) + 1]++;                                   \
            for (int j = 0; j < DIGITS; j++) place[j + 1] += place[j], ends[j] = place[j + 1];                         \
            for (int64_t i = 0; i < n; i++) spare[place[(T)(x[i] - low) >> shift]++] = x[i];                           \
            for (int64_t j = 0, start = 0; j < DIGITS; start = ends[j++]) { /* in cache, and home again */             \
                if (ends[j] - start > 1) sort_##T(spare + start, x + start, ends[j] - start);                          \
                memcpy(x + start, spare + start, (ends[j] - start) * sizeof(T));                                       \
            }                                                                                                          \
        }                                                                                                              \
    }
SORT(uint32_t) SORT(uint64_t)

/* Positive and negative rows with keys in low..low+span, sorted, and merged from the highest positive row down. Where
 * positive rows are few the negative ones are not sorted: most lie in cells of leading bits without a positive row. */
#define FEW (1 << 17)
#define MOST_CELLS (1 << 18)

#define RANK(T, INFINITE)                                                                                              \
    /* Bits that sort as the numbers do, zeros of both signs alike; false where one is no number. */                   \
    FAST static int keys_##T(const T *restrict x, int64_t n, T *restrict key) {                                        \
        const T sign = (T)1 << (8 * sizeof(T) - 1);                                                                    \
        T wrong = 0;                                                                                                   \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            T v = x[i] & (T)(0 - (T)(x[i] != sign));                                                                   \
            wrong |= (T)(v & ~sign) > INFINITE;                                                                        \
            key[i] = v ^ ((T)(0 - (v >> (8 * sizeof(T) - 1))) | sign);                                                 \
        }                                                                                                              \
        return !wrong;                                                                                                 \
    }                                                                                                                  \
    FAST static void size_##T(const T *key, const uint8_t *y, int64_t n, T low, T span, int64_t *p, int64_t *all) {    \
        T positive = 0, there = 0, in;                                                                                 \
        for (int64_t i = 0; i < n; i++)                                                                                \
            in = (T)(key[i] - low) <= span, there += in, positive += in & (y[i] != 0);                                 \
        *p += positive, *all += there;                                                                                 \
    }                                                                                                                  \
    FAST static void split_##T(const T *x, const uint8_t *y, int64_t n, T low, T span, T *above, T *below) {           \
        T key[STRIP];                                                                                                  \
        uint8_t up[STRIP], down[STRIP];                                                                                \
        STRIPS(1, n) {                                                                                                 \
            keys_##T(x + start, size, key);                                                                            \
            for (int64_t i = 0; i < size; i++) up[i] = (T)(key[i] - low) <= span, down[i] = up[i] & !y[start + i];     \
            for (int64_t i = 0; i < size; i++) up[i] &= y[start + i] != 0;                                             \
            for (int64_t i = 0; below && i < size; i++) *below = key[i], below += down[i];                             \
            for (int64_t i = 0; i < size; i++) *above = key[i], above += up[i];                                        \
        }                                                                                                              \
    }                                                                                                                  \
    static T value_##T(T key) { return key >> (8 * sizeof(T) - 1) ? key ^ (T)1 << (8 * sizeof(T) - 1) : ~key; }        \
    static int64_t merge_##T(const T *pos, int64_t p, const T *neg, int64_t q, T *score, int64_t *tp, int64_t *fp,     \
                             int64_t *above, const int64_t *from) {                                                    \
        int64_t m = 0, i = q - 1, j = p - 1;                                                                           \
        while (i >= 0 && j >= 0) {                                                                                     \
            int64_t more = neg[i] > pos[j];                                                                            \
            above[p - 1 - j] = q - 1 - i;                                                                              \
            i -= more, j -= 1 - more;                                                                                  \
        }                                                                                                              \
        for (; j >= 0; j--) above[p - 1 - j] = q;                                                                      \
        for (int64_t r = 0, end; r < p; r = end) {                                                                     \
            T v = pos[p - 1 - r];                                                                                      \
            int64_t before = above[r], upto = before;                                                                  \
            for (end = r + 1; end < p && pos[p - 1 - end] == v;) end++;                                                \
            while (upto < q && neg[q - 1 - upto] == v) upto++;                                                         \
            score[m] = value_##T(v), tp[m] = from[0] + end, fp[m] = from[1] + upto, above[m++] = from[1] + before;     \
        }                                                                                                              \
        return m;                                                                                                      \
    }                                                                                                                  \
    /* The first of the distinct keys that is not below v. */                                                          \
    static int64_t first_##T(const T *key, int64_t low, int64_t high, T v) {                                           \
        while (low < high) {                                                                                           \
            int64_t middle = (low + high) / 2, below = key[middle] < v;                                                \
            low = below ? middle + 1 : low, high = below ? high : middle;                                              \
        }                                                                                                              \
        return low;                                                                                                    \
    }                                                                                                                  \
    /* As merge, of all rows, unsorted: `pos` sorted, `spare` room for all. */                                         \
    static int64_t place_##T(const T *x, int64_t n, T *pos, int64_t p, T low, T span, uint32_t *from_cell, T *spare,   \
                             T *score, int64_t *tp, int64_t *fp, int64_t *above, const int64_t *from) {                \
        T key[STRIP], least = pos[0], range = pos[p - 1] - least;                                                      \
        int64_t m = 0, cells = 1024, waiting = 0;                                                                      \
        int shift = 0;                                                                                                 \
        while (cells < 16 * p && cells < MOST_CELLS) cells *= 2;                                                       \
        while (range >> shift >= (T)cells) shift++;                                                                    \
        uint32_t *count = from_cell + cells + 2;                                                                       \
        uint8_t *some = (uint8_t *)(count + cells + 2);                                                                \
        memset(from_cell, 0, (cells + 2) * (2 * sizeof(uint32_t) + 1));                                                \
        memset(fp, 0, p * sizeof(int64_t)), memset(above, 0, p * sizeof(int64_t));                                     \
        for (int64_t i = 0; i < p; i++) {                                                                              \
            if (i && pos[i] == pos[m - 1]) { tp[m - 1]++; continue; }                                                  \
            int64_t c = 1 + (int64_t)((T)(pos[i] - least) >> shift);                                                   \
            some[c] = 1, from_cell[c + 1]++, tp[m] = 1, pos[m++] = pos[i];                                             \
        }                                                                                                              \
        for (int64_t c = 0; c <= cells; c++) from_cell[c + 1] += from_cell[c];                                         \
        STRIPS(1, n) {                                                                                                 \
            uint32_t cell[STRIP];                                                                                      \
            keys_##T(x + start, size, key);                                                                            \
            for (int64_t i = 0; i < size; i++) {                                                                       \
                uint32_t at = 1 + (uint32_t)((T)(key[i] - least) >> shift);                                            \
                at = (T)(key[i] - least) > range ? (uint32_t)cells + 1 : at;                                           \
                at = key[i] < least ? 0 : at;                                                                          \
                cell[i] = (T)(key[i] - low) <= span ? at : 0;                                                          \
            }                                                                                                          \
            for (int64_t i = 0; i < size; i++)                                                                         \
                count[cell[i]]++, spare[waiting] = key[i], waiting += some[cell[i]];                                   \
        }                                                                                                              \
        for (int64_t c = 1; c <= cells + 1; c++)                                                                       \
            if (!some[c] && from_cell[c]) above[m - from_cell[c]] += count[c];                                         \
        for (int64_t i = 0; i < waiting; i++) {                                                                        \
            T v = spare[i];                                                                                            \
            int64_t c = 1 + (int64_t)((T)(v - least) >> shift), j = first_##T(pos, from_cell[c], from_cell[c + 1], v); \
            if (j < m && pos[j] == v) fp[m - 1 - j]++;                                                                 \
            else if (j) above[m - j]++;                                                                                \
        }                                                                                                              \
        int64_t found = from[0], passed = from[1];                                                                     \
        for (int64_t j = 0, was; j < m / 2; j++) was = tp[j], tp[j] = tp[m - 1 - j], tp[m - 1 - j] = was;              \
        for (int64_t r = 0; r < m; r++) {                                                                              \
            int64_t tied = fp[r] - tp[r]; /* the positive rows were counted too */                                     \
            above[r] = passed += above[r], fp[r] = passed += tied, tp[r] = found += tp[r];                             \
            score[r] = value_##T(pos[m - 1 - r]);                                                                      \
        }                                                                                                              \
        return m;                                                                                                      \
    }                                                                                                                  \
    static int64_t rank_##T(const T *x, const uint8_t *y, int64_t n, const T *bounds, int64_t cuts, int64_t part,      \
                            const int64_t *from, int64_t room, T *score, int64_t *tp, int64_t *fp, int64_t *above,     \
                            T *pos, int64_t spaces) {                                                                  \
        T low = 0, high = ~(T)0, key[STRIP];                                                                           \
        if (part > 0) keys_##T(bounds + part - 1, 1, &low);                                                            \
        if (part < cuts) keys_##T(bounds + part, 1, &high), high--;                                                    \
        if (high < low) return -1;                                                                                     \
        int64_t p = 0, all = 0, m = -1;                                                                                \
        STRIPS(1, n) {                                                                                                 \
            if (!keys_##T(x + start, size, key)) return -1;                                                            \
            size_##T(key, y + start, size, low, high - low, &p, &all);                                                 \
        }                                                                                                              \
        if (p != room || all > UINT32_MAX || spaces < 2 * all + 2) return -1;                                          \
        if (!p) return 0;                                                                                              \
        T *spare = pos + p + 1, *neg = p <= FEW && all / 8 > p ? NULL : spare + all;                                   \
        uint32_t *cells = neg ? NULL : malloc((MOST_CELLS + 2) * (2 * sizeof(uint32_t) + 1));                          \
        if (!neg && !cells) return -1;                                                                                 \
        split_##T(x, y, n, low, high - low, pos, neg);                                                                 \
        sort_##T(pos, spare, p);                                                                                       \
        if (neg) sort_##T(neg, spare, all - p);                                                                        \
        if (neg) m = merge_##T(pos, p, neg, all - p, score, tp, fp, above, from);                                      \
        else m = place_##T(x, n, pos, p, low, high - low, cells, spare, score, tp, fp, above, from);                   \
        free(cells);                                                                                                   \
        return m;                                                                                                      \
    }
RANK(uint32_t, 0x7f800000u) RANK(uint64_t, 0x7ff0000000000000ull)
#define RANK_OF(T)                                                                                                     \
    rank_##T(x[0].data, x[1].data, n, x[2].data, x[2].n, part, x[3].data, room, x[4].data, x[5].data, x[6].data,       \
             x[7].data, x[8].data, x[8].n);

/* rank_scores(score, positive, cuts, from (2,), found, tp, fp, fp_above, spare, part): thresholds, -1 for NumPy */
static PyObject *rank_scores(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[9];
    int64_t part, m = -1;
    if (take_all(args, nargs, x, 9, 4, &part)) return NULL;
    int64_t n = x[0].n, room = x[4].n;
    int known = x[1].type == 'B' && x[1].n == n && x[2].type == x[0].type && x[3].type == 'q' && x[3].n == 2;
    known = known && part >= 0 && part <= x[2].n && x[4].type == x[0].type && x[8].type == x[0].type;
    for (int i = 5; i < 8; i++) known = known && x[i].type == 'q' && x[i].n == room;
    Py_BEGIN_ALLOW_THREADS
    if (known && x[0].type == 'f') m = RANK_OF(uint32_t)
    else if (known && x[0].type == 'd') m = RANK_OF(uint64_t)
    Py_END_ALLOW_THREADS
    give(x, 9);
    return PyLong_FromLongLong(m);
}

/* Sums and maxima over the thresholds of a curve. */
FAST static double area_of(const int64_t *tp, const int64_t *fp, const int64_t *above, int64_t m, int64_t q) {
    int64_t sum = m ? tp[0] * (2 * q - fp[0] - above[0]) : 0;
    for (int64_t i = 1; i < m; i++) sum += (tp[i] - tp[i - 1]) * (2 * q - fp[i] - above[i]);
    return (double)sum;
}

FAST static double precision_of(const int64_t *tp, const int64_t *fp, int64_t m) {
    double sum = m ? (double)tp[0] * (double)tp[0] / (double)(tp[0] + fp[0]) : 0;
    _Pragma("omp simd reduction(+ : sum)") for (int64_t i = 1; i < m; i++)
        sum += (double)(tp[i] - tp[i - 1]) * ((double)tp[i] / (double)(tp[i] + fp[i]));
    return sum;
}

/* The most that something of the true and false positives at a threshold is, and at least 0. */
#define MOST_OF(name, of)                                                                                              \
    FAST static double name(const int64_t *tp, const int64_t *fp, int64_t m, double p, double q, double square) {      \
        double most = 0;                                                                                               \
        _Pragma("omp simd reduction(max : most)") for (int64_t i = 0; i < m; i++) {                                    \
            double t = (double)tp[i], f = (double)fp[i], here = of;                                                    \
            most = here > most ? here : most;                                                                          \
        }                                                                                                              \
        return most;                                                                                                   \
    }
MOST_OF(lead_of, t / p - f / q) MOST_OF(f_beta_of, (1 + square) * t / (square * p + t + f))

/* scan_curve(tp, fp, fp_above, given (positives, negatives, beta), result (1,), what) */
static PyObject *scan_curve(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[5];
    int64_t what;
    if (take_all(args, nargs, x, 5, 4, &what)) return NULL;
    int64_t m = x[0].n;
    int known = x[1].n == m && x[2].n == m && x[3].type == 'd' && x[3].n == 3 && x[4].type == 'd' && x[4].n == 1;
    for (int i = 0; i < 3; i++) known = known && x[i].type == 'q';
    const int64_t *tp = x[0].data, *fp = x[1].data;
    Py_BEGIN_ALLOW_THREADS
    if (known) {
        const double *given = x[3].data;
        double *found = x[4].data;
        if (what == 0) *found = area_of(tp, fp, x[2].data, m, (int64_t)given[1]);
        else if (what == 1) *found = precision_of(tp, fp, m);
        else if (what == 2) *found = lead_of(tp, fp, m, given[0], given[1], 0);
        else *found = f_beta_of(tp, fp, m, given[0], given[1], given[2] * given[2]);
    }
    Py_END_ALLOW_THREADS
    return done(x, 5, known);
}

#define MOST_BINS 1024

/* The bin of each probability: an inner edge belongs to the bin above it; a product that rounds across an edge is put
 * right. Neighbouring rows add to different tables, as in count_pairs. */
FAST static int bins_of(const double *p, int64_t n, int32_t bins, int32_t *code) {
    double whole = (double)bins; /* an edge is c / bins, correctly rounded */
    int32_t wrong = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t there = p[i] >= 0 && p[i] <= 1, c = (int32_t)((there ? p[i] : 0) * bins);
        wrong |= !there;
        c = c < bins ? c : bins - 1;
        c -= p[i] < c / whole;
        c = c < 0 ? 0 : c;
        c += p[i] >= (c + 1) / whole && c < bins - 1;
        code[i] = c + (int32_t)(i & 3) * bins;
    }
    return !wrong;
}
static int are_even(const double *edge, int64_t bins) {
    int even = bins > 0 && bins <= MOST_BINS && edge[1] == 1.0 / (double)bins;
    for (int64_t c = 0; even && c <= bins; c++) even = edge[c] == (double)c / (double)bins;
    return even;
}
static void give_bins(const double *sum, const uint64_t *count, int64_t bins, double *found) {
    for (int64_t at = 0; at < 4 * bins; at++)
        found[at % bins] += (double)(uint32_t)count[at], found[bins + at % bins] += sum[at],
        found[2 * bins + at % bins] += (double)(count[at] >> 32);
}

/* bin_rows(proba, right, edges, found (3, bins)): False for a probability beyond 0..1, and for uneven edges */
static PyObject *bin_rows(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[4];
    if (take_all(args, nargs, x, 4, 3, NULL)) return NULL;
    int64_t n = x[0].n, bins = x[3].n / 3;
    int known = x[0].type == 'd' && x[1].type == 'B' && x[1].n == n && x[2].type == 'd' && x[2].n == bins + 1;
    known = known && x[3].type == 'd' && x[3].n == 3 * bins && n < UINT32_MAX && are_even(x[2].data, bins);
    double sum[4 * MOST_BINS] = {0};
    uint64_t count[4 * MOST_BINS] = {0};
    int32_t code[STRIP];
    const double *proba = x[0].data;
    const uint8_t *right = x[1].data;
    Py_BEGIN_ALLOW_THREADS
    STRIPS(known, n) {
        known = bins_of(proba + start, size, (int32_t)bins, code);
        for (int64_t i = 0; known && i < size; i++)
            count[code[i]] += 1 | (uint64_t)(right[start + i] & 1) << 32, sum[code[i]] += proba[start + i];
    }
    if (known) give_bins(sum, count, bins, x[3].data);
    Py_END_ALLOW_THREADS
    return done(x, 4, known);
}

/* ---- rows of class probabilities --------------------------------------------------------------------------------- */

/* What a row of k probabilities (or scores) says: that of the truth, the highest and its class, the squares of the
 * others, and how many classes come before the truth (a higher one, or as high and declared earlier). */
#define OTHERS(from, upto, before)                                                                                     \
    _Pragma("omp simd reduction(max : most) reduction(+ : squares, place)") for (j = from; j < upto; j++)              \
        most = p[j] > most ? p[j] : most, squares += (double)p[j] * (double)p[j], place += p[j] before mine;

#define ROW_FACTS(T, M)                                                                                                \
    typedef T Four##T __attribute__((vector_size(4 * sizeof(T))));                                                     \
    /* Four rows of four, `k` apart, as columns of a tile. */                                                          \
    static inline void turn_##T(const T *p, int64_t k, T *to) {                                                        \
        Four##T a, b, c, d, x, y;                                                                                      \
        memcpy(&a, p, sizeof(a)), memcpy(&b, p + k, sizeof(b));                                                        \
        memcpy(&c, p + 2 * k, sizeof(c)), memcpy(&d, p + 3 * k, sizeof(d));                                            \
        x = PICK(M, a, b, 0, 4, 1, 5), y = PICK(M, c, d, 0, 4, 1, 5);                                                  \
        a = PICK(M, a, b, 2, 6, 3, 7), c = PICK(M, c, d, 2, 6, 3, 7);                                                  \
        b = PICK(M, x, y, 0, 1, 4, 5), d = PICK(M, x, y, 2, 3, 6, 7);                                                  \
        x = PICK(M, a, c, 0, 1, 4, 5), y = PICK(M, a, c, 2, 3, 6, 7);                                                  \
        memcpy(to, &b, sizeof(b)), memcpy(to + TILE, &d, sizeof(d));                                                   \
        memcpy(to + 2 * TILE, &x, sizeof(x)), memcpy(to + 3 * TILE, &y, sizeof(y));                                    \
    }                                                                                                                  \
    /* Few classes: a tile of rows at a time, class by class, so that rows are what is vectorised. */                  \
    FAST static void narrow_##T(const T *p, const int32_t *truth, int64_t n, int64_t k, double *own, double *top,      \
                                double *others, int32_t *before, int32_t *answer) {                                    \
        T column[FEW_CLASSES * TILE], mine[TILE], most[TILE];                                                          \
        M at[TILE], place[TILE], real[TILE];                                                                           \
        double squares[TILE];                                                                                          \
        memset(column, 0, k * TILE * sizeof(T)), memset(real, 0, sizeof(real));                                        \
        for (int64_t start = 0; start < n; start += TILE, p += TILE * k) {                                             \
            int64_t size = n - start < TILE ? n - start : TILE;                                                        \
            for (int64_t j = 0; j < k; j += 4) {                                                                       \
                int64_t i = 0, c = j + 4 <= k || k < 4 ? j : k - 4;                                                    \
                for (; (i + 3) * k + c + 4 <= size * k; i += 4) turn_##T(p + i * k + c, k, column + c * TILE + i);     \
                for (; i < size; i++)                                                                                  \
                    for (c = j; c < j + 4 && c < k; c++) column[c * TILE + i] = p[i * k + c];                          \
            }                                                                                                          \
            for (int64_t i = 0; i < size; i++) real[i] = truth[start + i];                                             \
            for (int64_t i = 0; i < TILE; i++)                                                                         \
                mine[i] = column[real[i] * TILE + i], most[i] = column[i], at[i] = place[i] = 0, squares[i] = 0;       \
            for (M j = 0; j < k; j++) {                                                                                \
                T *of = column + j * TILE;                                                                             \
                for (int i = 0; i < TILE; i += 64 / (int)sizeof(T)) __builtin_prefetch(p + (k + j + 8) * TILE + i);    \
                for (int64_t i = 0; i < TILE; i++) {                                                                   \
                    T v = of[i], high = most[i], bar = mine[i];                                                        \
                    M first = at[i], higher = v > high, ahead = v > bar, level = v == bar, early = j < real[i];        \
                    at[i] = higher ? j : first, most[i] = higher ? v : high;                                           \
                    place[i] += ahead | (level & early);                                                               \
                    of[i] = j == real[i] ? 0 : v;                                                                      \
                }                                                                                                      \
                for (int64_t i = 0; i < TILE; i++) squares[i] += (double)of[i] * (double)of[i];                        \
            }                                                                                                          \
            for (int64_t i = 0; i < size; i++)                                                                         \
                own[start + i] = mine[i], top[start + i] = most[i], others[start + i] = squares[i],                    \
                before[start + i] = (int32_t)place[i], answer[start + i] = (int32_t)at[i];                             \
        }                                                                                                              \
    }                                                                                                                  \
    FAST static void wide_##T(const T *p, const int32_t *truth, int64_t n, int64_t k, double *own, double *top,        \
                              double *others, int32_t *before, int32_t *answer) {                                      \
        for (int64_t i = 0; i < n; i++, p += k) {                                                                      \
            int32_t t = truth[i], place = 0, j;                                                                        \
            T mine = p[t], most = mine;                                                                                \
            double squares = 0;                                                                                        \
            OTHERS(0, t, >=) OTHERS(t + 1, k, >)                                                                       \
            for (j = place ? 0 : t; j < k - 1 && p[j] != most;) j++;                                                   \
            own[i] = mine, top[i] = most, others[i] = squares, before[i] = place, answer[i] = j;                       \
        }                                                                                                              \
    }
ROW_FACTS(float, int32_t) ROW_FACTS(double, int64_t)
#define WIDEN(T)                                                                                                       \
    for (int64_t i = 0; i < size; i++) code[i] = (int32_t)((const T *)x[1].data)[start + i];                           \
    break;
#define FACTS_OF(T)                                                                                                    \
    if (k <= FEW_CLASSES) narrow_##T((T *)x[0].data + start * k, code, size, k, own, top, others, before, answer);     \
    else wide_##T((T *)x[0].data + start * k, code, size, k, own, top, others, before, answer);
/* The facts of a strip of rows. */
#define FACTS_AT(start)                                                                                                \
    switch (x[1].type) {                                                                                               \
        case 'B': WIDEN(uint8_t)                                                                                       \
        case 'H': WIDEN(uint16_t)                                                                                      \
        case 'I': WIDEN(uint32_t)                                                                                      \
        default: WIDEN(int64_t)                                                                                        \
    }                                                                                                                  \
    if (x[0].type == 'f') { FACTS_OF(float) }                                                                          \
    else { FACTS_OF(double) }
static int facts_fit(const Arg *x, int64_t n, int64_t k) {
    if (x[0].n != n * k || k > INT32_MAX) return 0;
    return x[0].type && strchr("fd", x[0].type) && x[1].type && strchr("BHIq", x[1].type);
}

/* row_facts(proba, truth, own, top, others, before, answer): False where a class has no column, or a nan is met */
static PyObject *row_facts(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[7];
    if (take_all(args, nargs, x, 7, 2, NULL)) return NULL;
    int64_t n = x[1].n, k = n ? x[0].n / n : 0;
    int32_t code[STRIP];
    int known = facts_fit(x, n, k);
    for (int i = 2; i < 7; i++) known = known && x[i].n == n;
    Py_BEGIN_ALLOW_THREADS
    known = known && within(&x[1], k);
    STRIPS(known, n) {
        double *own = (double *)x[2].data + start, *top = (double *)x[3].data + start;
        double *others = (double *)x[4].data + start;
        int32_t *before = (int32_t *)x[5].data + start, *answer = (int32_t *)x[6].data + start;
        FACTS_AT(start)
        for (int64_t i = 0; i < size; i++) known &= !isnan(own[i]) & !isnan(others[i]);
    }
    Py_END_ALLOW_THREADS
    return done(x, 7, known);
}

/* Natural logarithms of positive normal numbers, right to the last place but one (Sun's fdlibm, e_log.c): a library's
 * would be called number by number. */
FAST static void logs(const double *x, int64_t n, double *y) {
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits, two, held;
        double m, whole;
        memcpy(&bits, &x[i], 8);
        two = (bits - 0x3fe6a09e667f3bcd + ((uint64_t)1024 << 52)) >> 52; /* x = 2^(two - 1024) m, m from sqrt(1/2) on */
        bits -= (two - 1024) << 52;
        held = two | 0x4330000000000000; /* as the last digits of 2^52 */
        memcpy(&m, &bits, 8), memcpy(&whole, &held, 8);
        whole -= 4503599627370496.0 + 1024;
        double f = m - 1, s = f / (2 + f), z = s * s, half = 0.5 * f * f;
        double rest = z * (6.666666666666735130e-01 + z * (3.999999999940941908e-01 + z * (2.857142874366239149e-01 +
                      z * (2.222219843214978396e-01 + z * (1.818357216161805012e-01 + z * (1.531383769920937332e-01 +
                      z * 1.479819860511658591e-01))))));
        y[i] = whole * 6.93147180369123816490e-01 -
               ((half - (s * (half + rest) + whole * 1.90821492927058770002e-10)) - f);
    }
}

/* Log loss and Brier score of each row; how many rows the floor was used for. */
FAST static int64_t losses(const double *own, const double *others, int64_t n, double floor, double *lost,
                           double *missed) {
    double likely[STRIP] = {0};
    int64_t floored = 0;
    for (int64_t i = 0; i < n; i++)
        missed[i] = others[i] + (1 - own[i]) * (1 - own[i]), floored += own[i] < floor,
        likely[i] = own[i] < floor ? floor : own[i];
    logs(likely, n, lost);
    for (int64_t i = 0; i < n; i++) lost[i] = -lost[i];
    return floored;
}

/* sum_facts(proba, truth, edges, floor (1,), sums (5,), ranks (k,), bins (3, b), table (k, k) or None, positive):
 * mean and second moment of the log loss and of the Brier score, how many rows the floor was used for; how many classes
 * came before the truth; bins as of bin_rows, of the highest probability, or of that of the class `positive` */
static PyObject *sum_facts(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[8];
    int64_t positive;
    if (take_all(args, nargs, x, 8, 4, &positive)) return NULL;
    int64_t n = x[1].n, k = n ? x[0].n / n : 0, bins = x[6].n / 3, floored = 0, *table = x[7].data;
    int32_t code[STRIP], before[STRIP], answer[STRIP], bin[STRIP], right[STRIP];
    double own[STRIP], top[STRIP], others[STRIP], lost[STRIP], missed[STRIP];
    double *sums = x[4].data, floor = x[3].type == 'd' && x[3].n == 1 ? *(double *)x[3].data : 0;
    int known = facts_fit(x, n, k) && x[2].type == 'd' && are_even(x[2].data, bins) && x[2].n == bins + 1;
    known = known && floor > 1e-300 && x[4].n == 5 && x[5].n == k && x[6].n == 3 * bins && fits(&x[7], k * k);
    int64_t *rank = known && positive < k && n < UINT32_MAX ? calloc(4 * k, sizeof(int64_t)) : NULL;
    double sum[4 * MOST_BINS] = {0};
    uint64_t count[4 * MOST_BINS] = {0};
    Run loss = {0, 0, 0, 0}, miss = loss;
    Py_BEGIN_ALLOW_THREADS
    known = rank && within(&x[1], k);
    STRIPS(known, n) {
        FACTS_AT(start)
        for (int64_t i = 0; i < size; i++) right[i] = positive < 0 ? !before[i] : code[i] == positive;
        for (int64_t i = 0, at = start * k + positive; positive >= 0 && i < size; i++, at += k)
            top[i] = x[0].type == 'f' ? (double)((float *)x[0].data)[at] : ((double *)x[0].data)[at];
        known = known && bins_of(top, size, (int32_t)bins, bin);
        if (known) floored += losses(own, others, size, floor, lost, missed);
        known = known && join(&loss, lost, size) && join(&miss, missed, size);
        for (int64_t i = 0; known && i < size; i++) {
            rank[(i & 3) * k + before[i]]++;
            if (table) table[code[i] * k + answer[i]]++;
            count[bin[i]] += 1 | (uint64_t)right[i] << 32, sum[bin[i]] += top[i];
        }
    }
    if (known) {
        sums[0] = mean_of(&loss), sums[1] = m2_of(&loss), sums[2] = mean_of(&miss), sums[3] = m2_of(&miss);
        sums[4] = (double)floored;
        for (int64_t j = 0; j < 4 * k; j++) ((int64_t *)x[5].data)[j % k] += rank[j];
        give_bins(sum, count, bins, x[6].data);
    }
    Py_END_ALLOW_THREADS
    free(rank);
    return done(x, 8, known);
}

/* ---- sets of labels ---------------------------------------------------------------------------------------------- */

/* Bytes of 0 and 1 are added eight at a time (at most 255 words); pairs first: eight of up to 255 do not fit one. */
static inline int32_t sum_of(uint64_t word) {
    word = (word & 0x00ff00ff00ff00ffull) + (word >> 8 & 0x00ff00ff00ff00ffull);
    return (int32_t)((word * 0x0001000100010001ull) >> 48);
}

/* Hits, true and predicted labels of a row; `last` keeps what the words before it leave of the last eight labels. */
static inline void labels_by_row(const uint8_t *t, const uint8_t *p, int64_t k, uint64_t last, int32_t *found) {
    found[0] = found[1] = found[2] = 0;
    for (int64_t j = 0, end; j < k; j = end) {
        uint64_t hit = 0, real = 0, named = 0, a = 0, b = 0;
        end = k - j < 1024 ? k : j + 1024;
        for (; j + 8 <= end; j += 8) {
            memcpy(&a, t + j, 8), memcpy(&b, p + j, 8);
            hit += a & b, real += a, named += b;
        }
        if (j < end) {
            if (k < 8) memcpy(&a, t, k), memcpy(&b, p, k);
            else memcpy(&a, t + k - 8, 8), memcpy(&b, p + k - 8, 8);
            hit += a & b & last, real += a & last, named += b & last;
        }
        found[0] += sum_of(hit), found[1] += sum_of(real), found[2] += sum_of(named);
    }
}

/* Lanes of bytes, as many rows wide as fill whole vectors, widened before they overflow. */
FAST static void labels_by_column(const uint8_t *truth, const uint8_t *said, int64_t rows, int64_t width,
                                  uint8_t *lane) {
    uint8_t *hit = lane, *real = lane + width, *named = lane + 2 * width;
    for (int64_t r = 0; r < rows; r++, truth += width, said += width)
        for (int64_t j = 0; j < width; j++) hit[j] += truth[j] & said[j], real[j] += truth[j], named[j] += said[j];
}

/* Per label; and per row, or how many rows have so many hits, true and predicted labels, where a table is given. */
static void labels_of(const uint8_t *truth, const uint8_t *said, int64_t n, int64_t k, int64_t *by_label,
                      int32_t *by_row, int64_t *table, uint8_t *lane) {
    uint64_t last = 0;
    memset((uint8_t *)&last + (k < 8 ? 0 : 8 - k % 8), 0xff, k % 8);
    for (int64_t start = 0; start < n; start += 255 * TOGETHER) {
        int64_t size = PART(n, start, 255 * TOGETHER), whole = size / TOGETHER;
        const uint8_t *t = truth + start * k, *p = said + start * k;
        memset(lane, 0, 3 * TOGETHER * k);
        labels_by_column(t, p, whole, TOGETHER * k, lane);
        for (int64_t r = 0; r < 3 * TOGETHER; r++)
            for (int64_t j = 0; j < k; j++) by_label[r / TOGETHER * k + j] += lane[r * k + j];
        for (int64_t i = whole * TOGETHER * k; i < size * k; i++)
            by_label[i % k] += t[i] & p[i], by_label[k + i % k] += t[i], by_label[2 * k + i % k] += p[i];
        for (int64_t i = 0; i < size; i++, t += k, p += k) {
            int32_t found[3];
            labels_by_row(t, p, k, last, found);
            if (by_row) memcpy(by_row + 3 * (start + i), found, sizeof(found));
            else if (found[1] <= k && found[2] <= k) table[(found[0] * (k + 1) + found[1]) * (k + 1) + found[2]]++;
        }
    }
}

/* count_labels(truth, said, by_label (3, k), by_row (n, 3) or table (k + 1, k + 1, k + 1)) */
static PyObject *count_labels(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[4];
    if (take_all(args, nargs, x, 4, 2, NULL)) return NULL;
    int64_t k = x[2].n / 3, n = k ? x[0].n / k : 0, wide = k + 1;
    int known = n && x[0].type == 'B' && x[1].type == 'B' && x[0].n == n * k && x[1].n == n * k;
    known = known && (x[3].type == 'i' ? x[3].n == 3 * n : x[3].type == 'q' && x[3].n == wide * wide * wide);
    uint8_t *lane = malloc(3 * TOGETHER * k + 1);
    known = known && lane;
    Py_BEGIN_ALLOW_THREADS
    int32_t *by_row = x[3].type == 'i' ? x[3].data : NULL;
    if (known) labels_of(x[0].data, x[1].data, n, k, x[2].data, by_row, x[3].data, lane);
    Py_END_ALLOW_THREADS
    free(lane);
    return done(x, 4, known);
}

/* For each row and each of its true labels: how many labels, and how many true ones, score at least as much. */
#define LABEL_RANKS(T)                                                                                                 \
    FAST static void ranks_##T(const uint8_t *truth, const T *score, int64_t n, int64_t k, double *precision,          \
                               double *loss, int32_t *depth) {                                                         \
        for (int64_t i = 0; i < n; i++, truth += k, score += k) {                                                      \
            int64_t real = 0, wrong = 0;                                                                               \
            int32_t deepest = 0;                                                                                       \
            double sum = 0;                                                                                            \
            for (int64_t a = 0; a < k; a++) {                                                                          \
                if (!truth[a]) continue;                                                                               \
                T mine = score[a];                                                                                     \
                int32_t all = 0, hits = 0;                                                                             \
                _Pragma("omp simd reduction(+ : all, hits)") for (int64_t j = 0; j < k; j++)                           \
                    all += score[j] >= mine, hits += (score[j] >= mine) & truth[j];                                    \
                real++, wrong += all - hits, sum += (double)hits / all;                                                \
                deepest = all > deepest ? all : deepest;                                                               \
            }                                                                                                          \
            precision[i] = real ? sum / real : 1;                                                                      \
            loss[i] = real && real < k ? (double)wrong / ((double)real * (double)(k - real)) : 0;                      \
            depth[i] = deepest;                                                                                        \
        }                                                                                                              \
    }
LABEL_RANKS(float) LABEL_RANKS(double)

/* label_ranks(truth, score, precision, loss, depth) */
static PyObject *label_ranks(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[5];
    if (take_all(args, nargs, x, 5, 2, NULL)) return NULL;
    int64_t n = x[2].n, k = n ? x[0].n / n : 0;
    char type = x[0].type == 'B' && x[0].n == n * k && x[1].n == n * k && x[3].n == n && x[4].n == n ? x[1].type : 0;
    Py_BEGIN_ALLOW_THREADS
    if (type == 'f') ranks_float(x[0].data, x[1].data, n, k, x[2].data, x[3].data, x[4].data);
    else if (type == 'd') ranks_double(x[0].data, x[1].data, n, k, x[2].data, x[3].data, x[4].data);
    else type = 0;
    Py_END_ALLOW_THREADS
    return done(x, 5, type != 0);
}

/* ---- logits ---------------------------------------------------------------------------------------------------- */

#define ROOM 4096 /* numbers of a block of rows, which are read a few times */
#define LEAST -708.0

/* Exponentials of numbers of at most 0, right to the last place but one (fdlibm, e_exp.c); below LEAST that of LEAST. */
FAST static void exps(const double *x, int64_t n, double *y) {
    for (int64_t i = 0; i < n; i++) {
        double v = x[i] < LEAST ? LEAST : x[i], magic = 6755399441055744.0;
        double two = (v * 1.44269504088896338700 + magic) - magic;
        double high = v - two * 6.93147180369123816490e-01, low = two * 1.90821492927058770002e-10;
        double r = high - low, t = r * r;
        double c = r - t * (1.66666666666666019037e-01 + t * (-2.77777777770155933842e-03 + t * (6.61375632143793436117e-05 +
                   t * (-1.65339022054652515390e-06 + t * 4.13813679705723846039e-08))));
        double m = 1 - ((low - (r * c) / (2 - c)) - high), shift = two + 1023 + 4503599627370496.0, scale;
        int64_t bits;
        memcpy(&bits, &shift, 8);
        bits = (int64_t)((uint64_t)bits << 52);
        memcpy(&scale, &bits, 8);
        y[i] = m * scale;
    }
}

/* Log odds where the others are too small for their sum: they are taken about the highest of them. */
static double log_odds_of(const double *gap, int64_t k, int64_t step, int64_t most) {
    double second = -INFINITY, sum = 0;
    for (int64_t j = 0; j < k; j++)
        if (j != most && gap[j * step] > second) second = gap[j * step];
    for (int64_t j = 0; j < k; j++)
        if (j != most) sum += exp(gap[j * step] - second);
    return -second - log(sum);
}

#define LOGITS(T)                                                                                                      \
    /* A tile of rows of few classes, class by class, so that rows are what is vectorised: log odds, if asked for. */  \
    FAST static int tile_logits_##T(const T *z, int64_t size, int64_t k, double *top, int32_t *answer, double *odds) { \
        double gap[FEW_CLASSES * TILE], e[FEW_CLASSES * TILE], most[TILE], others[TILE] = {0};                         \
        double at[TILE] = {0};                                                                                         \
        int known = 1;                                                                                                 \
        if (size < TILE) memset(gap, 0, sizeof(gap));                                                                  \
        for (int64_t i = 0; i < size; i++)                                                                             \
            for (int64_t j = 0; j < k; j++) gap[j * TILE + i] = (double)z[i * k + j];                                  \
        for (int64_t i = 0; i < TILE; i++) most[i] = gap[i];                                                           \
        for (int64_t j = 1; j < k; j++)                                                                                \
            _Pragma("omp simd") for (int64_t i = 0; i < TILE; i++) {                                                   \
                double v = gap[j * TILE + i], high = most[i], place = at[i];                                           \
                at[i] = v > high ? (double)j : place, most[i] = v > high ? v : high;                                   \
            }                                                                                                          \
        for (int64_t j = 0; j < k; j++)                                                                                \
            for (int64_t i = 0; i < TILE; i++) gap[j * TILE + i] -= most[i];                                           \
        exps(gap, k * TILE, e);                                                                                        \
        for (int64_t j = 0; j < k; j++)                                                                                \
            _Pragma("omp simd") for (int64_t i = 0; i < TILE; i++) {                                                   \
                double v = at[i] == (double)j ? 0 : e[j * TILE + i];                                                   \
                e[j * TILE + i] = v, others[i] += v;                                                                   \
            }                                                                                                          \
        for (int64_t i = 0; i < size; i++)                                                                             \
            top[i] = 1 / (1 + others[i]), answer[i] = (int32_t)at[i], known &= isfinite(others[i] + most[i]) != 0;     \
        if (!odds) return known;                                                                                       \
        for (int64_t j = 0; j < k; j++)                                                                                \
            _Pragma("omp simd") for (int64_t i = 0; i < TILE; i++)                                                     \
                e[j * TILE + i] = at[i] == (double)j ? others[i] : (1 + others[i]) - e[j * TILE + i];                  \
        logs(e, k * TILE, odds);                                                                                       \
        for (int64_t i = 0; i < k * TILE; i++) odds[i] = gap[i] - odds[i];                                             \
        for (int64_t i = 0; i < size; i++)                                                                             \
            if (others[i] < 1e-290) odds[answer[i] * TILE + i] = log_odds_of(gap + i, k, TILE, answer[i]);             \
        return known;                                                                                                  \
    }                                                                                                                  \
    static int narrow_logits_##T(const T *z, int64_t n, int64_t k, double *top, int32_t *answer, double *odds) {       \
        double tile[FEW_CLASSES * TILE];                                                                               \
        int known = 1;                                                                                                 \
        for (int64_t start = 0, size; size = PART(n, start, TILE), start < n; start += TILE) {                         \
            known &= tile_logits_##T(z + start * k, size, k, top + start, answer + start, odds ? tile : NULL);         \
            for (int64_t i = 0; odds && i < size; i++)                                                                 \
                for (int64_t j = 0; j < k; j++) odds[(start + i) * k + j] = tile[j * TILE + i];                        \
        }                                                                                                              \
        return known;                                                                                                  \
    }                                                                                                                  \
    FAST static int wide_logits_##T(const T *z, int64_t n, int64_t k, double *top, int32_t *answer, double *odds,      \
                                    double *gap, double *e) {                                                          \
        int known = 1;                                                                                                 \
        for (int64_t i = 0; i < n; i++, z += k) {                                                                      \
            T most = z[0];                                                                                             \
            double others = 0;                                                                                         \
            int64_t at = 0;                                                                                            \
            for (int64_t j = 1; j < k; j++) most = z[j] > most ? z[j] : most;                                          \
            while (at < k - 1 && z[at] != most) at++;                                                                  \
            for (int64_t j = 0; j < k; j++) gap[j] = (double)z[j] - (double)most;                                      \
            exps(gap, k, e);                                                                                           \
            e[at] = 0;                                                                                                 \
            for (int64_t j = 0; j < k; j++) others += e[j];                                                            \
            top[i] = 1 / (1 + others), answer[i] = (int32_t)at, known &= isfinite(others + most) != 0;                  \
            if (!odds) continue;                                                                                       \
            for (int64_t j = 0; j < k; j++) e[j] = (1 + others) - e[j];                                                \
            e[at] = others;                                                                                            \
            logs(e, k, odds + i * k);                                                                                  \
            for (int64_t j = 0; j < k; j++) odds[i * k + j] = gap[j] - odds[i * k + j];                                \
            if (others < 1e-290) odds[i * k + at] = log_odds_of(gap, k, 1, at);                                        \
        }                                                                                                              \
        return known;                                                                                                  \
    }                                                                                                                  \
    static int logits_##T(const Arg *x, int64_t n, int64_t k, double *room) {                                          \
        if (k <= FEW_CLASSES) return narrow_logits_##T(x[0].data, n, k, x[1].data, x[2].data, x[3].data);              \
        return wide_logits_##T(x[0].data, n, k, x[1].data, x[2].data, x[3].data, room, room + k);                      \
    }
LOGITS(float) LOGITS(double)

/* logit_facts(logit, top, answer, odds or None): probability and class of the highest, log odds of each class */
static PyObject *logit_facts(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[4];
    if (take_all(args, nargs, x, 4, 1, NULL)) return NULL;
    int64_t n = x[2].n, k = n ? x[0].n / n : 0;
    int known = k > 1 && k <= INT32_MAX && x[0].n == n * k && x[1].n == n && fits(&x[3], n * k);
    known = known && x[0].type && strchr("fd", x[0].type) && x[1].type == 'd' && x[2].type == 'i';
    double *room = known && k > FEW_CLASSES ? malloc(2 * k * sizeof(double)) : NULL;
    known = known && (room || k <= FEW_CLASSES);
    Py_BEGIN_ALLOW_THREADS
    known = known && (x[0].type == 'f' ? logits_float(x, n, k, room) : logits_double(x, n, k, room));
    Py_END_ALLOW_THREADS
    free(room);
    return done(x, 4, known);
}

/* ---- cells of scores ------------------------------------------------------------------------------------------- */

#define EVEN (1 << 20)
#define FINE 13

#define CELLS(T)                                                                                                       \
    FAST static void cells_##T(const T *x, int64_t n, int unit, int coarse, int32_t *cell) {                           \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            float s = (float)x[i] + 0.0f;                                                                              \
            int32_t bits, rising;                                                                                      \
            memcpy(&bits, &s, 4);                                                                                      \
            float part = s * EVEN;                                                                                     \
            part = part < 0 ? 0 : part > EVEN ? EVEN : part;                                                           \
            double wide = s, size = fabs(wide), share = size > 3.5e38 ? (wide > 0 ? 1 : -1) : wide / (1 + size);       \
            rising = bits < 0 ? -(bits & 0x7fffffff) : bits;                                                           \
            int32_t plain = (int32_t)part + (bits >> FINE);                                                            \
            int32_t squashed = (int32_t)((share + 1) * (EVEN / 2)) + (rising >> FINE) + (0x7f800000 >> FINE) + 1;      \
            cell[i] = (unit ? plain : squashed) >> coarse;                                                             \
        }                                                                                                              \
    }
CELLS(float) CELLS(double)

/* find_cells(score, cell, code), count_cells(score, positive, counts (k, cells, 2), code): code is 2 coarse + unit */
static int cells_of(const Arg *x, int64_t start, int64_t n, int64_t code, int32_t *cell) {
    if (x->type == 'f') cells_float((float *)x->data + start, n, code & 1, (int)(code >> 1), cell);
    else cells_double((double *)x->data + start, n, code & 1, (int)(code >> 1), cell);
    return 1;
}

static PyObject *find_cells(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[2];
    int64_t code;
    if (take_all(args, nargs, x, 2, 1, &code)) return NULL;
    int64_t n = x[0].n;
    int32_t cell[ROOM];
    int known = x[0].type && strchr("fd", x[0].type) && x[1].type == 'q' && x[1].n == n;
    Py_BEGIN_ALLOW_THREADS
    for (int64_t start = 0, size; size = PART(n, start, ROOM), known && start < n; start += ROOM) {
        cells_of(x, start, size, code, cell);
        for (int64_t i = 0; i < size; i++) ((int64_t *)x[1].data)[start + i] = cell[i];
    }
    Py_END_ALLOW_THREADS
    return done(x, 2, known);
}

/* Cells are found of a chunk of rows before any is counted, problem by problem, so that its counts stay in cache. */
#define CHUNK 1310720 /* numbers of a chunk, about */
static PyObject *count_cells(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[3];
    int64_t code;
    if (take_all(args, nargs, x, 3, 2, &code)) return NULL;
    int64_t k = x[2].view.ndim == 3 ? x[2].view.shape[0] : 0, cells = k ? x[2].n / (2 * k) : 0, n = k ? x[0].n / k : 0;
    int known = k > 0 && k <= ROOM && x[0].n == n * k && n < INT32_MAX && x[1].n == n * k && x[1].type == 'B';
    known = known && x[2].type == 'i' && cells < 1 << 29 && x[0].type && strchr("fd", x[0].type);
    int64_t chunk = known ? 1 + (CHUNK - 1) / k : 1, block = known ? ROOM / k : 1;
    chunk = chunk < n ? chunk : n;
    int32_t cell[ROOM], *place = known && n ? malloc(chunk * k * sizeof(int32_t)) : NULL;
    known = known && (place || !n);
    const uint8_t *positive = x[1].data;
    Py_BEGIN_ALLOW_THREADS
    for (int64_t from = 0, rows; rows = PART(n, from, chunk), known && from < n; from += chunk) {
        for (int64_t start = 0, size; size = PART(rows, start, block), start < rows; start += block) {
            int64_t first = (from + start) * k;
            cells_of(x, first, size * k, code, cell);
            for (int64_t i = 0; i < size; i++)
                for (int64_t j = 0; j < k; j++) {
                    int32_t at = cell[i * k + j];
                    known &= at >= 0 && at < cells; /* a nan has no cell */
                    place[j * chunk + start + i] = 2 * at + (positive[first + i * k + j] != 0);
                }
        }
        for (int64_t j = 0; known && j < k; j++) {
            int32_t *counts = (int32_t *)x[2].data + 2 * j * cells;
            for (int64_t i = 0; i < rows; i++) counts[place[j * chunk + i]]++;
        }
    }
    Py_END_ALLOW_THREADS
    free(place);
    return done(x, 3, known);
}

/* count_odds(logit, truth, top, answer, counts (k, cells, 2), code): as logit_facts, then count_cells of the log odds */
#define PLACES_OF(T)                                                                                                   \
    known &= tile_logits_##T((T *)x[0].data + first * k, size, k, top + first, answer + first, odds);
static PyObject *count_odds(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[5];
    int64_t code;
    if (take_all(args, nargs, x, 5, 2, &code)) return NULL;
    int64_t n = x[1].n, k = x[4].view.ndim == 3 ? x[4].view.shape[0] : 0, cells = k ? x[4].n / (2 * k) : 0;
    int known = k > 1 && k <= FEW_CLASSES && n < INT32_MAX && x[0].n == n * k && x[2].n == n && x[3].n == n;
    known = known && x[0].type && strchr("fd", x[0].type) && x[1].type == 'B' && x[2].type == 'd' && x[3].type == 'i';
    known = known && x[4].type == 'i' && cells < 1 << 29;
    int64_t chunk = known ? PART(n, 0, 1 + (CHUNK - 1) / k) : 1;
    int32_t cell[FEW_CLASSES * TILE], *place = known && n ? malloc(chunk * k * sizeof(int32_t)) : NULL;
    known = known && (place || !n);
    double odds[FEW_CLASSES * TILE], *top = x[2].data;
    const uint8_t *truth = x[1].data;
    int32_t *answer = x[3].data;
    Py_BEGIN_ALLOW_THREADS
    for (int64_t from = 0, rows; rows = PART(n, from, chunk), known && from < n; from += chunk) {
        for (int64_t start = 0, size; size = PART(rows, start, TILE), start < rows; start += TILE) {
            int64_t first = from + start;
            if (x[0].type == 'f') { PLACES_OF(float) }
            else { PLACES_OF(double) }
            cells_double(odds, k * TILE, code & 1, (int)(code >> 1), cell);
            for (int64_t j = 0; j < k; j++)
                for (int64_t i = 0; i < size; i++) {
                    int32_t at = cell[j * TILE + i];
                    known &= at >= 0 && at < cells;
                    place[j * chunk + start + i] = 2 * at + (truth[first + i] == j);
                }
        }
        for (int64_t j = 0; known && j < k; j++) {
            int32_t *counts = (int32_t *)x[4].data + 2 * j * cells;
            for (int64_t i = 0; i < rows; i++) counts[place[j * chunk + i]]++;
        }
    }
    Py_END_ALLOW_THREADS
    free(place);
    return done(x, 5, known);
}

/* list_filled(counts, place, count): where counts are not 0, and these; both have room for all of them */
#define FILLED(T)                                                                                                      \
    for (int64_t i = 0; i < n && at <= room; i++)                                                                      \
        if (((const T *)x[0].data)[i]) {                                                                               \
            if (at < room) place[at] = i, count[at] = ((const T *)x[0].data)[i];                                       \
            at++;                                                                                                      \
        }
static PyObject *list_filled(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[3];
    if (take_all(args, nargs, x, 3, 1, NULL)) return NULL;
    int64_t n = x[0].n, room = x[1].n, at = 0, *place = x[1].data, *count = x[2].data;
    int known = x[1].type == 'q' && x[2].type == 'q' && x[2].n == room && x[0].type && strchr("iq", x[0].type);
    Py_BEGIN_ALLOW_THREADS
    if (known && x[0].type == 'i') { FILLED(int32_t) }
    else if (known) { FILLED(int64_t) }
    Py_END_ALLOW_THREADS
    return done(x, 3, known && at == room);
}

/* scan_cells(counts (cells, 2), found (4, cells), totals (2,)): from the highest cell down, of those with positive rows
 * the cell, tp, fp and fp above it; how many these are, and all negative rows */
#define PASSED(T)                                                                                                      \
    for (int64_t c = cells - 1; c >= 0; c--) {                                                                         \
        int64_t other = ((const T *)x[0].data)[2 * c], own = ((const T *)x[0].data)[2 * c + 1];                        \
        fp += other, tp += own;                                                                                        \
        if (!own) continue;                                                                                            \
        found[at] = c, found[cells + at] = tp, found[2 * cells + at] = fp, found[3 * cells + at] = fp - other, at++;   \
    }
static PyObject *scan_cells(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    Arg x[3];
    if (take_all(args, nargs, x, 3, 1, NULL)) return NULL;
    int64_t cells = x[0].n / 2, at = 0, tp = 0, fp = 0, *found = x[1].data;
    int known = x[1].type == 'q' && x[1].n == 4 * cells && x[2].type == 'q' && x[2].n == 2 && x[0].n == 2 * cells;
    known = known && x[0].type && strchr("iq", x[0].type);
    Py_BEGIN_ALLOW_THREADS
    if (known && x[0].type == 'i') { PASSED(int32_t) }
    else if (known) { PASSED(int64_t) }
    if (known) ((int64_t *)x[2].data)[0] = at, ((int64_t *)x[2].data)[1] = fp;
    Py_END_ALLOW_THREADS
    return done(x, 3, known);
}

/* ---- weighted means of many arrays ---------------------------------------------------------------------------- */

/* bfloat16 is the upper half of a float, rounded to the nearest, of two as near to the even one. */
static float widen(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float wide;
    return memcpy(&wide, &bits, 4), wide;
}
static uint16_t narrow(double sum) {
    float wide = (float)sum;
    uint32_t bits;
    memcpy(&bits, &wide, 4);
    return wide == wide ? (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16) : 0x7fc0;
}

#define BRIDGE 1024 /* items that are added up at a time: their sums stay in the nearest cache */
/* Four more rows in the sums, or one; then the sums as what they are stored as, and whether one of these is not finite. */
#define MIX(T, WIDEN, NARROW)                                                                                          \
    FAST static void add_four_##T(const T *a, const T *b, const T *c, const T *d, const double *w, double *sum,        \
                                  int64_t n) {                                                                         \
        for (int64_t i = 0; i < n; i++)                                                                                \
            sum[i] += (w[0] * (double)WIDEN(a[i]) + w[1] * (double)WIDEN(b[i])) +                                      \
                      (w[2] * (double)WIDEN(c[i]) + w[3] * (double)WIDEN(d[i]));                                       \
    }                                                                                                                  \
    FAST static void add_one_##T(const T *a, double w, double *sum, int64_t n) {                                       \
        for (int64_t i = 0; i < n; i++) sum[i] += w * (double)WIDEN(a[i]);                                             \
    }                                                                                                                  \
    FAST static int store_##T(const double *sum, T *out, int64_t n) {                                                  \
        int wrong = 0;                                                                                                 \
        for (int64_t i = 0; i < n; i++) out[i] = NARROW(sum[i]);                                                       \
        for (int64_t i = 0; i < n; i++) wrong |= !(fabs((double)WIDEN(out[i])) <= DBL_MAX);                            \
        return wrong;                                                                                                  \
    }                                                                                                                  \
    static int mix_##T(const Arg *row, const double *w, int64_t rows, T *out, int64_t n) {                             \
        double sum[BRIDGE];                                                                                            \
        int wrong = 0;                                                                                                 \
        for (int64_t at = 0, size; size = PART(n, at, BRIDGE), at < n; at += BRIDGE) {                                 \
            int64_t j = 0;                                                                                             \
            memset(sum, 0, sizeof(sum));                                                                               \
            for (; j + 4 <= rows; j += 4)                                                                              \
                add_four_##T((T *)row[j].data + at, (T *)row[j + 1].data + at, (T *)row[j + 2].data + at,              \
                             (T *)row[j + 3].data + at, w + j, sum, size);                                             \
            for (; j < rows; j++) add_one_##T((T *)row[j].data + at, w[j], sum, size);                                 \
            wrong |= store_##T(sum, out + at, size);                                                                   \
        }                                                                                                              \
        return wrong;                                                                                                  \
    }
MIX(float, , (float))
MIX(double, , )
MIX(uint16_t, widen, narrow)
#define MIX_OF(T) wrong = mix_##T(x + 2, x[0].data, rows, x[1].data, n);

/* mix(weights (m,), out (n,), row (n,) m times): -1 where it cannot, else whether all that it wrote is finite */
static PyObject *mix(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    if (nargs < 3) return PyErr_Format(PyExc_TypeError, "3 or more arguments expected, not %zd", nargs);
    Arg *x = calloc((size_t)nargs, sizeof(Arg));
    if (!x) return PyErr_NoMemory();
    for (int i = 0; i < nargs; i++)
        if (take(args[i], &x[i], i == 1)) {
            give(x, i), free(x);
            return NULL;
        }
    int64_t rows = nargs - 2, n = x[1].n;
    int known = x[0].type == 'd' && x[0].n == rows && x[1].type && strchr("fdH", x[1].type);
    for (int64_t j = 0; j < rows; j++) known = known && x[2 + j].type == x[1].type && x[2 + j].n == n;
    int wrong = 0;
    Py_BEGIN_ALLOW_THREADS
    if (known && x[1].type == 'f') { MIX_OF(float) }
    else if (known && x[1].type == 'd') { MIX_OF(double) }
    else if (known) { MIX_OF(uint16_t) }
    Py_END_ALLOW_THREADS
    give(x, (int)nargs), free(x);
    return PyLong_FromLong(known ? !wrong : -1);
}

#define METHOD(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, NULL}

static PyMethodDef methods[] = {
    METHOD(count_pairs), METHOD(look_up),    METHOD(pair_values),  METHOD(rank_scores), METHOD(scan_curve),
    METHOD(sum_facts),   METHOD(sum_errors), METHOD(count_labels), METHOD(label_ranks), METHOD(bin_rows),
    METHOD(row_facts),   METHOD(keep_between), METHOD(logit_facts), METHOD(find_cells),   METHOD(count_cells),
    METHOD(list_filled), METHOD(count_odds),   METHOD(scan_cells),  METHOD(mix),         {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "kernels", "Compiled kernels 9; see assay.kernels.", -1,
                                    methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_kernels(void) { return PyModule_Create(&module); }
