/* The lines of a flat file to Airbyte messages, where nothing is out of the ordinary.

   `by_block` and `by_row` say in Python what a value may be and how it is written; this writes the
   same bytes for lines of the plainest forms alone, and gives up on a whole block at the first
   line that is not plain. So Python stays the judge of all that is unusual or wrong, and can do
   without this where nobody could compile it.

   Plain is: printable ASCII, the symbol first, as many values as columns; numbers as JSON has
   them, short, of no more than two digits in the exponent; texts without quotes and backslashes;
   lists of whole numbers, in quotes where there are several; times of 18 or 19 digits.

   Every loop over the block ends at the newline that ends its line at the latest: newlines are no
   plain characters, and the last byte of a block is one. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030A0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum kind { TEXT, INTEGER, DECIMAL, LIST, TIME };

typedef struct {
    long kind;
    const char *name; /* What comes before a value, such as ,"open": */
    Py_ssize_t name_size;
} Column;

typedef struct {
    PyObject *array;
    char *end;   /* Behind what is written. */
    char *limit; /* Behind what there is room for. */
} Text;

/* A time in seconds as it is in the file, and as text: many rows share one. */
typedef struct {
    char digits[10];
    int count;
    int64_t days;
    char text[19];
} Second;

#define MOST_DIGITS 64   /* Of a number, sign, point and exponent included. */
#define ROW_DIGITS 20    /* Of a row's number. */
#define TIME_TEXT 31     /* 2026-11-24T14:30:00.123456789Z and a quote. */
#define NANOSECONDS 9
#define MOST_AROUND ((Py_ssize_t)1 << 30)
#define LONGER 8         /* Messages have so many times the bytes of lines, or somewhat less. */

static const char FILE_ROW[] = ",\"file_row\":";

static inline int is_digit(char c) { return c >= '0' && c <= '9'; }

/* Printable, and in a JSON string as it is; a comma ends a value. */
static inline int is_plain(char c)
{
    return c >= ' ' && c <= '~' && c != ',' && c != '"' && c != '\\';
}

static int reserve(Text *text, Py_ssize_t size)
{
    if (text->limit - text->end >= size) {
        return 0;
    }
    char *start = PyByteArray_AsString(text->array);
    Py_ssize_t used = text->end - start, room = text->limit - start;
    if (size > PY_SSIZE_T_MAX / 4 - room) {
        PyErr_NoMemory();
        return -1;
    }
    room += room / 2 + size;
    if (PyByteArray_Resize(text->array, room) < 0) {
        return -1;
    }
    start = PyByteArray_AsString(text->array);
    text->end = start + used;
    text->limit = start + room;
    return 0;
}

static inline void put(Text *text, const char *from, Py_ssize_t size)
{
    memcpy(text->end, from, (size_t)size);
    text->end += size;
}

static void put_row_number(Text *text, unsigned long long number)
{
    char digits[ROW_DIGITS];
    int at = ROW_DIGITS;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    put(text, digits + at, ROW_DIGITS - at);
}

/* The following return the end of a plain value that begins at `at`, or NULL. */

static const char *past_integer(const char *at)
{
    const char *start = at;
    at += *at == '-';
    if (*at == '0') {
        return at == start ? at + 1 : NULL; /* -0 is written otherwise by some. */
    }
    while (is_digit(*at)) {
        at++;
    }
    return at > start && is_digit(at[-1]) && at - start <= MOST_DIGITS ? at : NULL;
}

static const char *past_decimal(const char *at)
{
    const char *start = at;
    at += *at == '-';
    if (*at == '0') {
        at++;
    }
    else {
        const char *whole = at;
        while (is_digit(*at)) {
            at++;
        }
        if (at == whole) {
            return NULL;
        }
    }
    if (*at == '.') {
        const char *part = ++at;
        while (is_digit(*at)) {
            at++;
        }
        if (at == part) {
            return NULL;
        }
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '-' || *at == '+';
        const char *exponent = at;
        while (is_digit(*at)) {
            at++;
        }
        if (at == exponent || at - exponent > 2) {
            return NULL;
        }
    }
    return at - start <= MOST_DIGITS ? at : NULL;
}

static const char *past_text(const char *at)
{
    while (is_plain(*at)) {
        at++;
    }
    return at;
}

/* Of a row that is not wanted: quotes may stand around a value, and not within it. */
static const char *past_anything(const char *at)
{
    if (*at != '"') {
        return past_text(at);
    }
    do {
        at = past_text(at + 1);
    } while (*at == ',');
    return *at == '"' ? at + 1 : NULL;
}

