/*
 * From the text of a parameter to a value of the type its schema asks for.
 */

#include "voice_contract_private.h"


static json_t *convert_integer(voice_span_t text);
static json_t *convert_number(voice_span_t text);
static json_t *convert_boolean(voice_span_t text);
static json_t *convert_string(voice_span_t text);


static const contract_type_t  contract_types[] = {
    { "integer", convert_integer, "must be an integer" },
    { "number", convert_number, "must be a number" },
    { "boolean", convert_boolean, "must be true or false" },
    { "string", convert_string, "must be UTF-8" },
};


const contract_type_t *
contract_type(const char *name)
{
    size_t  i;

    for (i = 0; name != NULL && i < VOICE_ARRAY_SIZE(contract_types); i++) {
        if (strcmp(contract_types[i].name, name) == 0) {
            return &contract_types[i];
        }
    }

    return NULL;
}


static json_t *
convert_integer(voice_span_t text)
{
    json_t  *value;

    value = convert_number(text);

    if (value != NULL && !json_is_integer(value)) {
        json_decref(value);
        return NULL;
    }

    return value;
}


/* Numbers are written as in JSON: no "+", no leading zeros, no spaces. */
static json_t *
convert_number(voice_span_t text)
{
    json_t              *value;
    voice_json_error_t   err;

    if (text.len == 0 || (text.ptr[0] != '-'
                          && (text.ptr[0] < '0' || text.ptr[0] > '9'))
        || text.ptr[text.len - 1] <= ' ')
    {
        return NULL;
    }

    value = voice_json_parse(text, &err);

    if (value != NULL && !json_is_number(value)) {
        json_decref(value);
        return NULL;
    }

    return value;
}


static json_t *
convert_boolean(voice_span_t text)
{
    if (voice_span_eq(text, VOICE_SPAN("true"))) {
        return json_true();
    }

    return voice_span_eq(text, VOICE_SPAN("false")) ? json_false() : NULL;
}


/* The library refuses what is not UTF-8. */
static json_t *
convert_string(voice_span_t text)
{
    return json_stringn(text.len == 0 ? "" : text.ptr, text.len);
}
