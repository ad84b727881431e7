
/*
 * The words of a lexicon, and how they are found: a hash table of entries,
 * words joined by blanks, and one of first words, so that most words of a
 * text cost one look.
 */

#include <stdlib.h>

#include "voice_lexicon_private.h"


#define FNV_BASIS   0xcbf29ce484222325u
#define FNV_PRIME   0x100000001b3u
#define PREFIX_MIN  2                  /* bytes before a "*" */


/* Words that are looked for: the last is taken up to last_len bytes. */
typedef struct {
    const voice_token_t  *tokens;
    size_t                count;
    size_t                last_len;
    int                   prefix;
} sought_t;


static const voice_lexicon_entry_t *find_words(
    const voice_lexicon_t *lexicon, const voice_token_t *tokens, size_t n);
static const lexicon_entry_t *probe(const lexicon_table_t *table,
    uint64_t hash, const sought_t *sought);
static int same(const lexicon_entry_t *entry, const sought_t *sought);
static size_t longest(const voice_lexicon_t *lexicon,
    const voice_token_t *tokens, size_t count);
static uint64_t step(uint64_t hash, char c);
static int table_grow(lexicon_table_t *table);
static void table_place(lexicon_table_t *table, size_t index);


void
voice_lexicon_destroy(voice_lexicon_t *lexicon)
{
    if (lexicon == NULL) {
        return;
    }

    free(lexicon->entries.items);
    free(lexicon->entries.slots);
    free(lexicon->starts.items);
    free(lexicon->starts.slots);
    free(lexicon->text);
    free(lexicon);
}


const voice_lexicon_head_t *
voice_lexicon_head(const voice_lexicon_t *lexicon)
{
    return &lexicon->head;
}


const voice_lexicon_entry_t *
voice_lexicon_find(const voice_lexicon_t *lexicon,
    const voice_token_t *tokens, size_t count)
{
    char                          squeezed[VOICE_TOKEN_MAX * 3];
    size_t                        n;
    voice_token_t                 token;
    const voice_lexicon_entry_t  *entry;

    for (n = longest(lexicon, tokens, count); n > 0; n--) {
        entry = find_words(lexicon, tokens, n);

        if (entry != NULL) {
            return entry;
        }
    }

    if (!tokens[0].stretched || tokens[0].word.len > sizeof(squeezed)) {
        return NULL;
    }

    token = tokens[0];
    token.word = voice_span(squeezed,
                            voice_token_squeeze(tokens[0].word, squeezed));

    return find_words(lexicon, &token, 1);
}


uint64_t
lexicon_hash(voice_span_t key)
{
    size_t    i;
    uint64_t  hash;

    hash = FNV_BASIS;

    for (i = 0; i < key.len; i++) {
        hash = step(hash, key.ptr[i]);
    }

    return hash;
}


lexicon_entry_t *
lexicon_get(const lexicon_table_t *table, voice_span_t key)
{
    size_t            at;
    uint64_t          hash;
    lexicon_entry_t  *entry;

    if (table->size == 0) {
        return NULL;
    }

    hash = lexicon_hash(key);

    for (at = hash & (table->size - 1);
         table->slots[at] != 0;
         at = (at + 1) & (table->size - 1))
    {
        entry = &table->items[table->slots[at] - 1];

        if (entry->hash == hash && voice_span_eq(entry->key, key)) {
            return entry;
        }
    }

    return NULL;
}


voice_rc_t
lexicon_put(lexicon_table_t *table, const lexicon_entry_t *entry)
{
    if (table->count * 2 >= table->size && !table_grow(table)) {
        return VOICE_NOMEM;
    }

    table->items[table->count] = *entry;
    table->items[table->count].hash = lexicon_hash(entry->key);
    table_place(table, table->count++);

    return VOICE_OK;
}


