
/*
 * What keeps a good answer from passing by itself: the sound does not say
 * all that the agent's text says.  Recognisers err, too, so this is no
 * failure; a human listens.
 */

#include <stdio.h>
#include <stdlib.h>

#include "../lib/voice_json.h"
#include "../lib/voice_text.h"
#include "job_validation.h"


/* Both texts as they are compared. */
typedef struct {
    char  *written;
    char  *heard;
    char  *reason;                     /* JOB_DOUBT_MAX */
} doubt_t;


static int doubt_phrases(doubt_t *doubt, const json_t *expected);
static int doubt_entities(doubt_t *doubt, const json_t *expected);
static int unheard(const doubt_t *doubt, const json_t *phrase);
static char *plain(voice_span_t text);


int
job_doubt(const job_measures_t *m, char reason[JOB_DOUBT_MAX])
{
    int      found;
    doubt_t  doubt;

    if (m->heard.text == NULL || m->response.len == 0) {
        return 0;
    }

    if (m->spoken > m->policy.wer_pass) {
        snprintf(reason, JOB_DOUBT_MAX, "what was heard differs from the "
                 "agent's text: WER %.2f", m->spoken);
        return 1;
    }

    doubt.written = plain(m->response);
    doubt.heard = plain(m->answer);
    doubt.reason = reason;

    found = doubt_phrases(&doubt, m->expected)
            || doubt_entities(&doubt, m->expected);

    free(doubt.written);
    free(doubt.heard);

    return found;
}


static int
doubt_phrases(doubt_t *doubt, const json_t *expected)
{
    size_t         i;
    const json_t  *phrase, *content;

    content = json_object_get(json_object_get(expected, "patterns"),
                              "contains");

    json_array_foreach(content, i, phrase) {
        if (unheard(doubt, phrase)) {
            snprintf(doubt->reason, JOB_DOUBT_MAX, "phrase %zu that the "
                     "answer must contain was not heard", i + 1);
            return 1;
        }
    }

    return 0;
}


static int
doubt_entities(doubt_t *doubt, const json_t *expected)
{
    json_t      *value;
    const char  *name;

    json_object_foreach(json_object_get(expected, "entities"), name, value) {
        if (unheard(doubt, value)) {
            snprintf(doubt->reason, JOB_DOUBT_MAX,
                     "the entity \"%.60s\" was not heard", name);
            return 1;
        }
    }

    return 0;
}


/*
 * In the agent's text, not in the sound.  What is not in the text is not
 * looked for: an agent may say "you are all set".
 */

static int
unheard(const doubt_t *doubt, const json_t *phrase)
{
    int    missing;
    char  *text;

    if (!json_is_string(phrase)) {
        return 0;
    }

    text = plain(voice_span(json_string_value(phrase),
                            json_string_length(phrase)));

    missing = text == NULL || doubt->written == NULL || doubt->heard == NULL
              || (strstr(doubt->written, text) != NULL
                  && strstr(doubt->heard, text) == NULL);
    free(text);

    return missing;
}


/* NULL, which is a doubt, where there is no memory. */

static char *
plain(voice_span_t text)
{
    char    *out;
    size_t   len;

    return voice_text_normalise(text, 0, &out, &len) == VOICE_OK ? out : NULL;
}
