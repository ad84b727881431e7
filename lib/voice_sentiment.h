
/*
 * What somebody feels about it: sentiment of a text by a lexicon.
 *
 * Each word or idiom of the lexicon counts with its weight w, which is
 *
 *   x the factors before it ("very", "slightly"), at most two words away,
 *     their product held in 0.3 .. 2;
 *   x -0.8 (positive w) or -0.5 (negative w) where a negator reaches it in
 *     its clause: "not great" is worse than "not bad" is good.  Two
 *     negators are one ("no, that's not good"; "no me gusta nada");
 *   x 0.6 where a contrast follows in the sentence ("nice, but ...");
 *   x 1.25 if it was stretched ("soooo"), x (1 + 0.15 n) for n <= 3
 *     exclamation marks at the end of its sentence.
 *
 * P and N are the sums of what came out positive and negative.  Then
 *
 *   score = (P - N) / (P + N + 3)                              -1 .. 1
 *
 * positive from 0.15, negative from -0.15, neutral between.  It is linear
 * in the input, does not depend on case, and never falls when a sentence of
 * positive words is added, nor when a positive word is added anywhere that
 * no negator, factor, contrast or idiom touches.  The confidence is 0 for a
 * text without words; of the others it grows from 0.5 with the distance of
 * the score to the nearest bound of its label; that of a neutral text also
 * with its length, n / (n + 4) for n words.
 *
 * Sources: shifters of valence, Polanyi and Zaenen, "Contextual Valence
 * Shifters" (2006); factors and milder negation, Taboada et al.,
 * "Lexicon-Based Methods for Sentiment Analysis", Computational Linguistics
 * 37 (2011); contrast and emphasis, Hutto and Gilbert, "VADER" (ICWSM
 * 2014); the score is the relative proportional difference of Lowe et al.,
 * "Scaling Policy Preferences from Coded Political Texts", Legislative
 * Studies Quarterly 36 (2011), damped by a constant so that one word is not
 * yet certainty.  The constants are ours, chosen on sentences of calls.
 */

#ifndef VOICE_SENTIMENT_H
#define VOICE_SENTIMENT_H


#include "voice_lexicon.h"


typedef enum {
    VOICE_SENTIMENT_NEUTRAL = 0,
    VOICE_SENTIMENT_POSITIVE,
    VOICE_SENTIMENT_NEGATIVE
} voice_sentiment_e;


/* What was found so far; starts as zeros. */
typedef struct {
    double    positive;                /* P */
    double    negative;                /* N, as a positive number */
    uint64_t  words;
    uint64_t  hits;                    /* words and idioms with a weight */
} voice_sentiment_sums_t;


typedef struct {
    voice_sentiment_e  label;
    double             score;          /* -1 .. 1 */
    double             confidence;     /* 0 .. 1 */
} voice_sentiment_t;


/*
 * Adds a text to the sums, as if it began a new sentence.  VOICE_INVALID:
 * not UTF-8; VOICE_LIMIT: longer than VOICE_TEXT_MAX; VOICE_NOMEM.
 */
voice_rc_t voice_sentiment_add(const voice_lexicon_t *lexicon,
    voice_span_t text, voice_sentiment_sums_t *sums) VOICE_MUST_CHECK;

void voice_sentiment_judge(const voice_sentiment_sums_t *sums,
    voice_sentiment_t *sentiment);

/* "positive", "negative", "neutral" */
const char *voice_sentiment_name(voice_sentiment_e label);


#endif /* VOICE_SENTIMENT_H */
