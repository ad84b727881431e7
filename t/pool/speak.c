
/*
 * Speaks a text as the pool does, to the byte: tests know by it what a voice
 * agent was sent, and what a fake one shall answer.
 */

#include <stdio.h>
#include <stdlib.h>

#include "../../workers/provider.h"


int
main(int argc, char **argv)
{
    int                   done;
    char                 *wav;
    FILE                 *out;
    size_t                len;
    provider_call_t       call = { NULL, NULL, 0 };
    provider_fault_t      fault;
    worker_settings_t     settings;
    provider_utterance_t  utterance;

    if (argc != 5) {
        fprintf(stderr, "usage: speak CACHE_DIR VOICE TEXT FILE.wav\n");
        return 1;
    }

    memset(&settings, 0, sizeof(worker_settings_t));
    settings.cache_dir = argv[1];
    call.settings = &settings;
    utterance.voice = voice_span_str(argv[2]);
    utterance.text = voice_span_str(argv[3]);
    utterance.language = VOICE_SPAN("en");

    if (provider_tts_flite.speak(&call, &utterance, &wav, &len, &fault)
        != PROVIDER_OK)
    {
        fprintf(stderr, "%s\n", fault.reason);
        return 1;
    }

    out = fopen(argv[4], "wb");
    if (out == NULL) {
        perror(argv[4]);
        return 1;
    }

    done = fwrite(wav, 1, len, out) == len;
    done = fclose(out) == 0 && done;
    free(wav);

    return done ? 0 : 1;
}
