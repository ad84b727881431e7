
/*
 * Ranges of IP addresses.  All are IPv6 ones: an IPv4 address stands mapped
 * (RFC 4291 section 2.5.5.2), so that both forms of it are the same.
 */

#ifndef VOICE_ADDRESS_H
#define VOICE_ADDRESS_H


#include "voice_base.h"


#define VOICE_ADDRESS_LEN  16


typedef struct {
    unsigned char  address[VOICE_ADDRESS_LEN];
    unsigned char  bits;               /* of the prefix, 0 to 128 */
} voice_range_t;


/*
 * "10.0.0.0/8", "2001:db8::/32", or an address alone (RFC 4632, RFC 4291);
 * what follows the prefix is ignored.  VOICE_INVALID for anything else.
 */
voice_rc_t voice_range_parse(voice_span_t text, voice_range_t *range)
    VOICE_MUST_CHECK;

/* From the 4 bytes of an IPv4 address. */
void voice_address_map(unsigned char address[VOICE_ADDRESS_LEN],
    const unsigned char ipv4[4]);

/* Is the address in the range? */
int voice_range_holds(const voice_range_t *range,
    const unsigned char address[VOICE_ADDRESS_LEN]);


#endif /* VOICE_ADDRESS_H */
