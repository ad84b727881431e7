
/*
 * Replies of the API for people: lists as tables, objects as lines.
 */

#ifndef CTL_SHOW_H
#define CTL_SHOW_H


#include "ctl_command.h"
#include "voice_json.h"


/* Adds a value as text (not yet safe); nothing for null. */
void ctl_show_value(ctl_buffer_t *out, const json_t *value, ctl_as_e as);

/* The colour of a state: "passed", "queued", "dead". */
ctl_color_e ctl_state_color(voice_span_t state);

/* A table of an array of objects. */
void ctl_show_list(const ctl_t *ctl, const json_t *list,
    const ctl_field_t *fields);

/*
 * An object, a line each member in its order; objects and arrays in it are
 * set in below their name.
 */
void ctl_show_object(const ctl_t *ctl, const json_t *object);


#endif /* CTL_SHOW_H */
