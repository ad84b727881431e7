
/*
 * voice_sentiment.h, with the lexicons that we ship.
 */

#include "slurp.h"
#include "tap.h"
#include "voice_sentiment.h"


#define ROUNDS     2000
#define WORDS_MAX  40


static voice_lexicon_t  *english;


/* Ends the program if the file is none. */
static voice_lexicon_t *
load(const char *language)
{
    char                    path[64];
    voice_span_t            file;
    voice_lexicon_t        *lexicon;
    voice_lines_fault_t   fault;

    snprintf(path, sizeof(path), "conf/analysis/sentiment/%s.txt", language);
    file = slurp(path);

    if (voice_lexicon_parse(file, &lexicon, &fault) != VOICE_OK) {
        printf("Bail out! %s:%u: %s\n", path, fault.line, fault.reason);
        exit(1);
    }

    free((char *) file.ptr);

    return lexicon;
}


static voice_sentiment_t
feel(const voice_lexicon_t *lexicon, voice_span_t text)
{
    voice_sentiment_t       sentiment;
    voice_sentiment_sums_t  sums;

    memset(&sums, 0, sizeof(sums));
    memset(&sentiment, 0, sizeof(sentiment));

    if (voice_sentiment_add(lexicon, text, &sums) == VOICE_OK) {
        voice_sentiment_judge(&sums, &sentiment);
    }

    return sentiment;
}


static double
score(const char *text)
{
    return feel(english, voice_span_str(text)).score;
}


static void
above(const char *more, const char *less, const char *name)
{
    if (!ok(score(more) > score(less), "%s", name)) {
        printf("# %f: %s\n# %f: %s\n", score(more), more, score(less), less);
    }
}


static void
test_negation(void)
{
    size_t  i;

    static const char *const  positive[] = {
        "that is not bad", "it's not too bad", "there was no problem",
        "I have never been happier", "I had no trouble at all",
        "it isn't complicated", "nobody was rude to me",
        "without any problems",
        "I couldn't be more grateful", "I can't complain",
        "there's nothing wrong with it"
    };

    static const char *const  negative[] = {
        "that isn't helpful", "it is not good", "it's not very good",
        "I don't like it", "I am not at all happy", "nobody was friendly",
        "no, that's not good", "never helpful, never friendly",
        "it is neither fast nor reliable", "he wasn\xe2\x80\x99t polite",
        "it did not help terrible service", "he failed to help"
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(positive); i++) {
        ok(feel(english, voice_span_str(positive[i])).label
           == VOICE_SENTIMENT_POSITIVE, "\"%s\" is positive", positive[i]);
    }

    for (i = 0; i < VOICE_ARRAY_SIZE(negative); i++) {
        ok(feel(english, voice_span_str(negative[i])).label
           == VOICE_SENTIMENT_NEGATIVE, "\"%s\" is negative", negative[i]);
    }

    above("this is good", "this is not bad", "not bad is less than good");
    ok(score("no, it is good") > 0.15, "a comma ends a negation");
    ok(score("not the one that he or she sold me, good") > 0,
       "a negation reaches four words");
}


static void
test_strength(void)
{
    above("this is very good", "this is good", "very makes stronger");
    above("this is good", "this is slightly good", "slightly makes weaker");
    above("this is bad", "this is extremely bad", "bad things, too");
    above("this is good!!", "this is good!", "so do exclamation marks");
    above("it is soooo gooood", "it is so good", "and stretched letters");
    above("it is bad but the agent was good",
          "the agent was good but it is bad", "what follows but counts more");
    is_near(score("good!!!"), score("good!!!!!!!!!!"),
            "three exclamation marks are enough");
    is_near(score("very very very very very good"),
            score("very very very good"),
            "factors do not grow beyond two");
}


static void
test_case(void)
{
    is_near(score("THE AGENT WAS NOT HELPFUL"),
            score("the agent was not helpful"), "case does not matter");
    is_near(score("Thank You"), score("tHANK yOU"), "nor does any mix");
    is_near(score("it isn't good"), score("it isn\xe2\x80\x99t good"),
            "an apostrophe is an apostrophe");
}


