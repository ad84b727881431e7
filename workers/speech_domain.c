
/*
 * Where the grammars of a domain are, and for which languages.
 */

#include <stdio.h>
#include <unistd.h>

#include "../lib/voice_language.h"
#include "speech_domain.h"


const speech_model_t  speech_models[] = {
    { "en",
      "/usr/share/pocketsphinx/model/en-us/en-us",
      "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict",
      "/usr/share/pocketsphinx/model/en-us/en-us-phone.lm.bin" },
    { NULL, NULL, NULL, NULL }
};

const char *const  speech_side_names[] = { "questions", "answers" };


int
speech_grammar_path(char *out, size_t size, const char *dir,
    const speech_sound_t *sound)
{
    int                    len;
    voice_span_t           primary;
    const speech_model_t  *model;

    if (!speech_name_valid(sound->domain)) {
        return 0;
    }

    primary = voice_language_primary(sound->language);

    for (model = speech_models; model->language != NULL; model++) {
        if (!voice_language_matches(voice_span_str(model->language),
                                    primary))
        {
            continue;
        }

        len = snprintf(out, size, "%s/%s/%s/%s.gram", dir, sound->domain,
                       model->language, speech_side_names[sound->side]);

        return len > 0 && (size_t) len < size && access(out, R_OK) == 0;
    }

    return 0;
}


int
speech_understands(const char *dir, const char *domain,
    voice_span_t language)
{
    char            path[SPEECH_PATH_MAX];
    speech_sound_t  sound = { .domain = domain, .language = language };

    for (sound.side = SPEECH_QUESTIONS; sound.side <= SPEECH_ANSWERS;
         sound.side++)
    {
        if (!speech_grammar_path(path, sizeof(path), dir, &sound)) {
            return 0;
        }
    }

    return 1;
}


int
speech_name_valid(const char *name)
{
    size_t  len;

    len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

    return len > 0 && len < SPEECH_NAME_MAX && name[len] == '\0';
}