static const voice_lexicon_entry_t *
find_words(const voice_lexicon_t *lexicon, const voice_token_t *tokens,
    size_t n)
{
    size_t                  i, j;
    uint64_t                hash;
    sought_t                sought;
    const lexicon_entry_t  *entry, *prefix;

    sought.tokens = tokens;
    sought.count = n;
    prefix = NULL;
    hash = FNV_BASIS;

    for (i = 0; i < n; i++) {

        hash = i > 0 ? step(hash, ' ') : hash;

        for (j = 0; j < tokens[i].word.len; j++) {
            hash = step(hash, tokens[i].word.ptr[j]);

            if (i + 1 < n || j + 1 < PREFIX_MIN) {
                continue;
            }

            sought.last_len = j + 1;
            sought.prefix = 1;
            entry = probe(&lexicon->entries, step(hash, '*'), &sought);
            prefix = entry != NULL ? entry : prefix;
        }
    }

    sought.last_len = tokens[n - 1].word.len;
    sought.prefix = 0;
    entry = probe(&lexicon->entries, hash, &sought);

    entry = entry != NULL ? entry : prefix;

    return entry == NULL ? NULL : &entry->entry;
}


static const lexicon_entry_t *
probe(const lexicon_table_t *table, uint64_t hash, const sought_t *sought)
{
    size_t                  at;
    const lexicon_entry_t  *entry;

    if (table->size == 0) {
        return NULL;
    }

    for (at = hash & (table->size - 1);
         table->slots[at] != 0;
         at = (at + 1) & (table->size - 1))
    {
        entry = &table->items[table->slots[at] - 1];

        if (entry->hash == hash && same(entry, sought)) {
            return entry;
        }
    }

    return NULL;
}


static int
same(const lexicon_entry_t *entry, const sought_t *sought)
{
    size_t        i, at;
    voice_span_t  word;

    at = 0;

    for (i = 0; i < sought->count; i++) {

        word = sought->tokens[i].word;

        if (i + 1 == sought->count) {
            word.len = sought->last_len;
        }

        if (i > 0 && (at == entry->key.len || entry->key.ptr[at++] != ' ')) {
            return 0;
        }

        if (entry->key.len - at < word.len
            || memcmp(entry->key.ptr + at, word.ptr, word.len) != 0)
        {
            return 0;
        }

        at += word.len;
    }

    if (sought->prefix) {
        return at + 1 == entry->key.len && entry->key.ptr[at] == '*';
    }

    return at == entry->key.len;
}


/* How many words an entry that begins here may have. */
static size_t
longest(const voice_lexicon_t *lexicon, const voice_token_t *tokens,
    size_t count)
{
    size_t                  n, most;
    sought_t                sought;
    const lexicon_entry_t  *start;

    sought.tokens = tokens;
    sought.count = 1;
    sought.last_len = tokens[0].word.len;
    sought.prefix = 0;

    start = probe(&lexicon->starts, lexicon_hash(tokens[0].word), &sought);
    most = start == NULL ? 1 : start->entry.words;

    for (n = 1; n < most && n < count; n++) {
        if (tokens[n - 1].end != VOICE_TOKEN_NEXT) {
            break;
        }
    }

    return n;
}


static uint64_t
step(uint64_t hash, char c)
{
    return (hash ^ (unsigned char) c) * FNV_PRIME;
}


static int
table_grow(lexicon_table_t *table)
{
    size_t            i, size;
    uint32_t         *slots;
    lexicon_entry_t  *items;

    size = table->size == 0 ? 64 : table->size * 2;

    items = realloc(table->items, size / 2 * sizeof(lexicon_entry_t));
    if (items == NULL) {
        return 0;
    }

    table->items = items;

    slots = calloc(size, sizeof(uint32_t));
    if (slots == NULL) {
        return 0;
    }

    free(table->slots);
    table->slots = slots;
    table->size = size;

    for (i = 0; i < table->count; i++) {
        table_place(table, i);
    }

    return 1;
}


static void
table_place(lexicon_table_t *table, size_t index)
{
    size_t  at;

    for (at = table->items[index].hash & (table->size - 1);
         table->slots[at] != 0;
         at = (at + 1) & (table->size - 1))
    {
        /* void */
    }

    table->slots[at] = (uint32_t) (index + 1);
}
