
/*
 * Sentiment by a lexicon.
 */

#include <stdlib.h>

#include "voice_sentiment.h"


#define NEGATED_POSITIVE  (-0.8)
#define NEGATED_NEGATIVE  (-0.5)
#define FACTOR_MIN        0.3
#define FACTOR_MAX        2.0
#define FACTOR_REACH      2            /* words */
#define CONTRAST          0.6
#define CONTRAST_REACH    16           /* words before it */
#define STRETCHED         1.25
#define BANG              0.15
#define BANGS_MAX         3
#define DAMPING           3.0
#define BOUND             0.15         /* of the score, for a label */
#define NEUTRAL_WORDS     4.0


/* A word or idiom that weighs something. */
typedef struct {
    double  value;
    size_t  at;                        /* its token */
    int     contrasted;
} item_t;


/* A negator whose words are still to come. */
typedef struct {
    size_t   left;                     /* words that it still reaches */
    int      negated;                  /* sign of what it negated; 0: of
                                          nothing yet */
    item_t  *before;                   /* that it negates if it stays so */
} negation_t;


typedef struct {
    const voice_lexicon_t       *lexicon;
    const voice_lexicon_head_t  *head;
    voice_sentiment_sums_t      *sums;
    item_t                      *items;        /* of this sentence */
    size_t                       count;
    size_t                       clause;       /* first item of it */
    negation_t                   negation;
    double                       factor;
    size_t                       factor_left;  /* words */
} state_t;


static void take(state_t *state, const voice_lexicon_entry_t *entry,
    const voice_token_t *token, size_t at);
static void take_weight(state_t *state, double value, size_t at);
static void take_factor(state_t *state, double factor);
static void take_negator(state_t *state, size_t at);
static void take_contrast(state_t *state, size_t at);
static int negation_reaches(negation_t *negation, double value);
static void negation_end(state_t *state);
static void advance(state_t *state, size_t words);
static void clause_end(state_t *state);
static void sentence_end(state_t *state, unsigned bangs);
static double negated(double value);


static const char *const  names[] = { "neutral", "positive", "negative" };


voice_rc_t
voice_sentiment_add(const voice_lexicon_t *lexicon, voice_span_t text,
    voice_sentiment_sums_t *sums)
{
    size_t                        i, n;
    state_t                       state;
    voice_rc_t                    rc;
    voice_tokens_t                tokens;
    const voice_token_t          *last;
    const voice_lexicon_entry_t  *entry;

    memset(&state, 0, sizeof(state_t));
    state.lexicon = lexicon;
    state.head = voice_lexicon_head(lexicon);
    state.sums = sums;
    state.factor = 1;

    rc = voice_tokens_read(text, state.head->flags, &tokens);
    if (rc != VOICE_OK) {
        return rc;
    }

    state.items = malloc((tokens.count + 1) * sizeof(item_t));
    if (state.items == NULL) {
        voice_tokens_release(&tokens);
        return VOICE_NOMEM;
    }

    for (i = 0; i < tokens.count; i += n) {

        entry = voice_lexicon_find(lexicon, &tokens.items[i],
                                   tokens.count - i);
        n = entry == NULL ? 1 : entry->words;
        last = &tokens.items[i + n - 1];

        take(&state, entry, &tokens.items[i], i);

        if (last->end >= VOICE_TOKEN_CLAUSE) {
            clause_end(&state);
        }

        if (last->end == VOICE_TOKEN_SENTENCE) {
            sentence_end(&state, last->bangs);
        }
    }

    sums->words += tokens.count;

    free(state.items);
    voice_tokens_release(&tokens);

    return VOICE_OK;
}


void
voice_sentiment_judge(const voice_sentiment_sums_t *sums,
    voice_sentiment_t *sentiment)
{
    double  size, n;

    memset(sentiment, 0, sizeof(voice_sentiment_t));

    if (sums->words == 0) {
        return;
    }

    sentiment->score = (sums->positive - sums->negative)
                       / (sums->positive + sums->negative + DAMPING);

    size = sentiment->score < 0 ? -sentiment->score : sentiment->score;

    if (size >= BOUND) {
        sentiment->label = sentiment->score > 0 ? VOICE_SENTIMENT_POSITIVE
                                                : VOICE_SENTIMENT_NEGATIVE;
        sentiment->confidence = 0.5 + 0.5 * (size - BOUND) / (1 - BOUND);
        return;
    }

    n = (double) sums->words;
    sentiment->label = VOICE_SENTIMENT_NEUTRAL;
    sentiment->confidence = (0.5 + 0.5 * (BOUND - size) / BOUND)
                            * n / (n + NEUTRAL_WORDS);
}


