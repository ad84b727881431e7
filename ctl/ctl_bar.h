
/*
 * A bar of progress in one line of a terminal.
 */

#ifndef CTL_BAR_H
#define CTL_BAR_H


#include "ctl_table.h"


typedef struct {
    voice_span_t  name;                /* safe; may be empty */
    size_t        total;
    size_t        good;
    size_t        bad;
    size_t        other;               /* ended otherwise */
    long          seconds;             /* since it began */
} ctl_bar_t;


/*
 * Adds the line, without an end, never wider than so many columns: the name
 * gives way first, then the bar, then the rest.
 */
void ctl_bar_write(ctl_buffer_t *out, const ctl_bar_t *bar, size_t columns,
    int color);

/* "0:05", "12:07", "1:00:03". */
void ctl_bar_time(ctl_buffer_t *out, long seconds);


#endif /* CTL_BAR_H */
