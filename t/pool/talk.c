
/*
 * Talks with the built-in agent's dialogue: a question a line, an answer a
 * line; an empty line starts a new conversation.
 */

#include <stdio.h>
#include <stdlib.h>

#include "../../workers/agent_dialogue.h"


int
main(int argc, char **argv)
{
    char               line[AGENT_TEXT_MAX + 2];
    char               problem[AGENT_PROBLEM_MAX] = "";
    json_t            *state = NULL;
    agent_reply_t      reply;
    agent_dialogue_t  *dialogue;

    if (argc != 2) {
        fprintf(stderr, "usage: talk DIALOGUE.json\n");
        return 1;
    }

    dialogue = agent_dialogue_create(argv[1], problem);
    if (dialogue == NULL) {
        fprintf(stderr, "%s: %s\n", argv[1], problem);
        return 1;
    }

    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';

        if (line[0] == '\0') {
            json_decref(state);
            state = NULL;
            continue;
        }

        if (agent_dialogue_turn(dialogue, voice_span_str(line), state,
                                &reply)
            != VOICE_OK)
        {
            return 1;
        }

        printf("%s|%s|%s\n", reply.intent, reply.command_kind, reply.spoken);
        json_decref(state);
        state = json_incref(reply.state);
        agent_reply_release(&reply);
    }

    json_decref(state);
    agent_dialogue_destroy(dialogue);

    return 0;
}