const char *
voice_sentiment_name(voice_sentiment_e label)
{
    return names[label];
}


static void
take(state_t *state, const voice_lexicon_entry_t *entry,
    const voice_token_t *token, size_t at)
{
    if (entry == NULL) {
        advance(state, 1);
        return;
    }

    switch (entry->kind) {

    case VOICE_LEXICON_WEIGHT:
        take_weight(state, entry->value * (token->stretched ? STRETCHED : 1),
                    at);
        advance(state, entry->words);
        return;

    case VOICE_LEXICON_FACTOR:
        take_factor(state, entry->value * (token->stretched ? STRETCHED
                                                            : 1));
        advance(state, 0);
        return;

    case VOICE_LEXICON_NEGATOR:
        advance(state, entry->words);
        take_negator(state, at);
        return;

    case VOICE_LEXICON_CONTRAST:
        take_contrast(state, at);
        return;
    }
}


static void
take_weight(state_t *state, double value, size_t at)
{
    item_t  *item;

    /* an idiom that says nothing leaves a negation to what follows */
    if (value >= 0 && value <= 0) {
        return;
    }

    value *= state->factor;
    state->factor = 1;
    state->factor_left = 0;

    if (negation_reaches(&state->negation, value)) {
        state->negation.negated = value > 0 ? 1 : -1;
        value = negated(value);
    }

    item = &state->items[state->count++];
    item->value = value;
    item->at = at;
    item->contrasted = 0;
    state->sums->hits++;
}


static void
take_factor(state_t *state, double factor)
{
    state->factor *= factor;
    state->factor = state->factor < FACTOR_MIN ? FACTOR_MIN
                    : state->factor > FACTOR_MAX ? FACTOR_MAX
                    : state->factor;
    state->factor_left = FACTOR_REACH;
}


static void
take_negator(state_t *state, size_t at)
{
    item_t  *before;

    if (state->negation.left > 0) {
        state->negation.left = state->head->ahead;
        return;
    }

    before = state->count > state->clause
             ? &state->items[state->count - 1] : NULL;

    if (before != NULL && at - before->at > state->head->behind) {
        before = NULL;
    }

    state->negation.before = before;
    state->negation.left = state->head->ahead;

    if (state->negation.left == 0) {
        negation_end(state);
    }
}


static void
take_contrast(state_t *state, size_t at)
{
    size_t   i;
    item_t  *item;

    clause_end(state);

    for (i = state->count; i > 0; i--) {
        item = &state->items[i - 1];

        if (item->contrasted || at - item->at > CONTRAST_REACH) {
            break;
        }

        item->value *= CONTRAST;
        item->contrasted = 1;
    }
}


/*
 * What differs in sign from what was negated is a thought of its own: "it
 * did not help terrible service".
 */
static int
negation_reaches(negation_t *negation, double value)
{
    if (negation->left == 0) {
        return 0;
    }

    if (negation->negated != 0 && (negation->negated > 0) != (value > 0)) {
        negation->left = 0;
        return 0;
    }

    return 1;
}


/* One that found nothing ahead turns round what stood before it. */
static void
negation_end(state_t *state)
{
    negation_t  *negation;

    negation = &state->negation;

    if (negation->negated == 0 && negation->before != NULL) {
        negation->before->value = negated(negation->before->value);
    }

    memset(negation, 0, sizeof(negation_t));
}


/* So many words have gone by. */
static void
advance(state_t *state, size_t words)
{
    negation_t  *negation;

    negation = &state->negation;

    if (negation->left > words) {
        negation->left -= words;

    } else if (negation->left > 0) {
        negation_end(state);
    }

    if (state->factor_left > words) {
        state->factor_left -= words;

    } else if (words > 0) {
        state->factor_left = 0;
        state->factor = 1;
    }
}


static void
clause_end(state_t *state)
{
    negation_end(state);
    state->clause = state->count;
    state->factor = 1;
    state->factor_left = 0;
}


static void
sentence_end(state_t *state, unsigned bangs)
{
    size_t  i;
    double  emphasis, value;

    bangs = bangs > BANGS_MAX ? BANGS_MAX : bangs;
    emphasis = 1 + BANG * bangs;

    for (i = 0; i < state->count; i++) {
        value = state->items[i].value * emphasis;

        if (value > 0) {
            state->sums->positive += value;
        } else {
            state->sums->negative -= value;
        }
    }

    state->count = 0;
    state->clause = 0;
}


static double
negated(double value)
{
    return value * (value > 0 ? NEGATED_POSITIVE : NEGATED_NEGATIVE);
}
