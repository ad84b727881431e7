
/*
 * Times of the API.
 */

#ifndef CTL_TIME_H
#define CTL_TIME_H


#include "ctl.h"


/*
 * "2026-11-21T19:46:22.123456Z" (any number of decimals) in milliseconds
 * since 1970; 0: that is none.
 */
double ctl_time_ms(voice_span_t text);


#endif /* CTL_TIME_H */
