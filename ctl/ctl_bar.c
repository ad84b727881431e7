
/*
 * A bar of progress.
 */

#include "ctl_bar.h"
#include "ctl_text.h"


#define BAR_LEAST      10              /* columns of a bar that tells */
#define BAR_MOST       50
#define BAR_NAME       24              /* columns of a name, at most */
#define BAR_FRAME      3               /* brackets, and the blank behind */


static void write_bar(ctl_buffer_t *out, const ctl_bar_t *bar, size_t room,
    int color);
static void fill(ctl_buffer_t *out, size_t count, ctl_color_e color,
    int colored);
static size_t share(size_t part, size_t total, size_t room);


void
ctl_bar_write(ctl_buffer_t *out, const ctl_bar_t *bar, size_t columns,
    int color)
{
    size_t         done, name, room, width;
    ctl_buffer_t   figures = { 0 };

    done = bar->good + bar->bad + bar->other;
    ctl_buffer_format(&figures, "%3zu %%  %zu/%zu  %zu passed  %zu failed  ",
                      share(done, bar->total, 100), done, bar->total,
                      bar->good, bar->bad);
    ctl_bar_time(&figures, bar->seconds);

    if (figures.len > columns) {
        ctl_buffer_add(out, voice_span(figures.data, columns));
        ctl_buffer_release(&figures);
        return;
    }

    room = columns - figures.len;
    name = ctl_text_width(bar->name);
    name = name > BAR_NAME ? BAR_NAME : name;

    if (name > 0 && room >= name + 2 + BAR_LEAST + BAR_FRAME) {
        width = ctl_text_cut(bar->name, name);
        ctl_buffer_add(out, voice_span(bar->name.ptr, width));
        name = ctl_text_width(voice_span(bar->name.ptr, width));
        ctl_buffer_fill(out, ' ', 2);
        room -= name + 2;
    }

    if (room >= BAR_LEAST + BAR_FRAME) {
        room -= BAR_FRAME;
        write_bar(out, bar, room > BAR_MOST ? BAR_MOST : room, color);
    }

    ctl_buffer_add(out, voice_span(figures.data, figures.len));
    ctl_buffer_release(&figures);
}


void
ctl_bar_time(ctl_buffer_t *out, long seconds)
{
    if (seconds >= 3600) {
        ctl_buffer_format(out, "%ld:%02ld:%02ld", seconds / 3600,
                          seconds / 60 % 60, seconds % 60);

    } else {
        ctl_buffer_format(out, "%ld:%02ld", seconds / 60, seconds % 60);
    }
}


static void
write_bar(ctl_buffer_t *out, const ctl_bar_t *bar, size_t room, int color)
{
    size_t  good, bad, done;

    good = share(bar->good, bar->total, room);
    bad = share(bar->good + bar->bad, bar->total, room) - good;
    done = share(bar->good + bar->bad + bar->other, bar->total, room);

    /* one failure is seen, however many tests there are */
    if (bad == 0 && bar->bad > 0) {
        bad = 1;
        good -= good > 0 && good + bad > done ? 1 : 0;
        done = good + bad > done ? good + bad : done;
    }

    ctl_buffer_put(out, "[");
    fill(out, good, CTL_GOOD, color);
    fill(out, bad, CTL_BAD, color);
    fill(out, done - good - bad, CTL_CAUTION, color);
    ctl_buffer_fill(out, ' ', room - done);
    ctl_buffer_put(out, "] ");
}


static void
fill(ctl_buffer_t *out, size_t count, ctl_color_e color, int colored)
{
    ctl_buffer_t  marks = { 0 };

    ctl_buffer_fill(&marks, '#', count);
    ctl_paint(out, voice_span(marks.data, marks.len),
              colored ? color : CTL_PLAIN);
    ctl_buffer_release(&marks);
}


/* Whole only if all of it is there. */
static size_t
share(size_t part, size_t total, size_t room)
{
    if (total == 0) {
        return 0;
    }

    return part >= total ? room : part * room / total;
}
