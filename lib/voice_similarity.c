
/*
 * How alike two texts are.
 */

#include <libstemmer.h>
#include <math.h>
#include <stdlib.h>
#include <unictype.h>
#include <unistr.h>

#include "voice_language.h"
#include "voice_similarity.h"


#define STEM_SHARE    0.5              /* of the stems in the mix */
#define SHORT_WORD    3                /* bytes of a word that says little */
#define SHORT_WEIGHT  0.4
#define GRAM          3                /* code points */


/* Parts of a text, hashed; equal parts have one entry after merge(). */
typedef struct {
    uint64_t  hash;
    double    weight;
} feature_t;


typedef struct {
    feature_t  *items;
    size_t      count;
} features_t;


/* Two texts in normal form. */
typedef struct {
    char    *text;
    size_t   len;
} normal_t;


/* A pair of stretches still to be compared. */
typedef struct {
    size_t  a, a_end, b, b_end;
} stretch_t;


/* The longest block that two stretches share. */
typedef struct {
    size_t  a, b, len;
} block_t;


static size_t matched(const uint32_t *a, size_t n, const uint32_t *b,
    size_t m);
static block_t longest(const uint32_t *a, const uint32_t *b,
    const stretch_t *in, uint16_t *lengths);
static voice_rc_t normal(voice_span_t text, normal_t *out);
static voice_rc_t compare(const normal_t *a, const normal_t *b,
    struct sb_stemmer *stemmer, double *similarity);
static struct sb_stemmer *stemmer_of(voice_span_t language);
static voice_rc_t stems(const normal_t *text, struct sb_stemmer *stemmer,
    features_t *out);
static voice_rc_t stem_add(features_t *out, struct sb_stemmer *stemmer,
    const uint8_t *word, size_t len);
static voice_rc_t grams(const normal_t *text, features_t *out);
static int ideographic(ucs4_t point);
static void merge(features_t *features);
static double cosine(const features_t *a, const features_t *b);
static double clip(double value);
static uint64_t hash_of(const void *bytes, size_t len);


voice_rc_t
voice_similarity_ratio(voice_span_t a, voice_span_t b, double *ratio)
{
    size_t       n, m;
    uint32_t    *one, *two;
    voice_rc_t   rc;

    *ratio = 0;
    two = NULL;

    rc = voice_text_decode(a, &one, &n);
    if (rc != VOICE_OK) {
        return rc;
    }

    rc = voice_text_decode(b, &two, &m);
    if (rc == VOICE_OK && (n > VOICE_SIMILARITY_RATIO_MAX
                           || m > VOICE_SIMILARITY_RATIO_MAX))
    {
        rc = VOICE_LIMIT;
    }

    if (rc == VOICE_OK) {
        *ratio = n + m == 0 ? 1.0
                            : 2.0 * (double) matched(one, n, two, m)
                              / (double) (n + m);
    }

    free(one);
    free(two);

    return rc;
}


voice_rc_t
voice_similarity_lexical(voice_span_t a, voice_span_t b,
    voice_span_t language, double *similarity)
{
    normal_t            one, two;
    voice_rc_t          rc;
    struct sb_stemmer  *stemmer;

    *similarity = 0;
    memset(&two, 0, sizeof(normal_t));

    rc = normal(a, &one);
    if (rc != VOICE_OK) {
        return rc;
    }

    rc = normal(b, &two);

    if (rc == VOICE_OK && (one.len == 0 || two.len == 0)) {
        *similarity = one.len == two.len ? 1.0 : 0.0;

    } else if (rc == VOICE_OK) {
        stemmer = stemmer_of(language);
        rc = compare(&one, &two, stemmer, similarity);
        sb_stemmer_delete(stemmer);
    }

    free(one.text);
    free(two.text);

    return rc;
}


voice_rc_t
voice_similarity_cosine(const float *a, const float *b, size_t n,
    double *similarity)
{
    size_t  i;
    double  ab, aa, bb, x, y;

    *similarity = 0;
    ab = 0;
    aa = 0;
    bb = 0;

    for (i = 0; i < n; i++) {
        x = (double) a[i];
        y = (double) b[i];
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }

    /* squares of floats do not overflow a double: only bad input does this */
    if (!isfinite(aa) || !isfinite(bb) || aa <= 0 || bb <= 0) {
        return VOICE_INVALID;
    }

    *similarity = clip(ab / (sqrt(aa) * sqrt(bb)));

    return VOICE_OK;
}


