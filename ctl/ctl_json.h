
/*
 * Members of what the API answers.
 */

#ifndef CTL_JSON_H
#define CTL_JSON_H


#include "voice_json.h"


/* A text; "" where there is none.  Good as long as the object. */
static inline const char *
ctl_json_text(const json_t *object, const char *name)
{
    const char  *value;

    value = json_string_value(json_object_get(object, name));

    return value == NULL ? "" : value;
}


#endif /* CTL_JSON_H */
