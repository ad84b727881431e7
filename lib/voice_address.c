
/*
 * Ranges of IP addresses: parsed by inet_pton(), compared bit by bit.
 */

#include "voice_address.h"

#include <arpa/inet.h>
#include <string.h>


#define ADDRESS_TEXT_MAX  46           /* INET6_ADDRSTRLEN */
#define MAPPED_BITS       96           /* of ::ffff:0:0/96 */


static int prefix_parse(voice_span_t text, int max);


voice_rc_t
voice_range_parse(voice_span_t text, voice_range_t *range)
{
    int             bits;
    char            name[ADDRESS_TEXT_MAX];
    size_t          len;
    const char     *slash;
    unsigned char   ipv4[4];

    slash = text.len == 0 ? NULL : memchr(text.ptr, '/', text.len);
    len = slash == NULL ? text.len : (size_t) (slash - text.ptr);

    if (len == 0 || len >= sizeof(name)
        || memchr(text.ptr, '\0', text.len) != NULL)
    {
        return VOICE_INVALID;
    }

    memcpy(name, text.ptr, len);
    name[len] = '\0';

    if (inet_pton(AF_INET, name, ipv4) == 1) {
        voice_address_map(range->address, ipv4);
        bits = 32;

    } else if (inet_pton(AF_INET6, name, range->address) == 1) {
        bits = 128;

    } else {
        return VOICE_INVALID;
    }

    range->bits = (unsigned char) (bits == 32 ? MAPPED_BITS : 0);

    if (slash != NULL) {
        bits = prefix_parse(voice_span(slash + 1, text.len - len - 1), bits);
    }

    if (bits < 0) {
        return VOICE_INVALID;
    }

    range->bits = (unsigned char) (range->bits + bits);

    return VOICE_OK;
}


void
voice_address_map(unsigned char address[VOICE_ADDRESS_LEN],
    const unsigned char ipv4[4])
{
    memset(address, 0, 10);
    memset(address + 10, 0xff, 2);
    memcpy(address + 12, ipv4, 4);
}


int
voice_range_holds(const voice_range_t *range,
    const unsigned char address[VOICE_ADDRESS_LEN])
{
    unsigned int  whole, rest;

    whole = range->bits / 8;
    rest = range->bits % 8;

    if (memcmp(range->address, address, whole) != 0) {
        return 0;
    }

    return rest == 0
           || ((range->address[whole] ^ address[whole]) >> (8 - rest)) == 0;
}


/* A decimal number up to max; -1 otherwise. */
static int
prefix_parse(voice_span_t text, int max)
{
    int     bits;
    size_t  i;

    if (text.len == 0 || text.len > 3) {
        return -1;
    }

    bits = 0;

    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return -1;
        }

        bits = bits * 10 + (text.ptr[i] - '0');
    }

    return bits <= max ? bits : -1;
}
