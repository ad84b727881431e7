
/*
 * voice_lexicon.h
 */

#include <stdio.h>
#include <stdlib.h>

#include "tap.h"
#include "voice_lexicon.h"


#define HEAD  "language en\n"


static void
refuses(const char *file, unsigned line, const char *reason)
{
    voice_rc_t              rc;
    voice_lexicon_t        *lexicon;
    voice_lines_fault_t   fault;

    rc = voice_lexicon_parse(voice_span_str(file), &lexicon, &fault);

    if (!ok(rc == VOICE_INVALID && lexicon == NULL && fault.line == line
            && strstr(fault.reason, reason) != NULL,
            "line %u is refused: %s", line, reason))
    {
        printf("# %d, line %u: %s\n", rc, fault.line, fault.reason);
        voice_lexicon_destroy(lexicon);
    }
}


static void
test_refused(void)
{
    refuses("[weight 1]\ngood\n", 1, "\"language\" must stand before");
    refuses("language english-\n", 1, "no language tag");
    refuses("\n\nlanguages en\n", 3, "\"languages\" is no directive");
    refuses(HEAD "good\n", 2, "\"good\" is no directive");
    refuses(HEAD "apostrophe off\n", 2, "join or split");
    refuses(HEAD "negation 4\n", 2, "two numbers");
    refuses(HEAD "negation 4 11\n", 2, "0 to 10");
    refuses(HEAD "[weight 5]\n", 2, "a section is");
    refuses(HEAD "[weight]\n", 2, "a section is");
    refuses(HEAD "[weight 1e1]\n", 2, "a section is");
    refuses(HEAD "[factor 0]\n", 2, "a section is");
    refuses(HEAD "[negators 1]\n", 2, "a section is");
    refuses(HEAD "[words 1]\n", 2, "a section is");
    refuses(HEAD "[weight 1\n", 2, "no \"]\"");
    refuses(HEAD "[weight 1]\na, , b\n", 3, "between two commas");
    refuses(HEAD "[weight 1]\none two three four five six seven\n", 3,
            "1 to 6 words");
    refuses(HEAD "[weight 1]\ngo*od\n", 3, "only at its end");
    refuses(HEAD "[weight 1]\nab*\n", 3, "3 bytes");
    refuses(HEAD "[weight 1]\n...\n", 3, "1 to 6 words");
    refuses(HEAD "[weight 1]\ngood. bad\n", 3, "1 to 6 words");
    refuses(HEAD "[weight 1]\ngood\n[weight 2]\nnice, GOOD\n", 5,
            "\"good\" stands twice");
    refuses(HEAD "[weight 1]\ncan't\ncant\n", 4, "\"cant\" stands twice");
    refuses(HEAD, 0, "there is no entry");
    refuses("", 0, "there is no entry");
    refuses(HEAD "[weight 1]\n\xff\n", 0, "not UTF-8");
}


static const voice_lexicon_entry_t *
find(const voice_lexicon_t *lexicon, const char *text)
{
    voice_tokens_t                tokens;
    const voice_lexicon_entry_t  *entry;

    if (voice_tokens_read(voice_span_str(text),
                          voice_lexicon_head(lexicon)->flags, &tokens)
        != VOICE_OK || tokens.count == 0)
    {
        return NULL;
    }

    entry = voice_lexicon_find(lexicon, tokens.items, tokens.count);
    voice_tokens_release(&tokens);

    return entry;
}


static int
weighs(const voice_lexicon_t *lexicon, const char *text, int quarters,
    unsigned words)
{
    const voice_lexicon_entry_t  *entry;

    entry = find(lexicon, text);

    return entry != NULL && entry->kind == VOICE_LEXICON_WEIGHT
           && (int) (entry->value * 4) == quarters && entry->words == words;
}


static void
test_found(void)
{
    voice_lexicon_t              *lexicon;
    voice_lines_fault_t         fault;
    const voice_lexicon_entry_t  *entry;

    ok(voice_lexicon_parse(VOICE_SPAN(
           "# comment\r\nlanguage en_us\r\nnegation 3 2\n"
           "[weight -2.25]\n bad, not working ,not\tworking at all,\n"
           "[weight 3]\nhelp*, helpless, waste of tim*, soon\n"
           "[factor 1.5]\nvery\n[negators]\nnot\n[contrasts]\nbut"),
           &lexicon, &fault) == VOICE_OK, "a lexicon is read");

    is(voice_lexicon_head(lexicon)->language, "en-US", "its language");
    ok(voice_lexicon_head(lexicon)->ahead == 3
       && voice_lexicon_head(lexicon)->behind == 2
       && voice_lexicon_head(lexicon)->entries == 10, "and its head");

    ok(weighs(lexicon, "BAD luck", -9, 1), "a word, in any case");
    ok(weighs(lexicon, "not working", -9, 2), "an idiom before its words");
    ok(weighs(lexicon, "not working at all", -9, 4), "the longest idiom");
    ok(weighs(lexicon, "not working at noon", -9, 2), "the one that fits");
    ok(weighs(lexicon, "helpful", 12, 1), "the beginning of a word");
    ok(weighs(lexicon, "help", 12, 1), "which may be all of it");
    ok(weighs(lexicon, "waste of timing", 12, 3),
       "the beginning of an idiom's last word");
    ok(weighs(lexicon, "sooooon", 12, 1), "a word that was stretched");

    entry = find(lexicon, "not. working");
    ok(entry != NULL && entry->kind == VOICE_LEXICON_NEGATOR,
       "no idiom goes over the end of a clause");

    entry = find(lexicon, "very");
    ok(entry != NULL && entry->kind == VOICE_LEXICON_FACTOR
       && entry->value > 1.49 && entry->value < 1.51, "a factor");

    entry = find(lexicon, "but");
    ok(entry != NULL && entry->kind == VOICE_LEXICON_CONTRAST, "a contrast");

    ok(find(lexicon, "unknown") == NULL && find(lexicon, "hel") == NULL
       && find(lexicon, "waste of") == NULL, "and nothing else");

    voice_lexicon_destroy(lexicon);
}


static void
test_large(void)
{
    size_t                  i, len;
    char                   *file, word[16];
    voice_lexicon_t        *lexicon;
    voice_lines_fault_t   fault;

    file = malloc(VOICE_LINES_MAX + 1);
    len = (size_t) snprintf(file, 64, HEAD "[weight 1]\n");

    for (i = 0; i < VOICE_LEXICON_ENTRIES; i++) {
        len += (size_t) snprintf(file + len, 32, "w%zu\n", i);
    }

    ok(voice_lexicon_parse(voice_span(file, len), &lexicon, &fault)
       == VOICE_OK, "%d entries are read", VOICE_LEXICON_ENTRIES);

    for (i = 0; i < VOICE_LEXICON_ENTRIES; i++) {
        snprintf(word, sizeof(word), "w%zu", i);

        if (!weighs(lexicon, word, 4, 1)) {
            break;
        }
    }

    ok(i == VOICE_LEXICON_ENTRIES, "and all of them found");
    voice_lexicon_destroy(lexicon);

    len += (size_t) snprintf(file + len, 32, "more\n");
    ok(voice_lexicon_parse(voice_span(file, len), &lexicon, &fault)
       == VOICE_LIMIT, "one more is refused");
    ok(voice_lexicon_parse(voice_span(file, VOICE_LINES_MAX + 1), &lexicon,
                           &fault) == VOICE_LIMIT, "and a larger file");

    free(file);
}


int
main(void)
{
    test_refused();
    test_found();
    test_large();

    return done_testing();
}
