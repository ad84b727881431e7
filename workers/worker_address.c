
/*
 * Which addresses are not of the public Internet (the special-purpose
 * registries of RFC 6890).
 */

#include <netinet/in.h>
#include <string.h>

#include "worker_address.h"


/* An address range that is not of the public Internet. */
typedef struct {
    unsigned char  prefix[16];
    int            bits;
} range_t;


static int in_ranges(const unsigned char *bytes, const range_t *ranges);


static const range_t  private_v4[] = {
    { { 0 }, 8 },                      /* "this" network */
    { { 10 }, 8 },
    { { 100, 64 }, 10 },               /* shared by carriers */
    { { 127 }, 8 },
    { { 169, 254 }, 16 },              /* link local, cloud metadata */
    { { 172, 16 }, 12 },
    { { 192, 0, 0 }, 24 },
    { { 192, 168 }, 16 },
    { { 198, 18 }, 15 },
    { { 224 }, 3 },                    /* multicast and reserved */
    { { 0 }, -1 }
};


static const range_t  private_v6[] = {
    { { 0 }, 96 },                     /* ::, ::1, IPv4 compatible */
    { { 0, 0x64, 0xff, 0x9b }, 32 },   /* NAT64: any IPv4 behind it */
    { { 0x20, 0x02 }, 16 },            /* 6to4: the same */
    { { 0xfc }, 7 },
    { { 0xfe, 0x80 }, 9 },             /* link and site local */
    { { 0xff }, 8 },
    { { 0 }, -1 }
};


int
worker_address_private(const struct sockaddr *address)
{
    const struct in6_addr  *v6;

    if (address->sa_family == AF_INET) {
        return in_ranges((const unsigned char *)
                         &((const struct sockaddr_in *) address)->sin_addr,
                         private_v4);
    }

    if (address->sa_family != AF_INET6) {
        return 1;
    }

    v6 = &((const struct sockaddr_in6 *) address)->sin6_addr;

    if (IN6_IS_ADDR_V4MAPPED(v6)) {
        return in_ranges(v6->s6_addr + 12, private_v4);
    }

    return in_ranges(v6->s6_addr, private_v6);
}


static int
in_ranges(const unsigned char *bytes, const range_t *ranges)
{
    int             whole, rest;
    const range_t  *r;

    for (r = ranges; r->bits != -1; r++) {
        whole = r->bits / 8;
        rest = r->bits % 8;

        if (memcmp(bytes, r->prefix, (size_t) whole) == 0
            && (rest == 0
                || ((bytes[whole] ^ r->prefix[whole]) >> (8 - rest)) == 0))
        {
            return 1;
        }
    }

    return 0;
}
