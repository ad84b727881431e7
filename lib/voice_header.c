
/*
 * Values of header fields, see voice_header.h.
 */

#include <stdio.h>

#include "voice_header.h"


#define DAY_SECONDS  86400


static int range_next(voice_span_t *list, voice_span_t *range, int *quality);
static int range_rank(voice_span_t range, voice_span_t type);
static int range_quality(voice_span_t parameters);
static size_t span_to(voice_span_t text, char end);
static int same_letters(voice_span_t a, voice_span_t b);
static int tag_next(voice_span_t *list, voice_span_t *tag);
static voice_span_t trim(voice_span_t text);
static int number(const char *text, size_t digits);
static int month_days(int year, int month);


voice_rc_t
voice_header_key(voice_span_t value, char out[VOICE_KEY_MAX], size_t *len)
{
    char    c;
    int     quoted;
    size_t  i, n;

    value = trim(value);
    quoted = value.len > 0 && value.ptr[0] == '"';

    if (quoted) {
        if (value.len < 2 || value.ptr[value.len - 1] != '"') {
            return VOICE_INVALID;
        }

        value = voice_span(value.ptr + 1, value.len - 2);
    }

    for (i = 0, n = 0; i < value.len; i++) {
        c = value.ptr[i];

        /* RFC 8941 3.3.3: nothing else is escaped */
        if (quoted && c == '\\') {
            c = ++i < value.len ? value.ptr[i] : '\0';

            if (c != '"' && c != '\\') {
                return VOICE_INVALID;
            }

        } else if (c == '"') {
            return VOICE_INVALID;
        }

        if (c < 0x21 || c > 0x7e || n == VOICE_KEY_MAX) {
            return VOICE_INVALID;
        }

        out[n++] = c;
    }

    *len = n;

    return n == 0 ? VOICE_INVALID : VOICE_OK;
}


voice_rc_t
voice_header_tags(voice_span_t list, voice_span_t tag)
{
    int           found;
    voice_span_t  one;

    list = trim(list);

    if (voice_span_eq(list, VOICE_SPAN("*"))) {
        return VOICE_OK;
    }

    if (tag.len > 2 && memcmp(tag.ptr, "W/", 2) == 0) {
        tag = voice_span(tag.ptr + 2, tag.len - 2);
    }

    if (list.len == 0) {
        return VOICE_INVALID;
    }

    found = 0;

    while (list.len > 0) {
        if (!tag_next(&list, &one)) {
            return VOICE_INVALID;
        }

        found |= voice_span_eq(one, tag);
    }

    return found ? VOICE_OK : VOICE_NOTFOUND;
}


int
voice_header_accepts(voice_span_t list, voice_span_t type)
{
    int           rank, best, quality, taken;
    voice_span_t  range;

    best = 0;
    taken = trim(list).len == 0;

    while (range_next(&list, &range, &quality)) {
        rank = range_rank(range, type);

        if (rank > best) {
            best = rank;
            taken = quality > 0;
        }
    }

    return taken;
}


voice_rc_t
voice_header_time(voice_span_t text, int64_t *seconds)
{
    int      i, year, month, day, hour, minute, second;
    int64_t  days;

    if (text.len != 20 || text.ptr[4] != '-' || text.ptr[7] != '-'
        || text.ptr[10] != 'T' || text.ptr[13] != ':' || text.ptr[16] != ':'
        || text.ptr[19] != 'Z')
    {
        return VOICE_INVALID;
    }

    year = number(text.ptr, 4);
    month = number(text.ptr + 5, 2);
    day = number(text.ptr + 8, 2);
    hour = number(text.ptr + 11, 2);
    minute = number(text.ptr + 14, 2);
    second = number(text.ptr + 17, 2);

    if (year < 1970 || month < 1 || month > 12 || day < 1
        || day > month_days(year, month) || hour < 0 || hour > 23
        || minute < 0 || minute > 59 || second < 0 || second > 59)
    {
        return VOICE_INVALID;
    }

    days = day - 1;

    for (i = 1; i < month; i++) {
        days += month_days(year, i);
    }

    for (i = 1970; i < year; i++) {
        days += month_days(i, 2) == 29 ? 366 : 365;
    }

    *seconds = days * DAY_SECONDS + hour * 3600 + minute * 60 + second;

    return VOICE_OK;
}


void
voice_header_date(int64_t seconds, char out[VOICE_HTTP_DATE_LEN + 1])
{
    int      year, month, rest;
    int64_t  day;

    static const char *const  days[] = {
        "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed",
    };
    static const char *const  months[] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
        "Nov", "Dec",
    };

    day = seconds / DAY_SECONDS;
    rest = (int) (seconds % DAY_SECONDS);

    memcpy(out, days[day % 7], 3);
    year = 1970;
    month = 1;

    while (year < 9999 && day >= (month_days(year, 2) == 29 ? 366 : 365)) {
        day -= month_days(year, 2) == 29 ? 366 : 365;
        year++;
    }

    while (month < 12 && day >= month_days(year, month)) {
        day -= month_days(year, month);
        month++;
    }

    (void) snprintf(out + 3, VOICE_HTTP_DATE_LEN - 2,
                    ", %02u %s %04u %02u:%02u:%02u GMT",
                    (unsigned) (day + 1) % 100, months[month - 1],
                    (unsigned) year % 10000, (unsigned) rest / 3600 % 24,
                    (unsigned) rest / 60 % 60, (unsigned) rest % 60);
}


