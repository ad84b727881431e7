
/*
 * What is shown of a run that goes on: a bar below what is worth a line, or
 * lines only, or JSON.
 */

#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H


#include "ctl.h"
#include "voice_json.h"


typedef struct ctl_progress_s  ctl_progress_t;


ctl_progress_t *ctl_progress_make(const ctl_t *ctl);

/* Leaves the bar's line. */
void ctl_progress_destroy(ctl_progress_t *progress);

/* What the bar is called. */
void ctl_progress_name(ctl_progress_t *progress, const char *name);

/* The run's state now; told where it is another than before. */
void ctl_progress_run(ctl_progress_t *progress, const json_t *run);

/* A test that has ended; each is told once. */
void ctl_progress_test(ctl_progress_t *progress, const json_t *test);

/* Time has passed, the window may have changed. */
void ctl_progress_tick(ctl_progress_t *progress);

/* The run has ended: how, and which tests failed. */
void ctl_progress_end(ctl_progress_t *progress, const json_t *run);


#endif /* CTL_PROGRESS_H */
