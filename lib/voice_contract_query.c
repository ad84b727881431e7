/*
 * Query strings and percent-encoding (RFC 3986, with "+" as a space as HTML
 * forms write it).
 */

#include "voice_contract_private.h"


static int hex_value(char c);


voice_rc_t
voice_query_find(voice_span_t query, const char *name, char *buf, size_t size,
    size_t *len)
{
    char          text[CONTRACT_VALUE_MAX];
    voice_span_t  raw_name, raw_value, decoded;

    while (contract_query_next(&query, &raw_name, &raw_value)) {
        if (contract_decode(raw_name, 1, text, &decoded) != NULL
            || !voice_span_eq(decoded, voice_span_str(name)))
        {
            continue;
        }

        if (contract_decode(raw_value, 1, text, &decoded) != NULL) {
            return VOICE_INVALID;
        }

        if (decoded.len > size) {
            return VOICE_LIMIT;
        }

        memcpy(buf, decoded.ptr, decoded.len);
        *len = decoded.len;

        return VOICE_OK;
    }

    return VOICE_NOTFOUND;
}


voice_rc_t
voice_capture(const voice_match_t *match, unsigned index, char *buf,
    size_t size, voice_span_t *text)
{
    char          decoded[CONTRACT_VALUE_MAX];
    voice_span_t  raw;

    raw = match->captures[index];

    if (memchr(raw.ptr, '%', raw.len) == NULL) {
        *text = raw;
        return raw.len > size ? VOICE_LIMIT : VOICE_OK;
    }

    if (contract_decode(raw, 0, decoded, text) != NULL) {
        return VOICE_INVALID;
    }

    if (text->len > size) {
        return VOICE_LIMIT;
    }

    memcpy(buf, decoded, text->len);
    text->ptr = buf;

    return VOICE_OK;
}


const char *
contract_decode(voice_span_t in, int plus, char *buf, voice_span_t *out)
{
    int     high, low;
    char    c;
    size_t  i, n;

    n = 0;

    for (i = 0; i < in.len; i++) {
        if (n == CONTRACT_VALUE_MAX) {
            return "is too long";
        }

        c = in.ptr[i];

        if (c == '%') {
            if (in.len - i < 3) {
                return "has a broken percent-encoding";
            }

            high = hex_value(in.ptr[i + 1]);
            low = hex_value(in.ptr[i + 2]);

            if (high < 0 || low < 0) {
                return "has a broken percent-encoding";
            }

            c = (char) (high << 4 | low);
            i += 2;

        } else if (c == '+' && plus) {
            c = ' ';
        }

        if (c == '\0') {
            return "has a NUL";
        }

        buf[n++] = c;
    }

    *out = voice_span(buf, n);

    return NULL;
}


int
contract_query_next(voice_span_t *query, voice_span_t *name,
    voice_span_t *value)
{
    size_t        len;
    const char   *end;
    voice_span_t  pair;

    do {
        if (query->len == 0) {
            return 0;
        }

        end = memchr(query->ptr, '&', query->len);
        len = end == NULL ? query->len : (size_t) (end - query->ptr);
        pair = voice_span(query->ptr, len);
        len += end != NULL;
        *query = voice_span(query->ptr + len, query->len - len);

    } while (pair.len == 0);

    end = memchr(pair.ptr, '=', pair.len);
    *name = pair;
    *value = voice_span(pair.ptr + pair.len, 0);

    if (end != NULL) {
        name->len = (size_t) (end - pair.ptr);
        *value = voice_span(end + 1, pair.len - name->len - 1);
    }

    return 1;
}


static int
hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