static const char *put_list(Text *text, const char *at)
{
    int quoted = *at == '"';
    at += quoted;
    *text->end++ = '[';
    for (;;) {
        const char *end = past_integer(at);
        if (end == NULL) {
            return NULL;
        }
        put(text, at, end - at);
        at = end;
        if (!quoted || *at != ',') {
            break;
        }
        at++;
        *text->end++ = ',';
    }
    *text->end++ = ']';
    if (!quoted) {
        return at;
    }
    return *at == '"' ? at + 1 : NULL;
}

static void put_two(char *to, int number)
{
    to[0] = (char)('0' + number / 10);
    to[1] = (char)('0' + number % 10);
}

/* From days since 1970-01-01 to a date of the Gregorian calendar; years begin in March here, so
   that a leap day is the last of its year. There is no date before 1970. */
static void write_date(char *to, int64_t days)
{
    int64_t shifted = days + 719468; /* Since 0000-03-01. */
    int64_t era = shifted / 146097;
    int day_of_era = (int)(shifted % 146097);
    int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (5 * day_of_year + 2) / 153;
    int day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    int month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int year = (int)(era * 400) + year_of_era + (month <= 2);
    put_two(to, year / 100);
    put_two(to + 2, year % 100);
    to[4] = '-';
    put_two(to + 5, month);
    to[7] = '-';
    put_two(to + 8, day);
}

static void set_second(Second *second, const char *digits, int count)
{
    int64_t seconds = 0; /* Ten digits at most. */
    for (int n = 0; n < count; n++) {
        seconds = seconds * 10 + (digits[n] - '0');
    }
    memcpy(second->digits, digits, (size_t)count);
    second->count = count;
    int of_day = (int)(seconds % 86400);
    if (seconds / 86400 != second->days) {
        second->days = seconds / 86400;
        write_date(second->text, second->days);
    }
    second->text[10] = 'T';
    put_two(second->text + 11, of_day / 3600);
    second->text[13] = ':';
    put_two(second->text + 14, of_day / 60 % 60);
    second->text[16] = ':';
    put_two(second->text + 17, of_day % 60);
}

static const char *put_time(Text *text, const char *at, const char *utc, Py_ssize_t utc_size, Second *last)
{
    const char *start = at;
    while (is_digit(*at)) {
        at++;
    }
    Py_ssize_t size = at - start;
    if (*start == '0' || (size != 18 && size != 19)) {
        return NULL;
    }
    int count = (int)size - NANOSECONDS;
    if (count != last->count || memcmp(start, last->digits, (size_t)count) != 0) {
        set_second(last, start, count);
    }
    put(text, start, size);
    put(text, utc, utc_size);
    put(text, last->text, sizeof last->text);
    *text->end++ = '.';
    put(text, at - NANOSECONDS, NANOSECONDS);
    put(text, "Z\"", 2);
    return at;
}

/* Write a value with its name, or nothing where there is none; return its end, or NULL. */
static const char *put_value(
    Text *text, const Column *column, const char *at, const char *utc, Py_ssize_t utc_size, Second *last)
{
    const char *end = at;
    if ((*at == ',' || *at == '\n') && column->kind != TIME) {
        return at;
    }
    put(text, column->name, column->name_size);
    switch (column->kind) {
    case TEXT:
        end = past_text(at);
        *text->end++ = '"';
        put(text, at, end - at);
        *text->end++ = '"';
        return end;
    case INTEGER:
        end = past_integer(at);
        break;
    case DECIMAL:
        end = past_decimal(at);
        break;
    case LIST:
        return put_list(text, at);
    default:
        return put_time(text, at, utc, utc_size, last);
    }
    if (end != NULL) {
        put(text, at, end - at);
    }
    return end;
}

/* The columns behind the first, which is that of the symbol.

   `around` is what they put around the values of a row at most: names, the time as text, and two
   signs around each. A list's brackets take the place of its quotes, or are these two. */
static Column *columns_of(PyObject *given, Py_ssize_t utc_size, Py_ssize_t *count, Py_ssize_t *around)
{
    *count = PyTuple_Size(given);
    *around = 0;
    Column *columns = PyMem_Calloc((size_t)*count + 1, sizeof(Column));
    if (columns == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t n = 0; n < *count; n++) {
        Column *column = columns + n;
        char *name;
        if (!PyArg_ParseTuple(PyTuple_GetItem(given, n), "ly#", &column->kind, &name, &column->name_size)) {
            PyMem_Free(columns);
            return NULL;
        }
        if (column->kind < TEXT || column->kind > TIME) {
            PyErr_SetString(PyExc_ValueError, "there is no such kind of column");
            PyMem_Free(columns);
            return NULL;
        }
        column->name = name;
        Py_ssize_t more = column->name_size + 2;
        if (column->kind == TIME) {
            more += utc_size + TIME_TEXT;
        }
        if (more > MOST_AROUND - *around) {
            PyErr_SetString(PyExc_ValueError, "the names of columns are too long");
            PyMem_Free(columns);
            return NULL;
        }
        *around += more;
    }
    return columns;
}

