
/*
 * Times of the API.
 */

#include <ctype.h>

#include "ctl_time.h"
#include "voice_header.h"


#define TIME_SECONDS  19               /* bytes up to the seconds */


double
ctl_time_ms(voice_span_t text)
{
    char     whole[TIME_SECONDS + 2];
    size_t   i;
    double   part, scale;
    int64_t  seconds;

    if (text.len < TIME_SECONDS + 1 || text.ptr[text.len - 1] != 'Z') {
        return 0;
    }

    memcpy(whole, text.ptr, TIME_SECONDS);
    whole[TIME_SECONDS] = 'Z';

    if (voice_header_time(voice_span(whole, TIME_SECONDS + 1), &seconds)
        != VOICE_OK)
    {
        return 0;
    }

    part = 0;
    scale = 100;

    for (i = TIME_SECONDS + 1; i + 1 < text.len
         && isdigit((unsigned char) text.ptr[i]); i++)
    {
        part += (text.ptr[i] - '0') * scale;
        scale /= 10;
    }

    return (double) seconds * 1000 + part;
}
