
/*
 * A run as JUnit XML, which CI systems read.
 */

#ifndef CTL_JUNIT_H
#define CTL_JUNIT_H


#include "ctl_buffer.h"
#include "voice_json.h"


/*
 * Adds the document: a test suite of that name, a test case for each
 * execution, of the class "name.language".  Those that erred are errors;
 * what waits for a human's verdict is skipped with that message.
 * Characters that XML has not are U+FFFD.
 */
void ctl_junit_write(ctl_buffer_t *out, const char *name,
    const json_t *run, const json_t *executions);


#endif /* CTL_JUNIT_H */