/* What the messages of a symbol have in front, bytes or None; a new reference. */
static PyObject *head_of(PyObject *heads, const char *ticker, Py_ssize_t size)
{
    PyObject *key = PyBytes_FromStringAndSize(ticker, size);
    if (key == NULL) {
        return NULL;
    }
    PyObject *head = PyObject_GetItem(heads, key);
    Py_DECREF(key);
    if (head != NULL && head != Py_None && !PyBytes_Check(head)) {
        PyErr_SetString(PyExc_TypeError, "a head is bytes or None");
        Py_CLEAR(head);
    }
    return head;
}

static PyObject *messages(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *block, *utc, *tail;
    Py_ssize_t block_size, utc_size, tail_size, count, around;
    PyObject *given, *heads;
    long long first;
    if (!PyArg_ParseTuple(
            args, "y#O!Oy#y#L:messages", &block, &block_size, &PyTuple_Type, &given, &heads, &utc,
            &utc_size, &tail, &tail_size, &first)) {
        return NULL;
    }
    Column *columns = columns_of(given, utc_size, &count, &around);
    if (columns == NULL) {
        return NULL;
    }
    around += (Py_ssize_t)sizeof FILE_ROW + ROW_DIGITS + tail_size;
    PyObject *head = NULL, *result = NULL;
    const char *head_text = NULL, *ticker = NULL;
    Py_ssize_t head_size = 0, ticker_size = -1, written = 0;
    Second last = {.count = 0, .days = -1};
    Text text = {PyByteArray_FromStringAndSize(NULL, 0), NULL, NULL};
    if (text.array == NULL) {
        goto done;
    }
    text.end = text.limit = PyByteArray_AsString(text.array);
    if (block_size > PY_SSIZE_T_MAX / (4 * LONGER) || reserve(&text, LONGER * block_size) < 0) {
        goto done;
    }
    const char *at = block, *limit = block + block_size;
    if (block_size && limit[-1] != '\n') {
        goto unusual;
    }
    Py_ssize_t rows = 0;
    for (; at < limit; rows++) {
        const char *end = past_text(at);
        if (end == at) {
            goto unusual;
        }
        if (end - at != ticker_size || memcmp(at, ticker, (size_t)ticker_size) != 0) {
            ticker = at;
            ticker_size = end - at;
            Py_XDECREF(head);
            head = head_of(heads, ticker, ticker_size);
            if (head == NULL) {
                goto done;
            }
            head_size = 0;
            if (head != Py_None) {
                head_text = PyBytes_AsString(head);
                head_size = PyBytes_Size(head);
            }
        }
        at = end;
        int wanted = head != Py_None;
        if (wanted) {
            const char *line_end = memchr(at, '\n', (size_t)(limit - at));
            if (reserve(&text, around + head_size + (line_end - at)) < 0) {
                goto done;
            }
            put(&text, head_text, head_size);
            if (first) {
                put(&text, FILE_ROW, sizeof FILE_ROW - 1);
                put_row_number(&text, (unsigned long long)first + (unsigned long long)rows);
            }
            written++;
        }
        for (const Column *column = columns; column < columns + count; column++) {
            if (*at != ',') {
                goto unusual;
            }
            at++;
            at = wanted ? put_value(&text, column, at, utc, utc_size, &last) : past_anything(at);
            if (at == NULL) {
                goto unusual;
            }
        }
        if (*at != '\n') {
            goto unusual;
        }
        at++;
        if (wanted) {
            put(&text, tail, tail_size);
        }
    }
    if (PyByteArray_Resize(text.array, text.end - PyByteArray_AsString(text.array)) == 0) {
        result = Py_BuildValue("(Onn)", text.array, written, rows);
    }
    goto done;

unusual:
    result = Py_NewRef(Py_None);
done:
    Py_XDECREF(head);
    Py_XDECREF(text.array);
    PyMem_Free(columns);
    return result;
}

static PyMethodDef methods[] = {
    {"messages", messages, METH_VARARGS,
     "messages(block, columns, heads, utc, tail, first)\n--\n\n"
     "Return the messages of a block of plain lines, how many they are, and of how many rows.\n\n"
     "None if a line is not plain."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_speedups",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__speedups(void) { return PyModuleDef_Init(&module); }