/* Takes a media range and its comma off the front; 0 at the end. */
static int
range_next(voice_span_t *list, voice_span_t *range, int *quality)
{
    size_t        end, len;
    voice_span_t  one;

    if (list->len == 0) {
        return 0;
    }

    end = span_to(*list, ',');
    one = voice_span(list->ptr, end);
    end += end < list->len;
    *list = voice_span(list->ptr + end, list->len - end);

    len = span_to(one, ';');
    *range = trim(voice_span(one.ptr, len));
    *quality = range_quality(voice_span(one.ptr + len, one.len - len));

    return 1;
}


/* How well it fits: 0 not at all, 3 to the letter. */
static int
range_rank(voice_span_t range, voice_span_t type)
{
    size_t  slash;

    if (same_letters(range, type)) {
        return 3;
    }

    if (voice_span_eq(range, VOICE_SPAN("*/*"))) {
        return 1;
    }

    slash = span_to(type, '/');

    return range.len == slash + 2 && range.ptr[slash + 1] == '*'
           && same_letters(voice_span(range.ptr, slash + 1),
                           voice_span(type.ptr, slash + 1)) ? 2 : 0;
}


/* Of ";a=b;q=0.5", in thousandths; what is no number counts as 1. */
static int
range_quality(voice_span_t parameters)
{
    int           thousandths, unit;
    size_t        i, end;
    voice_span_t  one;

    while (parameters.len > 0) {
        parameters = voice_span(parameters.ptr + 1, parameters.len - 1);
        end = span_to(parameters, ';');
        one = trim(voice_span(parameters.ptr, end));
        parameters = voice_span(parameters.ptr + end, parameters.len - end);

        if (one.len < 3 || (one.ptr[0] | 0x20) != 'q' || one.ptr[1] != '='
            || one.ptr[2] != '0')
        {
            continue;
        }

        thousandths = 0;
        unit = 100;

        for (i = 4; i < one.len && one.ptr[i] >= '0' && one.ptr[i] <= '9';
             i++)
        {
            thousandths += (one.ptr[i] - '0') * unit;
            unit /= 10;
        }

        return thousandths;
    }

    return 1000;
}


/* Bytes before a character that is in no quoted string. */
static size_t
span_to(voice_span_t text, char end)
{
    int     quoted;
    size_t  i;

    quoted = 0;

    for (i = 0; i < text.len; i++) {
        if (!quoted && text.ptr[i] == end) {
            break;
        }

        if (text.ptr[i] == '"') {
            quoted = !quoted;

        } else if (quoted && text.ptr[i] == '\\' && i + 1 < text.len) {
            i++;
        }
    }

    return i;
}


/* b is in lower case. */
static int
same_letters(voice_span_t a, voice_span_t b)
{
    char    c;
    size_t  i;

    if (a.len != b.len) {
        return 0;
    }

    for (i = 0; i < a.len; i++) {
        c = a.ptr[i];

        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != b.ptr[i]) {
            return 0;
        }
    }

    return 1;
}


/* Takes a tag and its comma off the front; the tag without "W/". */
static int
tag_next(voice_span_t *list, voice_span_t *tag)
{
    size_t        i;
    voice_span_t  rest;

    rest = trim(*list);

    if (rest.len > 2 && memcmp(rest.ptr, "W/", 2) == 0) {
        rest = voice_span(rest.ptr + 2, rest.len - 2);
    }

    if (rest.len < 2 || rest.ptr[0] != '"') {
        return 0;
    }

    /* etagc: no blank, no control, no quote, no DEL */
    for (i = 1; i < rest.len && rest.ptr[i] != '"'; i++) {
        if ((unsigned char) rest.ptr[i] < 0x21 || rest.ptr[i] == 0x7f) {
            return 0;
        }
    }

    if (i == rest.len) {
        return 0;
    }

    *tag = voice_span(rest.ptr, i + 1);
    rest = trim(voice_span(rest.ptr + i + 1, rest.len - i - 1));

    if (rest.len == 0) {
        *list = rest;
        return 1;
    }

    if (rest.ptr[0] != ',') {
        return 0;
    }

    *list = trim(voice_span(rest.ptr + 1, rest.len - 1));

    return list->len > 0;
}


static voice_span_t
trim(voice_span_t text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text = voice_span(text.ptr + 1, text.len - 1);
    }

    while (text.len > 0 && (text.ptr[text.len - 1] == ' '
                            || text.ptr[text.len - 1] == '\t'))
    {
        text.len--;
    }

    return text;
}


/* -1: not digits only. */
static int
number(const char *text, size_t digits)
{
    int     n;
    size_t  i;

    n = 0;

    for (i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }

        n = n * 10 + text[i] - '0';
    }

    return n;
}


static int
month_days(int year, int month)
{
    static const int  days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31,
    };

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
    {
        return 29;
    }

    return days[month - 1];
}