static void
test_ends(void)
{
    voice_sentiment_t       sentiment;
    voice_sentiment_sums_t  sums;

    sentiment = feel(english, VOICE_SPAN(""));
    ok(sentiment.label == VOICE_SENTIMENT_NEUTRAL
       && sentiment.confidence <= 0, "nothing is neutral, for sure of none");

    sentiment = feel(english, VOICE_SPAN("thank you for calling"));
    ok(sentiment.label == VOICE_SENTIMENT_NEUTRAL
       && sentiment.confidence > 0.4, "a formula says nothing");
    is(voice_sentiment_name(sentiment.label), "neutral", "labels have names");

    memset(&sums, 0, sizeof(sums));
    ok(voice_sentiment_add(english, VOICE_SPAN("\xff"), &sums)
       == VOICE_INVALID, "what is no UTF-8 is refused");

    ok(voice_sentiment_add(english, VOICE_SPAN("good"), &sums) == VOICE_OK
       && voice_sentiment_add(english, VOICE_SPAN("good"), &sums)
          == VOICE_OK && sums.words == 2 && sums.hits == 2,
       "texts are added up");
    voice_sentiment_judge(&sums, &sentiment);
    is_near(sentiment.score, score("good. good."), "as sentences of one");
}


static unsigned
random_below(unsigned n)
{
    static uint64_t  state = 42;

    state = state * 6364136223846793005u + 1442695040888963407u;

    return (unsigned) (state >> 33) % n;
}


/* Words as they may stand in a call, of all kinds. */
static const char *const  plain[] = {
    "table", "invoice", "excellent", "awful", "helpful", "rude", "monday",
    "great", "broken", "friendly", "useless", "phone", "perfect", "slow"
};
static const char *const  mixed[] = {
    "not", "very", "slightly", "but", "never", "good", "bad,", "terrible!",
    "excellent.", "helpful?", "the", "bill", "refund", "not working",
    "thank you", "no problem", "extremely", "GREAT", "Rude", "soooo"
};
static const char *const  praise[] = {
    "excellent", "great", "wonderful", "helpful", "perfect"
};


/* A random text, which all use; place is where something may be added. */
typedef struct {
    const char *const  *from;
    unsigned            words[WORDS_MAX];
    size_t              count;
    size_t              place;
} draw_t;


static void
draw(draw_t *draw, const char *const *from, unsigned size)
{
    size_t  i;

    draw->from = from;
    draw->count = random_below(WORDS_MAX);
    draw->place = random_below((unsigned) draw->count + 1);

    for (i = 0; i < draw->count; i++) {
        draw->words[i] = random_below(size);
    }
}


/* The score with extra added; "": without. */
static voice_sentiment_t
drawn(const draw_t *draw, const char *extra)
{
    char    text[WORDS_MAX * 20];
    size_t  i, n;

    for (i = 0, n = 0; i <= draw->count; i++) {
        if (i == draw->place) {
            n += (size_t) snprintf(text + n, sizeof(text) - n, "%s ", extra);
        }

        if (i < draw->count) {
            n += (size_t) snprintf(text + n, sizeof(text) - n, "%s ",
                                   draw->from[draw->words[i]]);
        }
    }

    return feel(english, voice_span(text, n));
}


