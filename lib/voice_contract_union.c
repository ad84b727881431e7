/*
 * The union of partial documents: what stands twice is refused by name.
 */

#include <stdio.h>
#include <stdlib.h>

#include "voice_contract_private.h"


#define UNION_FILES_MAX  256


/* One file on its way into the document. */
typedef struct {
    voice_contract_t  *contract;
    const char        *file;
} union_t;


static voice_rc_t file_merge(voice_contract_t *contract,
    const voice_contract_file_t *file);
static voice_rc_t root_merge(union_t *u, const char *name, json_t *value);
static voice_rc_t members_merge(union_t *u, const char *place, json_t *into,
    const json_t *from);
static voice_rc_t sections_merge(union_t *u, const char *place, json_t *into,
    const json_t *from);
static voice_rc_t tags_merge(union_t *u, const char *place, json_t *into,
    const json_t *from);
static json_t *member_object(json_t *object, const char *name, int list);
static voice_rc_t refuse_twice(union_t *u, const char *place);


/* Members of the root that several files may have; others must be equal. */
static const struct {
    const char   *name;
    int           list;
    voice_rc_t  (*merge)(union_t *u, const char *place, json_t *into,
        const json_t *from);
} union_members[] = {
    { "paths", 0, members_merge },
    { "components", 0, sections_merge },
    { "x-limits", 0, members_merge },
    { "x-errors", 0, members_merge },
    { "tags", 1, tags_merge },
};


voice_rc_t
contract_union(voice_contract_t *contract, const voice_contract_file_t *files,
    unsigned nfiles)
{
    unsigned    i;
    voice_rc_t  rc;

    contract->document = json_object();
    contract->origins = json_object();

    if (contract->document == NULL || contract->origins == NULL) {
        return contract_nomem(contract);
    }

    if (nfiles == 0 || nfiles > UNION_FILES_MAX) {
        return contract_refuse(contract, "", "has %s files",
                               nfiles == 0 ? "no" : "too many");
    }

    for (i = 0; i < nfiles; i++) {
        rc = file_merge(contract, &files[i]);

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


const char *
contract_origin(const voice_contract_t *contract, const char *place)
{
    char           prefix[CONTRACT_PLACE_MAX];
    char          *slash;
    const json_t  *file;

    (void) snprintf(prefix, sizeof(prefix), "%s", place);

    for (;;) {
        file = json_object_get(contract->origins, prefix);
        slash = strrchr(prefix, '/');

        if (file != NULL || slash == NULL) {
            return file == NULL ? "contract" : json_string_value(file);
        }

        *slash = '\0';
    }
}


static voice_rc_t
file_merge(voice_contract_t *contract, const voice_contract_file_t *file)
{
    json_t              *document, *value;
    union_t              u;
    voice_rc_t           rc;
    const char          *name;
    voice_json_error_t   err;

    document = voice_json_parse(file->text, &err);

    if (!json_is_object(document)) {
        (void) snprintf(contract->problem->path,
                        sizeof(contract->problem->path), "%s", file->name);

        if (document == NULL) {
            (void) snprintf(contract->problem->reason,
                            sizeof(contract->problem->reason),
                            "%s at line %zu, column %zu", err.reason,
                            err.line, err.column);

        } else {
            (void) snprintf(contract->problem->reason,
                            sizeof(contract->problem->reason),
                            "must be an object");
        }

        json_decref(document);
        return VOICE_INVALID;
    }

    u.contract = contract;
    u.file = file->name;
    rc = VOICE_OK;

    json_object_foreach(document, name, value) {
        rc = root_merge(&u, name, value);

        if (rc != VOICE_OK) {
            break;
        }
    }

    json_decref(document);

    return rc;
}


static voice_rc_t
root_merge(union_t *u, const char *name, json_t *value)
{
    char     place[CONTRACT_PLACE_MAX];
    size_t   i;
    json_t  *into;

    contract_place(place, "", name);

    for (i = 0; i < VOICE_ARRAY_SIZE(union_members); i++) {
        if (strcmp(union_members[i].name, name) != 0) {
            continue;
        }

        into = member_object(u->contract->document, name,
                             union_members[i].list);

        if (into == NULL) {
            return contract_nomem(u->contract);
        }

        if (json_typeof(into) != json_typeof(value)) {
            return contract_refuse(u->contract, place, "must be %s in %s",
                                   union_members[i].list ? "a list"
                                                         : "an object",
                                   u->file);
        }

        return union_members[i].merge(u, place, into, value);
    }

    into = json_object_get(u->contract->document, name);

    if (into != NULL) {
        return json_equal(into, value) ? VOICE_OK : refuse_twice(u, place);
    }

    if (json_object_set(u->contract->document, name, value) != 0
        || json_object_set_new(u->contract->origins, place,
                               json_string(u->file))
           != 0)
    {
        return contract_nomem(u->contract);
    }

    return VOICE_OK;
}


static voice_rc_t
members_merge(union_t *u, const char *place, json_t *into,
    const json_t *from)
{
    char         below[CONTRACT_PLACE_MAX];
    json_t      *value;
    const char  *name;

    json_object_foreach((json_t *) from, name, value) {
        contract_place(below, place, name);

        if (json_object_get(into, name) != NULL) {
            return refuse_twice(u, below);
        }

        if (json_object_set(into, name, value) != 0
            || json_object_set_new(u->contract->origins, below,
                                   json_string(u->file))
               != 0)
        {
            return contract_nomem(u->contract);
        }
    }

    return VOICE_OK;
}


static voice_rc_t
sections_merge(union_t *u, const char *place, json_t *into,
    const json_t *from)
{
    char         below[CONTRACT_PLACE_MAX];
    json_t      *value, *section;
    voice_rc_t   rc;
    const char  *name;

    json_object_foreach((json_t *) from, name, value) {
        contract_place(below, place, name);

        if (!json_is_object(value)) {
            return contract_refuse(u->contract, below,
                                   "must be an object in %s", u->file);
        }

        section = member_object(into, name, 0);

        if (section == NULL) {
            return contract_nomem(u->contract);
        }

        rc = members_merge(u, below, section, value);

        if (rc != VOICE_OK) {
            return rc;
        }
    }

    return VOICE_OK;
}


static voice_rc_t
tags_merge(union_t *u, const char *place, json_t *into, const json_t *from)
{
    size_t        i, k;
    json_t       *tag, *other;
    voice_span_t  name;

    json_array_foreach(from, i, tag) {
        name = voice_json_text(tag, "name");

        if (name.len == 0) {
            return contract_refuse(u->contract, place,
                                   "has a tag without a name in %s", u->file);
        }

        json_array_foreach(into, k, other) {
            if (voice_span_eq(name, voice_json_text(other, "name"))) {
                return contract_refuse(u->contract, place,
                                       "has the tag \"%s\" twice, once in %s",
                                       name.ptr, u->file);
            }
        }

        if (json_array_append(into, tag) != 0) {
            return contract_nomem(u->contract);
        }
    }

    return VOICE_OK;
}


/* The object or list under a name, made if there is none. */
static json_t *
member_object(json_t *object, const char *name, int list)
{
    json_t  *member;

    member = json_object_get(object, name);

    if (member == NULL) {
        member = list ? json_array() : json_object();

        if (json_object_set_new(object, name, member) != 0) {
            return NULL;
        }
    }

    return member;
}


static voice_rc_t
refuse_twice(union_t *u, const char *place)
{
    return contract_refuse(u->contract, place, "stands again in %s", u->file);
}
