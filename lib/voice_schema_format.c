/*
 * Formats of strings that we assert (JSON Schema validation, section 7.3);
 * all others are annotations.
 */

#include "voice_code.h"
#include "voice_schema_private.h"


#define FORMAT_LABEL_MAX  63           /* RFC 1035 section 2.3.4 */
#define FORMAT_NAME_MAX   253
#define FORMAT_LOCAL_MAX  64           /* RFC 5321 section 4.5.3.1 */


static int format_date_time(voice_span_t text);
static int format_date(voice_span_t text);
static int format_time(voice_span_t text);
static int format_email(voice_span_t text);
static int format_hostname(voice_span_t text);
static int format_ipv4(voice_span_t text);
static int time_offset(voice_span_t text, int *minutes);
static int number_at(voice_span_t text, size_t at, size_t digits);
static int local_part(voice_span_t text);
static int quoted_part(voice_span_t text);
static int mail_domain(voice_span_t text);
static int label_good(voice_span_t label);
static int ipv6_groups(voice_span_t text);
static int is_digit(char c);
static int is_alpha(char c);
static int is_hex(char c);


static const struct {
    const char        *name;
    schema_format_pt   function;
} schema_formats[] = {
    { "uuid", voice_uuid_valid },
    { "date-time", format_date_time },
    { "date", format_date },
    { "time", format_time },
    { "email", format_email },
    { "hostname", format_hostname },
    { "ipv4", format_ipv4 },
    { "ipv6", schema_format_ipv6 },
    { "uri", schema_format_uri },
};


schema_format_pt
schema_format(const char *name)
{
    size_t  i;

    for (i = 0; i < VOICE_ARRAY_SIZE(schema_formats); i++) {
        if (strcmp(schema_formats[i].name, name) == 0) {
            return schema_formats[i].function;
        }
    }

    return NULL;
}


/* RFC 3339 section 5.6. */
static int
format_date_time(voice_span_t text)
{
    if (text.len < 11 || (text.ptr[10] != 'T' && text.ptr[10] != 't')) {
        return 0;
    }

    return format_date(voice_span(text.ptr, 10))
           && format_time(voice_span(text.ptr + 11, text.len - 11));
}


static int
format_date(voice_span_t text)
{
    int  year, month, day, days;

    static const int  lengths[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    if (text.len != 10 || text.ptr[4] != '-' || text.ptr[7] != '-') {
        return 0;
    }

    year = number_at(text, 0, 4);
    month = number_at(text, 5, 2);
    day = number_at(text, 8, 2);

    if (year < 0 || month < 1 || month > 12 || day < 1) {
        return 0;
    }

    days = lengths[month - 1];

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        days++;
    }

    return day <= days;
}


static int
format_time(voice_span_t text)
{
    int     hour, minute, second, offset;
    size_t  i;

    if (text.len < 9 || text.ptr[2] != ':' || text.ptr[5] != ':') {
        return 0;
    }

    hour = number_at(text, 0, 2);
    minute = number_at(text, 3, 2);
    second = number_at(text, 6, 2);
    i = 8;

    if (text.ptr[i] == '.') {
        for (i++; i < text.len && is_digit(text.ptr[i]); i++) {
            /* any number of digits, but one at least */
        }

        if (i == 9) {
            return 0;
        }
    }

    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0
        || second > 60
        || !time_offset(voice_span(text.ptr + i, text.len - i), &offset))
    {
        return 0;
    }

    /* a leap second ends a day of UTC */

    return second < 60
           || (hour * 60 + minute - offset + 1440) % 1440 == 1439;
}


/* RFC 5321 section 4.1.2. */
static int
format_email(voice_span_t text)
{
    size_t  at;

    for (at = text.len; at > 0 && text.ptr[at - 1] != '@'; at--) {
        /* the last "@": a quoted local part may hold others */
    }

    if (at < 2 || at - 1 > FORMAT_LOCAL_MAX) {
        return 0;
    }

    return local_part(voice_span(text.ptr, at - 1))
           && mail_domain(voice_span(text.ptr + at, text.len - at));
}


/* RFC 1123 section 2.1. */
static int
format_hostname(voice_span_t text)
{
    size_t  i, start;

    if (text.len == 0 || text.len > FORMAT_NAME_MAX) {
        return 0;
    }

    start = 0;

    for (i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '.') {
            continue;
        }

        if (!label_good(voice_span(text.ptr + start, i - start))) {
            return 0;
        }

        start = i + 1;
    }

    return 1;
}


static int
format_ipv4(voice_span_t text)
{
    int     n, value;
    size_t  i, digits;

    n = 1;
    value = 0;
    digits = 0;

    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.' && digits > 0) {
            n++;
            value = 0;
            digits = 0;
            continue;
        }

        /* a leading zero makes some read the number as octal */

        if (!is_digit(text.ptr[i]) || (digits > 0 && value == 0)) {
            return 0;
        }

        value = value * 10 + text.ptr[i] - '0';
        digits++;

        if (value > 255) {
            return 0;
        }
    }

    return n == 4 && digits > 0;
}


