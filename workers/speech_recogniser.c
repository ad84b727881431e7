
/*
 * Speech to text: two passes of pocketsphinx over an utterance, one with a
 * loop of phones, one with the domain's grammar.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <pocketsphinx.h>
#include <sphinxbase/err.h>

#include "speech_decoder.h"
#include "speech_domain.h"
#include "speech_recogniser.h"


#define SEARCHES_MAX   16              /* grammars that are kept */
#define SEARCH_NAME    (SPEECH_NAME_MAX + 16)
#define CEPSTRA_MAX    64
#define CHUNK          1600            /* samples between two partials */
#define PHONES         "phones"

/*
 * Measured (docs/speech.md).  The half is the fit that is as likely right as
 * wrong, the step how fast that changes.  Each stretch of PART_FRAMES must
 * fit by itself, so that one foreign word is noticed; shorter stretches are
 * too uncertain.
 */
#define FIT_HALF       (-33.0)
#define FIT_STEP       6.0
#define PART_HALF      (-60.0)
#define PART_STEP      6.0
#define PART_FRAMES    45
#define SNR_MIN        20.5            /* dB of speech over the rest */
#define COVERED_MIN    0.6             /* of the speech, by words */
#define FRAME_MS       10


/* Sums of scores up to each frame. */
typedef struct {
    double  *loop;                     /* of the phone loop */
    double  *words;                    /* grammar minus loop, words only */
    int      frames;
} scores_t;


/* A word or a pause of the grammar's best sentence. */
typedef struct {
    const char  *word;
    int          from;                 /* first frame */
    int          to;                   /* last frame */
    double       fit;                  /* sum over the frames */
} segment_t;


typedef struct {
    speech_text_t  text;
    int            frames;             /* of words and pauses */
    int            word_frames;
    double         fit;                /* sum over all frames */
} tally_t;


struct speech_recogniser_s {
    ps_decoder_t  *decoder;
    cmd_ln_t      *config;
    char           dir[512];
    char           searches[SEARCHES_MAX][SEARCH_NAME];
    unsigned       nsearches;
    mfcc_t         mean[CEPSTRA_MAX];  /* of this utterance's cepstra */
};


static ps_decoder_t *decoder_create(speech_recogniser_t *recogniser);
static voice_rc_t grammar_load(speech_recogniser_t *recogniser,
    const speech_sound_t *sound, char *name);
static voice_rc_t loop_run(speech_recogniser_t *recogniser,
    const voice_audio_t *audio, scores_t *scores);
static double stretch(const double *sums, int from, int to);
static voice_rc_t grammar_run(speech_recogniser_t *recogniser,
    const char *name, const speech_sound_t *sound);
static voice_rc_t grammar_stream(speech_recogniser_t *recogniser,
    const speech_sound_t *sound);
static voice_rc_t hearing_read(speech_recogniser_t *recogniser,
    scores_t *scores, speech_hearing_t *hearing);
static void segment_add(const segment_t *segment, scores_t *scores,
    tally_t *tally);
static double worst_part(scores_t *scores);
static void hearing_judge(speech_hearing_t *hearing);
static void hearing_reject(speech_hearing_t *hearing,
    speech_verdict_e verdict);
static double likelihood(double fit, double half, double step);


static const char  *verdict_names[] = {
    "heard", "silence", "noise", "foreign"
};


speech_recogniser_t *
speech_recogniser_create(const char *dir)
{
    speech_recogniser_t  *recogniser;

    recogniser = calloc(1, sizeof(speech_recogniser_t));
    if (recogniser == NULL || strlen(dir) >= sizeof(recogniser->dir)) {
        free(recogniser);
        return NULL;
    }

    memcpy(recogniser->dir, dir, strlen(dir) + 1);

    recogniser->decoder = decoder_create(recogniser);
    if (recogniser->decoder == NULL) {
        speech_recogniser_destroy(recogniser);
        return NULL;
    }

    return recogniser;
}