/*
 * A block splits its stretch in two; as blocks are disjoint, never more than
 * VOICE_SIMILARITY_RATIO_MAX + 1 stretches wait.
 */
static size_t
matched(const uint32_t *a, size_t n, const uint32_t *b, size_t m)
{
    size_t     sum, waiting;
    block_t    block;
    uint16_t   lengths[VOICE_SIMILARITY_RATIO_MAX + 1];
    stretch_t  stretch, stack[VOICE_SIMILARITY_RATIO_MAX + 2];

    sum = 0;
    waiting = 1;
    stack[0] = (stretch_t) { 0, n, 0, m };

    while (waiting > 0) {
        stretch = stack[--waiting];

        block = longest(a, b, &stretch, lengths);
        if (block.len == 0) {
            continue;
        }

        sum += block.len;

        if (stretch.a < block.a && stretch.b < block.b) {
            stack[waiting++] = (stretch_t) { stretch.a, block.a,
                                             stretch.b, block.b };
        }

        if (block.a + block.len < stretch.a_end
            && block.b + block.len < stretch.b_end)
        {
            stack[waiting++] = (stretch_t) { block.a + block.len,
                                             stretch.a_end,
                                             block.b + block.len,
                                             stretch.b_end };
        }
    }

    return sum;
}


/* Of several longest the one that starts first in a, then first in b. */
static block_t
longest(const uint32_t *a, const uint32_t *b, const stretch_t *in,
    uint16_t *lengths)
{
    size_t    i, j;
    block_t   best;
    uint16_t  before, here;

    memset(&best, 0, sizeof(block_t));
    memset(lengths, 0,
           (VOICE_SIMILARITY_RATIO_MAX + 1) * sizeof(uint16_t));

    for (i = in->a; i < in->a_end; i++) {
        before = 0;

        for (j = in->b; j < in->b_end; j++) {
            here = a[i] == b[j] ? before + 1 : 0;
            before = lengths[j];
            lengths[j] = here;

            if (here > best.len) {
                best = (block_t) { i + 1 - here, j + 1 - here, here };
            }
        }
    }

    return best;
}


static voice_rc_t
normal(voice_span_t text, normal_t *out)
{
    voice_rc_t  rc;

    rc = voice_text_normalise(text, 0, &out->text, &out->len);

    if (rc == VOICE_OK && out->len > VOICE_SIMILARITY_LEXICAL_MAX) {
        free(out->text);
        out->text = NULL;
        return VOICE_LIMIT;
    }

    return rc;
}


static voice_rc_t
compare(const normal_t *a, const normal_t *b, struct sb_stemmer *stemmer,
    double *similarity)
{
    int         i;
    double      stem, gram;
    voice_rc_t  rc;
    features_t  features[4];

    memset(features, 0, sizeof(features));

    rc = stems(a, stemmer, &features[0]);
    rc = rc == VOICE_OK ? stems(b, stemmer, &features[1]) : rc;
    rc = rc == VOICE_OK ? grams(a, &features[2]) : rc;
    rc = rc == VOICE_OK ? grams(b, &features[3]) : rc;

    if (rc == VOICE_OK) {
        stem = cosine(&features[0], &features[1]);
        gram = cosine(&features[2], &features[3]);
        *similarity = clip(STEM_SHARE * stem + (1 - STEM_SHARE) * gram);
    }

    for (i = 0; i < 4; i++) {
        free(features[i].items);
    }

    return rc;
}


/* NULL if there is none for the language; libstemmer takes NULL back. */
static struct sb_stemmer *
stemmer_of(voice_span_t language)
{
    char          name[9];
    voice_span_t  primary;

    primary = voice_language_primary(language);

    if (primary.len == 0 || primary.len >= sizeof(name)) {
        return NULL;
    }

    memcpy(name, primary.ptr, primary.len);
    name[primary.len] = '\0';

    return sb_stemmer_new(name, "UTF_8");
}


/*
 * Words, stemmed; ideographs and kana, which no space parts, stand for
 * words of their own.
 */