static void
test_monotone(void)
{
    char               sentence[32];
    draw_t             text;
    unsigned           i, fallen, unbounded;
    const char        *word;
    voice_sentiment_t  before, after;

    fallen = 0;
    unbounded = 0;

    for (i = 0; i < ROUNDS; i++) {
        word = praise[random_below(VOICE_ARRAY_SIZE(praise))];

        draw(&text, plain, VOICE_ARRAY_SIZE(plain));
        fallen += drawn(&text, word).score < drawn(&text, "").score - 1e-12;

        /* a sentence of its own, between sentences: at the end */
        draw(&text, mixed, VOICE_ARRAY_SIZE(mixed));
        text.place = text.count;
        snprintf(sentence, sizeof(sentence), ". %s.", word);
        before = drawn(&text, ".");
        after = drawn(&text, sentence);
        fallen += after.score < before.score - 1e-12;

        unbounded += !(after.score >= -1 && after.score <= 1
                       && after.confidence >= 0 && after.confidence <= 1);
    }

    ok(fallen == 0, "a positive word never lowers the score (%u of %d did)",
       fallen, 2 * ROUNDS);
    ok(unbounded == 0, "scores and confidences stay in their bounds");
}


static void
test_linear(void)
{
    char                    *text;
    size_t                   i, n;
    voice_sentiment_sums_t   sums;

    text = malloc(VOICE_TEXT_MAX);

    for (n = 0; n + 20 < VOICE_TEXT_MAX; n += i) {
        i = (size_t) snprintf(text + n, 20, "%s ",
                              mixed[random_below(VOICE_ARRAY_SIZE(mixed))]);
    }

    memset(&sums, 0, sizeof(sums));
    ok(voice_sentiment_add(english, voice_span(text, n), &sums) == VOICE_OK
       && sums.words > 100000, "a text of the largest size is read");

    free(text);
}


/* Judges the sentences of a file; returns the hundredths that were right. */
static unsigned
accuracy(const voice_lexicon_t *lexicon, const char *path)
{
    char               mark;
    unsigned           right, all;
    voice_span_t       file, rest, line;
    voice_sentiment_t  sentiment;

    static const char  marks[] = "0+-";

    file = slurp(path);
    rest = file;
    right = 0;
    all = 0;

    while (next_line(&rest, &line)) {

        if (line.len < 3 || line.ptr[0] == '#') {
            continue;
        }

        mark = line.ptr[0];
        sentiment = feel(lexicon, voice_span(line.ptr + 2, line.len - 2));
        all++;

        if (marks[sentiment.label] == mark) {
            right++;
            continue;
        }

        printf("# %+.2f for %.*s\n", sentiment.score, (int) line.len,
               line.ptr);
    }

    printf("# %s: %u of %u sentences are judged as by a person\n", path,
           right, all);
    free((char *) file.ptr);

    return all == 0 ? 0 : right * 100 / all;
}


static void
test_languages(void)
{
    size_t            i;
    voice_lexicon_t  *lexicon;

    static const struct {
        const char  *language;
        const char  *path;
        size_t       entries;
        unsigned     floor;
    } files[] = {
        { "en", "t/sentiment/en.txt", 1000, 90 },
        { "en", "t/sentiment/en-unseen.txt", 1000, 75 },
        { "de", "t/sentiment/de.txt", 300, 90 },
        { "es", "t/sentiment/es.txt", 300, 90 },
        { "fr", "t/sentiment/fr.txt", 300, 90 },
        { "de", "t/sentiment/de-unseen.txt", 300, 60 },
        { "es", "t/sentiment/es-unseen.txt", 300, 60 },
        { "fr", "t/sentiment/fr-unseen.txt", 300, 60 }
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(files); i++) {
        lexicon = load(files[i].language);

        ok(voice_lexicon_head(lexicon)->entries >= files[i].entries,
           "\"%s\" has %zu entries or more", files[i].language,
           files[i].entries);
        is(voice_lexicon_head(lexicon)->language, files[i].language,
           "and says whose they are");
        ok(accuracy(lexicon, files[i].path) >= files[i].floor,
           "%u of 100 sentences of %s are judged right", files[i].floor,
           files[i].path);

        voice_lexicon_destroy(lexicon);
    }
}


int
main(void)
{
    english = load("en");

    test_negation();
    test_strength();
    test_case();
    test_ends();
    test_monotone();
    test_linear();
    test_languages();

    voice_lexicon_destroy(english);

    return done_testing();
}