void
speech_recogniser_destroy(speech_recogniser_t *recogniser)
{
    if (recogniser == NULL) {
        return;
    }

    ps_free(recogniser->decoder);
    cmd_ln_free_r(recogniser->config);
    free(recogniser);
}


voice_rc_t
speech_hear(speech_recogniser_t *recogniser, const speech_sound_t *sound,
    speech_hearing_t *hearing)
{
    char                    name[SEARCH_NAME];
    scores_t                scores = { NULL, NULL, 0 };
    voice_rc_t              rc;
    voice_audio_measures_t  measures;

    memset(hearing, 0, sizeof(speech_hearing_t));

    if (sound->audio.rate != SPEECH_RATE) {
        return VOICE_INVALID;
    }

    if (sound->audio.count > (size_t) SPEECH_RATE * SPEECH_SECONDS_MAX) {
        return VOICE_LIMIT;
    }

    rc = grammar_load(recogniser, sound, name);
    if (rc != VOICE_OK) {
        return rc;
    }

    voice_audio_measure(&sound->audio, &measures);
    hearing->snr_db = measures.snr_db;
    hearing->speech_ms = measures.speech_ms;

    if (measures.silent || measures.speech_ms == 0) {
        hearing->verdict = measures.silent ? SPEECH_SILENCE : SPEECH_NOISE;
        hearing->text = calloc(1, 1);
        return hearing->text == NULL ? VOICE_NOMEM : VOICE_OK;
    }

    rc = loop_run(recogniser, &sound->audio, &scores);
    if (rc == VOICE_OK) {
        rc = grammar_run(recogniser, name, sound);
    }

    if (rc == VOICE_OK) {
        rc = hearing_read(recogniser, &scores, hearing);
    }

    free(scores.loop);
    free(scores.words);

    return rc;
}


void
speech_hearing_release(speech_hearing_t *hearing)
{
    free(hearing->text);
    free(hearing->rejected);
    memset(hearing, 0, sizeof(speech_hearing_t));
}


const char *
speech_verdict_name(speech_verdict_e verdict)
{
    return verdict_names[verdict];
}


/*
 * All senones are computed, so that scores of the two searches, which are
 * relative to the best one of a frame, can be compared; phones without
 * context keep the loop as cheap as the grammar.
 */

static ps_decoder_t *
decoder_create(speech_recogniser_t *recogniser)
{
    ps_decoder_t  *decoder;

    err_set_logfp(NULL);

    recogniser->config = cmd_ln_init(NULL, ps_args(), TRUE,
                                     "-hmm", speech_models[0].acoustic,
                                     "-dict", speech_models[0].dictionary,
                                     "-logfn", "/dev/null",
                                     "-compallsen", "yes",
                                     "-allphone_ci", "yes",
                                     "-remove_silence", "no",
                                     "-bestpath", "no", NULL);
    if (recogniser->config == NULL) {
        return NULL;
    }

    decoder = ps_init(recogniser->config);
    if (decoder == NULL) {
        return NULL;
    }

    if (ps_set_allphone_file(decoder, PHONES, speech_models[0].phones) != 0
        || ps_get_feat(decoder)->cmn_struct->veclen > CEPSTRA_MAX)
    {
        ps_free(decoder);
        return NULL;
    }

    return decoder;
}


/* Makes sure that the grammar's search is there; writes its name. */

static voice_rc_t
grammar_load(speech_recogniser_t *recogniser, const speech_sound_t *sound,
    char *name)
{
    char      path[SPEECH_PATH_MAX];
    unsigned  i;

    if (!speech_grammar_path(path, sizeof(path), recogniser->dir, sound)) {
        return VOICE_NOTFOUND;
    }

    snprintf(name, SEARCH_NAME, "%s.%s", sound->domain,
             speech_side_names[sound->side]);

    for (i = 0; i < recogniser->nsearches; i++) {
        if (strcmp(recogniser->searches[i], name) == 0) {
            return VOICE_OK;
        }
    }

    if (recogniser->nsearches == SEARCHES_MAX) {
        (void) ps_set_search(recogniser->decoder, PHONES);

        for (i = 0; i < SEARCHES_MAX; i++) {
            (void) ps_unset_search(recogniser->decoder,
                                   recogniser->searches[i]);
        }

        recogniser->nsearches = 0;
    }

    if (ps_set_jsgf_file(recogniser->decoder, name, path) != 0) {
        return VOICE_FAILED;
    }

    memcpy(recogniser->searches[recogniser->nsearches++], name, SEARCH_NAME);

    return VOICE_OK;
}


