
/*
 * What the recognisers with a grammar and without one have in common.
 */

#ifndef SPEECH_DECODER_H
#define SPEECH_DECODER_H


#include <pocketsphinx.h>


#define SPEECH_TEXT_MAX  8192          /* bytes of an utterance's text */


/* Begin with zeros. */
typedef struct {
    char    bytes[SPEECH_TEXT_MAX];    /* with a NUL */
    size_t  len;
} speech_text_t;


/*
 * Begins an utterance, in a search or (NULL) in the one that is set, which
 * owes nothing to those before it: without this the cepstral mean would be
 * that of all that was ever heard.  0: it cannot.
 */
int speech_decoder_begin(ps_decoder_t *decoder, const char *search);

/*
 * Adds a word of a segment: "read(2)" is "read".  0: it is none (fillers,
 * empty transitions), or there is no room.
 */
int speech_text_add(speech_text_t *text, const char *word);


#endif /* SPEECH_DECODER_H */
