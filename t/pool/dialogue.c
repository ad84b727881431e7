
/*
 * The dialogue of the built-in voice agent.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../workers/agent_dialogue.h"
#include "../unit/tap.h"


#define DIALOGUE  "conf/speech/navigation/en/dialogue.json"


static agent_dialogue_t  *dialogue;


/* A turn; the state before is released, the one after it is in reply. */
static void
turn(const char *text, json_t *state, agent_reply_t *reply)
{
    if (agent_dialogue_turn(dialogue, voice_span_str(text), state, reply)
        != VOICE_OK)
    {
        memset(reply, 0, sizeof(agent_reply_t));
    }

    json_decref(state);
}


static void
says(const char *text, const char *intent, const char *spoken,
    const char *name)
{
    agent_reply_t  reply;

    turn(text, NULL, &reply);
    is(reply.intent, intent, name);
    is(reply.spoken, spoken, name);
    agent_reply_release(&reply);
}


static void
rules(void)
{
    says("Navigate to the airport.", "navigate_to",
         "Navigating to the airport. The drive takes thirty minutes.",
         "case and punctuation do not matter");
    says("would you drive home avoiding tolls please", "navigate_home",
         "Navigating home avoiding tolls. The drive takes twenty minutes.",
         "words around a request do not matter");
    says("navigate to atlantis", "unknown",
         "I am sorry, I did not understand that.",
         "an unknown place is not understood");
    says("", "unknown", "I am sorry, I did not understand that.",
         "silence is not understood");
    says("call my mother", "call", "Calling your mother.",
         "my mother is your mother");
    says("is it going to rain in london", "weather_rain",
         "Yes it will rain in london.", "a fact is looked up");
}


static void
entities(void)
{
    json_t         *e;
    agent_reply_t   reply;

    turn("book a table for four people tonight at seven p m at an italian "
         "restaurant in boston", NULL, &reply);
    e = reply.entities;

    ok(json_integer_value(json_object_get(e, "people")) == 4,
       "a number is a number");
    is(json_string_value(json_object_get(e, "time")), "seven p m",
       "a time is found behind a number");
    is(json_string_value(json_object_get(e, "city")), "boston",
       "a city is found");
    is(reply.command_kind, "BookingCommand", "the command kind is the rule's");
    ok(reply.listen == 0, "nothing is asked when all is known");
    agent_reply_release(&reply);

    turn("book a table for two people in denver at noon", NULL, &reply);
    is(reply.command_kind, "NoResultCommand",
       "what the agent does not serve is no result");
    agent_reply_release(&reply);
}


static void
conversation(void)
{
    json_t         *state;
    agent_reply_t   reply;

    turn("book a table in seattle", NULL, &reply);
    is(reply.spoken, "For how many people?", "what is missing is asked for");
    ok(reply.listen == 1, "the agent listens after a question");
    state = json_incref(reply.state);
    agent_reply_release(&reply);

    turn("for five people", state, &reply);
    is(reply.spoken, "At what time?", "the next missing thing is asked for");
    state = json_incref(reply.state);
    agent_reply_release(&reply);

    turn("at half past eight", state, &reply);
    is(reply.spoken,
       "I booked a table for five people at half past eight in seattle.",
       "the state carries what was said before");
    ok(json_integer_value(json_object_get(reply.state, "TurnCount")) == 3,
       "turns are counted");
    agent_reply_release(&reply);

    turn("book a table", NULL, &reply);
    state = json_incref(reply.state);
    agent_reply_release(&reply);

    turn("call john", state, &reply);
    is(reply.intent, "call", "something new ends the question");
    agent_reply_release(&reply);
}