/* The first pass: what phones alone can make of the sound. */

static voice_rc_t
loop_run(speech_recogniser_t *recogniser, const voice_audio_t *audio,
    scores_t *scores)
{
    int            i, from, to;
    int32          acoustic, language, back;
    ps_seg_t      *segment;
    ps_decoder_t  *decoder = recogniser->decoder;

    if (!speech_decoder_begin(decoder, PHONES)) {
        return VOICE_FAILED;
    }

    (void) ps_process_raw(decoder, audio->samples, audio->count, FALSE, TRUE);
    (void) ps_end_utt(decoder);

    cmn_live_get(ps_get_feat(decoder)->cmn_struct, recogniser->mean);

    scores->frames = ps_get_n_frames(decoder);
    scores->loop = calloc(scores->frames + 1, sizeof(double));
    scores->words = calloc(scores->frames + 1, sizeof(double));
    if (scores->loop == NULL || scores->words == NULL) {
        return VOICE_NOMEM;
    }

    for (segment = ps_seg_iter(decoder);
         segment != NULL;
         segment = ps_seg_next(segment))
    {
        ps_seg_frames(segment, &from, &to);
        (void) ps_seg_prob(segment, &acoustic, &language, &back);

        for (i = from < 0 ? 0 : from; i <= to && i < scores->frames; i++) {
            scores->loop[i + 1] = acoustic / (double) (to - from + 1);
        }
    }

    for (i = 0; i < scores->frames; i++) {
        scores->loop[i + 1] += scores->loop[i];
    }

    return VOICE_OK;
}


/* Sum of the frames from .. to, both included. */

static double
stretch(const double *sums, int from, int to)
{
    return sums[to + 1] - sums[from];
}


/* The second pass: the sentence of the grammar that fits best. */

static voice_rc_t
grammar_run(speech_recogniser_t *recogniser, const char *name,
    const speech_sound_t *sound)
{
    voice_rc_t     rc = VOICE_OK;
    ps_decoder_t  *decoder = recogniser->decoder;

    if (!speech_decoder_begin(decoder, name)) {
        return VOICE_FAILED;
    }

    if (sound->partial == NULL) {
        (void) ps_process_raw(decoder, sound->audio.samples,
                              sound->audio.count, FALSE, TRUE);
    } else {
        rc = grammar_stream(recogniser, sound);
    }

    if (sound->partial != NULL) {
        cmn_live_set(ps_get_feat(decoder)->cmn_struct, recogniser->mean);
    }

    (void) ps_end_utt(decoder);

    return rc;
}


/*
 * Feeds the sound piece by piece and tells the transcript when it changed.
 * The cepstral mean is that of the whole utterance, known from the first
 * pass, so that the result is that of hearing it at once.
 */

static voice_rc_t
grammar_stream(speech_recogniser_t *recogniser, const speech_sound_t *sound)
{
    char         last[SPEECH_TEXT_MAX] = "";
    size_t       i, n;
    const char  *text;

    for (i = 0; i < sound->audio.count; i += n) {
        n = sound->audio.count - i < CHUNK ? sound->audio.count - i : CHUNK;

        cmn_live_set(ps_get_feat(recogniser->decoder)->cmn_struct,
                     recogniser->mean);

        if (ps_process_raw(recogniser->decoder, sound->audio.samples + i, n,
                           FALSE, FALSE)
            < 0)
        {
            return VOICE_FAILED;
        }

        text = ps_get_hyp(recogniser->decoder, NULL);
        if (text == NULL || strcmp(text, last) == 0) {
            continue;
        }

        snprintf(last, sizeof(last), "%s", text);
        sound->partial(sound->data, text,
                       (unsigned) ((i + n) * 1000 / SPEECH_RATE));
    }

    return VOICE_OK;
}


