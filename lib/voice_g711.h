
/*
 * ITU-T G.711: 8 bits a sample, 8000 samples in a second, as telephony
 * sends it; both laws, decoded by tables (G.711 tables 1a, 1b, 2a and 2b;
 * values are those of 13 and 14 bits, shifted to 16).
 */

#ifndef VOICE_G711_H
#define VOICE_G711_H


#include "voice_base.h"


#define VOICE_G711_RATE  8000


typedef enum {
    VOICE_G711_MU_LAW = 0,             /* "pcmu" */
    VOICE_G711_A_LAW                   /* "pcma" */
} voice_g711_e;


/* out holds as many samples as in has bytes. */
void voice_g711_decode(voice_g711_e law, voice_span_t in, int16_t *out);

/* The codes nearest to samples; out holds count bytes. */
void voice_g711_encode(voice_g711_e law, const int16_t *in, size_t count,
    unsigned char *out);


#endif /* VOICE_G711_H */