/* The state goes through the client's hands. */
static void
hostile(void)
{
    size_t          i;
    char            longest[AGENT_TEXT_MAX + 2];
    json_t         *state;
    agent_reply_t   reply;

    static const char *const  states[] = {
        "{}", "[]", "{\"Intent\":5}", "{\"Intent\":\"book_table\"}",
        "{\"Intent\":\"book_table\",\"Asked\":\"people\"}",
        "{\"Intent\":\"book_table\",\"Asked\":\"nobody\",\"Slots\":{}}",
        "{\"Intent\":\"none\",\"Asked\":\"people\",\"Slots\":{}}",
        "{\"Intent\":\"book_table\",\"Asked\":\"people\",\"Slots\":[]}",
        "{\"Intent\":\"book_table\",\"Asked\":\"people\","
            "\"Slots\":{\"city\":{\"a\":1}}}",
        "{\"Intent\":\"book_table\",\"Asked\":\"city\",\"Slots\":{},"
            "\"TurnCount\":99999999999}",
    };

    for (i = 0; i < VOICE_ARRAY_SIZE(states); i++) {
        state = json_loads(states[i], JSON_DECODE_ANY, NULL);
        turn("call john", state, &reply);
        is(reply.intent, "call", "a wrong state is no state");
        agent_reply_release(&reply);
    }

    state = json_pack("{s:s, s:s, s:{s:s}}", "Intent", "book_table", "Asked",
                      "people", "Slots", "city", "<b>{time}[{city}]</b>");
    turn("for two people", state, &reply);
    is(reply.spoken, "At what time?", "markup in a state is not taken");
    ok(json_object_get(reply.entities, "city") == NULL,
       "markup in a state is no entity");
    agent_reply_release(&reply);

    memset(longest, 'a', sizeof(longest));
    ok(agent_dialogue_turn(dialogue, voice_span(longest, sizeof(longest)),
                           NULL, &reply)
       == VOICE_LIMIT, "a question that is too long is refused");
}


static void
wrong_file(const char *text, const char *name)
{
    int                fd;
    char               path[] = "/tmp/dialogue.XXXXXX";
    char               problem[AGENT_PROBLEM_MAX] = "";
    ssize_t            n;
    agent_dialogue_t  *none;

    fd = mkstemp(path);
    n = write(fd, text, strlen(text));
    close(fd);

    none = agent_dialogue_create(path, problem);
    ok(n > 0 && none == NULL && problem[0] != '\0', "%s is refused", name);
    agent_dialogue_destroy(none);
    unlink(path);
}


static void
files(void)
{
    wrong_file("{", "a file that is no JSON");
    wrong_file("[]", "a file without rules");
    wrong_file("{\"rules\":[{\"intent\":\"a\",\"command_kind\":\"b\","
               "\"match\":\"(\",\"answers\":[{\"say\":\"x\"}]}],"
               "\"fallback\":{\"intent\":\"u\",\"command_kind\":\"n\","
               "\"answers\":[{\"say\":\"x\"}]}}",
               "a pattern that is none");
    wrong_file("{\"rules\":[{\"intent\":\"a\",\"command_kind\":\"b\","
               "\"match\":\"{none}\",\"answers\":[{\"say\":\"x\"}]}],"
               "\"fallback\":{\"intent\":\"u\",\"command_kind\":\"n\","
               "\"answers\":[{\"say\":\"x\"}]}}",
               "an unknown slot");
    wrong_file("{\"slots\":{\"a\":[\"{a}\"]},\"rules\":[{\"intent\":\"a\","
               "\"command_kind\":\"b\",\"match\":\"{a}\",\"answers\":"
               "[{\"say\":\"x\"}]}],\"fallback\":{\"intent\":\"u\","
               "\"command_kind\":\"n\",\"answers\":[{\"say\":\"x\"}]}}",
               "a slot within itself");
}


int
main(void)
{
    char  problem[AGENT_PROBLEM_MAX] = "";

    dialogue = agent_dialogue_create(DIALOGUE, problem);
    if (!ok(dialogue != NULL, "the domain's dialogue is read")) {
        printf("# %s\n", problem);
        return done_testing();
    }

    rules();
    entities();
    conversation();
    hostile();
    files();
    agent_dialogue_destroy(dialogue);

    return done_testing();
}
