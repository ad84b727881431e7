
/*
 * Arrays of SQL as text.
 */

#include <stdlib.h>
#include <string.h>

#include "worker_list.h"


#define LIST_SIZE  4096                /* bytes, at first */


static char *list_room(worker_list_t *list, size_t len);


void
worker_list_begin(worker_list_t *list)
{
    list->len = 0;
    list->failed = 0;
}


void
worker_list_add(worker_list_t *list, const char *member)
{
    char    *p;
    size_t   len;

    member = member == NULL ? "NULL" : member;
    len = strlen(member);

    p = list_room(list, len);
    if (p != NULL) {
        memcpy(p, member, len);
        list->len += len;
    }
}


void
worker_list_quoted(worker_list_t *list, const char *member)
{
    char  *p, *start;

    p = list_room(list, 2 * strlen(member) + 2);
    if (p == NULL) {
        return;
    }

    start = p;
    *p++ = '"';

    for (/* void */; *member != '\0'; member++) {
        if (*member == '"' || *member == '\\') {
            *p++ = '\\';
        }

        *p++ = *member;
    }

    *p++ = '"';
    list->len += (size_t) (p - start);
}


const char *
worker_list_end(worker_list_t *list)
{
    if (list->len == 0) {
        (void) list_room(list, 0);
    }

    if (list->failed) {
        return NULL;
    }

    /* list_room() keeps place for it */
    memcpy(list->bytes + list->len, "}", 2);

    return list->bytes;
}


void
worker_list_release(worker_list_t *list)
{
    free(list->bytes);
    memset(list, 0, sizeof(worker_list_t));
}


/* Writes what stands before a member; room for len bytes and the end. */
static char *
list_room(worker_list_t *list, size_t len)
{
    char    *bytes;
    size_t   size;

    if (list->failed) {
        return NULL;
    }

    if (list->size - list->len < len + 3) {
        size = list->size * 2 + LIST_SIZE + len;

        bytes = realloc(list->bytes, size);
        if (bytes == NULL) {
            list->failed = 1;
            return NULL;
        }

        list->bytes = bytes;
        list->size = size;
    }

    list->bytes[list->len] = list->len == 0 ? '{' : ',';
    list->len++;

    return list->bytes + list->len;
}
