
/*
 * Arrays of SQL in their text form, for parameters: "{a,b}".
 */

#ifndef WORKER_LIST_H
#define WORKER_LIST_H


#include <stddef.h>


/* Zero at first; keeps its memory from one array to the next. */
typedef struct {
    char    *bytes;                    /* NUL terminated after the end */
    size_t   len;
    size_t   size;
    int      failed;                   /* bool: out of memory */
} worker_list_t;


void worker_list_begin(worker_list_t *list);
/* A member without quotes, commas, braces or backslashes; may be NULL. */
void worker_list_add(worker_list_t *list, const char *member);
/* Any text. */
void worker_list_quoted(worker_list_t *list, const char *member);
/* The array, borrowed until the next begin; NULL: out of memory. */
const char *worker_list_end(worker_list_t *list);

void worker_list_release(worker_list_t *list);


#endif /* WORKER_LIST_H */