/* Reads the words and how well they fit. */

static voice_rc_t
hearing_read(speech_recogniser_t *recogniser, scores_t *scores,
    speech_hearing_t *hearing)
{
    int32      acoustic, language, back;
    tally_t    tally = { .frames = 0 };
    segment_t  segment;
    ps_seg_t  *next;

    next = ps_get_hyp(recogniser->decoder, NULL) == NULL
           ? NULL : ps_seg_iter(recogniser->decoder);

    for ( /* void */ ; next != NULL; next = ps_seg_next(next)) {
        ps_seg_frames(next, &segment.from, &segment.to);
        (void) ps_seg_prob(next, &acoustic, &language, &back);

        /* transitions without a word lie before the first frame */
        if (segment.from < 0 || segment.to < segment.from
            || segment.to >= scores->frames)
        {
            continue;
        }

        segment.word = ps_seg_word(next);
        segment.fit = acoustic - stretch(scores->loop, segment.from,
                                         segment.to);
        segment_add(&segment, scores, &tally);
    }

    hearing->fit = tally.frames > 0 ? tally.fit / tally.frames : 0;
    hearing->worst = worst_part(scores);
    hearing->covered = (double) tally.word_frames * FRAME_MS
                       / hearing->speech_ms;
    hearing->text = strdup(tally.text.bytes);
    if (hearing->text == NULL) {
        return VOICE_NOMEM;
    }

    hearing_judge(hearing);

    return hearing->text == NULL ? VOICE_NOMEM : VOICE_OK;
}


static void
segment_add(const segment_t *segment, scores_t *scores, tally_t *tally)
{
    int  i, n;

    n = segment->to - segment->from + 1;
    tally->frames += n;
    tally->fit += segment->fit;

    if (!speech_text_add(&tally->text, segment->word)) {
        return;
    }

    tally->word_frames += n;

    for (i = segment->from; i <= segment->to; i++) {
        scores->words[i + 1] = segment->fit / n;
    }
}


/* Mean fit of the worst stretch of PART_FRAMES. */

static double
worst_part(scores_t *scores)
{
    int     i;
    double  fit, worst = 0;

    for (i = 0; i < scores->frames; i++) {
        scores->words[i + 1] += scores->words[i];
    }

    for (i = 0; i + PART_FRAMES <= scores->frames; i++) {
        fit = stretch(scores->words, i, i + PART_FRAMES - 1) / PART_FRAMES;

        if (fit < worst) {
            worst = fit;
        }
    }

    return worst;
}


static void
hearing_judge(speech_hearing_t *hearing)
{
    double  sentence, part;

    if (hearing->text[0] == '\0' || hearing->snr_db < SNR_MIN
        || hearing->covered < COVERED_MIN)
    {
        hearing_reject(hearing, SPEECH_NOISE);
        return;
    }

    sentence = likelihood(hearing->fit, FIT_HALF, FIT_STEP);
    part = likelihood(hearing->worst, PART_HALF, PART_STEP);
    hearing->confidence = sentence < part ? sentence : part;
    hearing->verdict = SPEECH_HEARD;

    if (hearing->confidence < 0.5) {
        hearing_reject(hearing, SPEECH_FOREIGN);
    }
}


static void
hearing_reject(speech_hearing_t *hearing, speech_verdict_e verdict)
{
    hearing->verdict = verdict;
    hearing->rejected = hearing->text;
    hearing->text = calloc(1, 1);
}


static double
likelihood(double fit, double half, double step)
{
    return 1 / (1 + exp((half - fit) / step));
}
