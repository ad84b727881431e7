
/*
 * Lists of servers, see voice_endpoint.h.
 */

#include <arpa/inet.h>
#include <stdio.h>

#include "voice_endpoint.h"


static voice_span_t trim(voice_span_t text);
static int is_blank(char c);
static voice_rc_t read_one(voice_span_t text, voice_endpoint_t *endpoint);
static voice_rc_t read_host(voice_span_t text, voice_endpoint_t *endpoint);
static voice_rc_t read_port(voice_span_t text, voice_endpoint_t *endpoint);
static int is_address(const char *host);


voice_rc_t
voice_endpoints_parse(voice_span_t text, voice_endpoints_t *list)
{
    size_t        len;
    voice_rc_t    rc;
    const char   *comma, *end;
    voice_span_t  one;

    list->n = 0;
    end = text.ptr + text.len;

    do {
        comma = text.len == 0 ? NULL : memchr(text.ptr, ',', text.len);
        len = comma == NULL ? text.len : (size_t) (comma - text.ptr);
        one = trim(voice_span(text.ptr, len));

        if (list->n == VOICE_ENDPOINTS_MAX) {
            return VOICE_LIMIT;
        }

        rc = read_one(one, &list->at[list->n]);
        if (rc != VOICE_OK) {
            return rc;
        }

        list->n++;

        if (comma != NULL) {
            text = voice_span(comma + 1, (size_t) (end - comma - 1));
        }
    } while (comma != NULL);

    return VOICE_OK;
}


void
voice_endpoints_port(voice_endpoints_t *list, int port)
{
    unsigned  i;

    for (i = 0; i < list->n; i++) {
        if (list->at[i].port == 0) {
            list->at[i].port = port;
        }
    }
}


int
voice_endpoint_local(const voice_endpoint_t *endpoint)
{
    return endpoint->host[0] == '/';
}


void
voice_endpoint_text(const voice_endpoint_t *endpoint,
    char text[VOICE_ENDPOINT_TEXT])
{
    if (voice_endpoint_local(endpoint) || endpoint->port == 0) {
        snprintf(text, VOICE_ENDPOINT_TEXT, "%s", endpoint->host);
        return;
    }

    snprintf(text, VOICE_ENDPOINT_TEXT,
             strchr(endpoint->host, ':') == NULL ? "%s:%d" : "[%s]:%d",
             endpoint->host, endpoint->port);
}


static voice_span_t
trim(voice_span_t text)
{
    while (text.len > 0 && is_blank(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }

    while (text.len > 0 && is_blank(text.ptr[text.len - 1])) {
        text.len--;
    }

    return text;
}


static int
is_blank(char c)
{
    return c == ' ' || c == '\t';
}


static voice_rc_t
read_one(voice_span_t text, voice_endpoint_t *endpoint)
{
    voice_rc_t   rc;
    const char  *colon, *end;

    memset(endpoint, 0, sizeof(voice_endpoint_t));

    if (text.len == 0) {
        return VOICE_INVALID;
    }

    end = text.ptr + text.len;

    if (text.ptr[0] == '[') {
        colon = memchr(text.ptr, ']', text.len);

        if (colon == NULL || end - colon < 2 || colon[1] != ':') {
            return VOICE_INVALID;
        }

        rc = read_host(voice_span(text.ptr + 1,
                                  (size_t) (colon - text.ptr - 1)), endpoint);

        return rc != VOICE_OK ? rc
               : read_port(voice_span(colon + 2, (size_t) (end - colon - 2)),
                           endpoint);
    }

    colon = text.ptr[0] == '/' ? NULL : memchr(text.ptr, ':', text.len);

    /* of several colons none is before a port */
    if (colon == NULL
        || memchr(colon + 1, ':', (size_t) (end - colon - 1)) != NULL)
    {
        return read_host(text, endpoint);
    }

    rc = read_host(voice_span(text.ptr, (size_t) (colon - text.ptr)),
                   endpoint);

    return rc != VOICE_OK ? rc
           : read_port(voice_span(colon + 1, (size_t) (end - colon - 1)),
                       endpoint);
}


static voice_rc_t
read_host(voice_span_t text, voice_endpoint_t *endpoint)
{
    if (text.len >= VOICE_ENDPOINT_HOST) {
        return VOICE_LIMIT;
    }

    if (text.len == 0 || memchr(text.ptr, '\0', text.len) != NULL) {
        return VOICE_INVALID;
    }

    memcpy(endpoint->host, text.ptr, text.len);
    endpoint->host[text.len] = '\0';

    return voice_endpoint_local(endpoint) || is_address(endpoint->host)
           ? VOICE_OK : VOICE_INVALID;
}


static voice_rc_t
read_port(voice_span_t text, voice_endpoint_t *endpoint)
{
    size_t  i;

    if (text.len == 0 || text.len > 5) {
        return VOICE_INVALID;
    }

    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return VOICE_INVALID;
        }

        endpoint->port = endpoint->port * 10 + (text.ptr[i] - '0');
    }

    return endpoint->port >= 1 && endpoint->port <= 65535 ? VOICE_OK
                                                          : VOICE_INVALID;
}


static int
is_address(const char *host)
{
    struct in_addr   v4;
    struct in6_addr  v6;

    return inet_pton(AF_INET, host, &v4) == 1
           || inet_pton(AF_INET6, host, &v6) == 1;
}
