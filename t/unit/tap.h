
/*
 * TAP for unit tests in C: each test names a behaviour.
 */

#ifndef TAP_H
#define TAP_H


#include <stdarg.h>
#include <stdio.h>
#include <string.h>


static int  tap_count;
static int  tap_failures;


/* One test; name as printf.  Returns the condition. */
__attribute__((format(printf, 2, 3)))
static inline int
ok(int condition, const char *name, ...)
{
    va_list  args;

    tap_count++;
    tap_failures += condition ? 0 : 1;

    printf("%sok %d - ", condition ? "" : "not ", tap_count);

    va_start(args, name);
    vprintf(name, args);
    va_end(args);

    printf("\n");

    return condition;
}


/* Are two strings the same?  Shows both where not. */
static inline int
is(const char *got, const char *expected, const char *name)
{
    int  same;

    same = got != NULL && expected != NULL ? strcmp(got, expected) == 0
                                           : got == expected;

    if (!ok(same, "%s", name)) {
        printf("#      got: %s\n# expected: %s\n", got ? got : "(null)",
               expected ? expected : "(null)");
    }

    return same;
}


/* Are two numbers within 1e-6? */
static inline int
is_near(double got, double expected, const char *name)
{
    double  diff;

    diff = got > expected ? got - expected : expected - got;

    if (!ok(diff <= 1e-6, "%s", name)) {
        printf("#      got: %.9f\n# expected: %.9f\n", got, expected);
    }

    return diff <= 1e-6;
}


/* Prints the plan; the value of main(). */
static inline int
done_testing(void)
{
    printf("1..%d\n", tap_count);

    return tap_failures == 0 ? 0 : 1;
}


#endif /* TAP_H */