/* RFC 4291 section 2.2; no zone. */
int
schema_format_ipv6(voice_span_t text)
{
    int     left, right;
    size_t  i;

    for (i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] != ':' || text.ptr[i + 1] != ':') {
            continue;
        }

        /* an address in dots may stand at the very end only */

        if (memchr(text.ptr, '.', i) != NULL) {
            return 0;
        }

        left = ipv6_groups(voice_span(text.ptr, i));
        right = ipv6_groups(voice_span(text.ptr + i + 2, text.len - i - 2));

        return left >= 0 && right >= 0 && left + right <= 7;
    }

    return ipv6_groups(text) == 8;
}


static int
time_offset(voice_span_t text, int *minutes)
{
    int  hour, minute;

    *minutes = 0;

    if (text.len == 1) {
        return text.ptr[0] == 'Z' || text.ptr[0] == 'z';
    }

    if (text.len != 6 || text.ptr[3] != ':'
        || (text.ptr[0] != '+' && text.ptr[0] != '-'))
    {
        return 0;
    }

    hour = number_at(text, 1, 2);
    minute = number_at(text, 4, 2);

    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) {
        return 0;
    }

    *minutes = (hour * 60 + minute) * (text.ptr[0] == '-' ? -1 : 1);

    return 1;
}


/* Decimal digits as a number, -1 if there is another character. */
static int
number_at(voice_span_t text, size_t at, size_t digits)
{
    int     n;
    size_t  i;

    n = 0;

    for (i = at; i < at + digits; i++) {
        if (i >= text.len || !is_digit(text.ptr[i])) {
            return -1;
        }

        n = n * 10 + text.ptr[i] - '0';
    }

    return n;
}


static int
local_part(voice_span_t text)
{
    char    c;
    size_t  i;

    if (text.ptr[0] == '"') {
        return quoted_part(text);
    }

    for (i = 0; i < text.len; i++) {
        c = text.ptr[i];

        if (c == '.' && i > 0 && i + 1 < text.len && text.ptr[i - 1] != '.') {
            continue;
        }

        if (!is_alpha(c) && !is_digit(c)
            && (c == '\0' || strchr("!#$%&'*+-/=?^_`{|}~", c) == NULL))
        {
            return 0;
        }
    }

    return 1;
}


static int
quoted_part(voice_span_t text)
{
    size_t  i;

    if (text.len < 2 || text.ptr[text.len - 1] != '"') {
        return 0;
    }

    for (i = 1; i + 1 < text.len; i++) {
        if (text.ptr[i] < 32 || text.ptr[i] > 126 || text.ptr[i] == '"') {
            return 0;
        }

        if (text.ptr[i] == '\\') {
            i++;

            if (i + 1 >= text.len || text.ptr[i] < 32 || text.ptr[i] > 126) {
                return 0;
            }
        }
    }

    return 1;
}


static int
mail_domain(voice_span_t text)
{
    voice_span_t  inner;

    if (text.len < 2 || text.ptr[0] != '[') {
        return format_hostname(text);
    }

    if (text.ptr[text.len - 1] != ']') {
        return 0;
    }

    inner = voice_span(text.ptr + 1, text.len - 2);

    if (inner.len > 5 && memcmp(inner.ptr, "IPv6:", 5) == 0) {
        return schema_format_ipv6(voice_span(inner.ptr + 5, inner.len - 5));
    }

    return format_ipv4(inner);
}


static int
label_good(voice_span_t label)
{
    size_t  i;

    if (label.len == 0 || label.len > FORMAT_LABEL_MAX
        || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
    {
        return 0;
    }

    for (i = 0; i < label.len; i++) {
        if (!is_alpha(label.ptr[i]) && !is_digit(label.ptr[i])
            && label.ptr[i] != '-')
        {
            return 0;
        }
    }

    /*
     * Two hyphens there mark an encoded label (RFC 5891 section 4.2.3.1);
     * "xn--" is the only encoding there is.
     */

    if (label.len >= 4 && label.ptr[2] == '-' && label.ptr[3] == '-') {
        return label.len > 4 && (label.ptr[0] | 0x20) == 'x'
               && (label.ptr[1] | 0x20) == 'n';
    }

    return 1;
}


/*
 * Groups of 16 bits in a part of an address, -1 if it is malformed; an IPv4
 * address at its end counts as two.
 */
static int
ipv6_groups(voice_span_t text)
{
    int     n;
    size_t  i, start;

    n = 0;
    start = 0;

    if (text.len == 0) {
        return 0;
    }

    for (i = 0; i <= text.len; i++) {
        if (i < text.len && is_hex(text.ptr[i])) {
            continue;
        }

        if (i < text.len && text.ptr[i] == '.') {
            return format_ipv4(voice_span(text.ptr + start, text.len - start))
                   ? n + 2 : -1;
        }

        if (i == start || i - start > 4
            || (i < text.len && text.ptr[i] != ':'))
        {
            return -1;
        }

        n++;
        start = i + 1;
    }

    return n;
}


static int
is_digit(char c)
{
    return c >= '0' && c <= '9';
}


static int
is_alpha(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}


static int
is_hex(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}