static voice_rc_t
stems(const normal_t *text, struct sb_stemmer *stemmer, features_t *out)
{
    int             step, alone;
    size_t          i, start;
    ucs4_t          point;
    const uint8_t  *bytes;

    out->items = malloc((text->len + 1) * sizeof(feature_t));
    if (out->items == NULL) {
        return VOICE_NOMEM;
    }

    bytes = (const uint8_t *) text->text;
    start = 0;

    for (i = 0; i <= text->len; i += (size_t) step) {

        step = 1;
        point = ' ';

        if (i < text->len) {
            step = u8_mbtouc(&point, bytes + i, text->len - i);
        }

        alone = ideographic(point);

        if (point != ' ' && !alone) {
            continue;
        }

        if (stem_add(out, stemmer, bytes + start, i - start) != VOICE_OK
            || (alone && stem_add(out, NULL, bytes + i, (size_t) step)
                         != VOICE_OK))
        {
            return VOICE_NOMEM;
        }

        start = i + (size_t) step;
    }

    merge(out);

    return VOICE_OK;
}


static voice_rc_t
stem_add(features_t *out, struct sb_stemmer *stemmer, const uint8_t *word,
    size_t len)
{
    feature_t  *feature;

    if (len == 0) {
        return VOICE_OK;
    }

    feature = &out->items[out->count++];
    feature->weight = len <= SHORT_WORD ? SHORT_WEIGHT : 1.0;

    if (stemmer != NULL) {
        word = sb_stemmer_stem(stemmer, word, (int) len);
        if (word == NULL) {
            return VOICE_NOMEM;
        }

        len = (size_t) sb_stemmer_length(stemmer);
    }

    feature->hash = hash_of(word, len);

    return VOICE_OK;
}


/* Runs of GRAM code points, one space before and behind the text. */
static voice_rc_t
grams(const normal_t *text, features_t *out)
{
    size_t      i, count;
    uint32_t   *points, *padded;
    voice_rc_t  rc;

    rc = voice_text_decode(voice_span(text->text, text->len), &points,
                           &count);
    if (rc != VOICE_OK) {
        return rc;
    }

    padded = malloc((count + 2) * sizeof(uint32_t));
    out->items = malloc((count + 2) * sizeof(feature_t));

    if (padded == NULL || out->items == NULL) {
        free(points);
        free(padded);
        return VOICE_NOMEM;
    }

    memcpy(padded + 1, points, count * sizeof(uint32_t));
    padded[0] = ' ';
    padded[count + 1] = ' ';

    for (i = 0; i + GRAM <= count + 2; i++) {
        out->items[i].hash = hash_of(padded + i, GRAM * sizeof(uint32_t));
        out->items[i].weight = 1.0;
        out->count++;
    }

    free(points);
    free(padded);
    merge(out);

    return VOICE_OK;
}


static int
ideographic(ucs4_t point)
{
    return uc_is_property_ideographic(point)
           || (point >= 0x3040 && point <= 0x30ff);
}


static int
compare_features(const void *one, const void *two)
{
    const feature_t  *a, *b;

    a = one;
    b = two;

    return a->hash < b->hash ? -1 : a->hash > b->hash;
}


/* Sorts by hash and sums the weights of equal parts. */
static void
merge(features_t *features)
{
    size_t      i, n;
    feature_t  *items;

    n = 0;
    items = features->items;

    qsort(items, features->count, sizeof(feature_t), compare_features);

    for (i = 0; i < features->count; i++) {

        if (n > 0 && items[n - 1].hash == items[i].hash) {
            items[n - 1].weight += items[i].weight;

        } else {
            items[n++] = items[i];
        }
    }

    features->count = n;
}


static double
length_of(const features_t *features)
{
    size_t  i;
    double  sum;

    sum = 0;

    for (i = 0; i < features->count; i++) {
        sum += features->items[i].weight * features->items[i].weight;
    }

    return sqrt(sum);
}


static double
cosine(const features_t *a, const features_t *b)
{
    size_t            i, j;
    double            sum;
    const feature_t  *x, *y;

    if (a->count == 0 || b->count == 0) {
        return a->count == b->count ? 1.0 : 0.0;
    }

    sum = 0;
    i = 0;
    j = 0;

    while (i < a->count && j < b->count) {
        x = &a->items[i];
        y = &b->items[j];

        if (x->hash == y->hash) {
            sum += x->weight * y->weight;
        }

        i += x->hash <= y->hash;
        j += y->hash <= x->hash;
    }

    return sum / (length_of(a) * length_of(b));
}


static double
clip(double value)
{
    return value < 0 ? 0.0 : value > 1 ? 1.0 : value;
}


/* FNV-1a, 64 bits. */
static uint64_t
hash_of(const void *bytes, size_t len)
{
    size_t                i;
    uint64_t              hash;
    const unsigned char  *p;

    p = bytes;
    hash = 0xcbf29ce484222325ULL;

    for (i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * 0x100000001b3ULL;
    }

    return hash;
}
