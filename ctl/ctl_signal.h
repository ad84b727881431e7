
/*
 * Signals: what asks us to end, what tells that the window changed.
 */

#ifndef CTL_SIGNAL_H
#define CTL_SIGNAL_H


#include <stdint.h>


/* INT, TERM and HUP ask, WINCH tells; PIPE is told by write(). */
void ctl_signals_take(void);

/* Were we asked to end? */
int ctl_interrupted(void);

/* Has the window changed since it was asked last? */
int ctl_window_changed(void);

/* Waits; 0: we were asked to end before the time was over. */
int ctl_pause(int64_t ms);

/* Waits until stdin can be read; 0: we were asked to end. */
int ctl_input_wait(void);

/* Milliseconds of a clock that only goes forward. */
int64_t ctl_now(void);


#endif /* CTL_SIGNAL_H */
