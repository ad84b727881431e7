
/*
 * Utterances of pocketsphinx, and the words of their text.
 */

#include <string.h>

#include "speech_decoder.h"


int
speech_decoder_begin(ps_decoder_t *decoder, const char *search)
{
    cmn_t  *cmn;

    cmn = ps_get_feat(decoder)->cmn_struct;
    memset(cmn->sum, 0, sizeof(mfcc_t) * cmn->veclen);
    cmn->nframe = 0;

    return (search == NULL || ps_set_search(decoder, search) == 0)
           && ps_start_stream(decoder) == 0
           && ps_start_utt(decoder) == 0;
}


int
speech_text_add(speech_text_t *text, const char *word)
{
    size_t  n;

    n = strcspn(word, "(");

    if (n == 0 || word[0] == '<' || word[0] == '['
        || text->len + n + 2 > SPEECH_TEXT_MAX)
    {
        return 0;
    }

    if (text->len > 0) {
        text->bytes[text->len++] = ' ';
    }

    memcpy(text->bytes + text->len, word, n);
    text->len += n;
    text->bytes[text->len] = '\0';

    return 1;
}
