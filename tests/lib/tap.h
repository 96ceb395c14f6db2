/*
 * tap - a unit test program says what held, one line a claim (TAP 13).
 *
 *     int main(void)
 *     {
 *             for (size_t i = 0; i < ARRAY_LEN(durations); i++)
 *                     tap_ok(parse(durations[i].given) == durations[i].ns, "%s", durations[i].given);
 *             return tap_done();
 *     }
 *
 * With TAP_STOP in the environment the first that does not hold is the last.
 */
#ifndef TEG_TEST_TAP_H
#define TEG_TEST_TAP_H

#include <stdbool.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof *(a))

bool tap_ok_(bool held, const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* One claim; gives back whether it held. A failure prints the place. */
#define tap_ok(held, ...) tap_ok_((held), __FILE__, __LINE__, __VA_ARGS__)

/* The same for texts and numbers, printing both when they differ. */
bool tap_text_(const char *got, const char *want, const char *file, int line, const char *claim);
#define tap_text(got, want, claim) tap_text_((got), (want), __FILE__, __LINE__, (claim))
bool tap_num_(int64_t got, int64_t want, const char *file, int line, const char *claim);
#define tap_num(got, want, claim) tap_num_((int64_t)(got), (int64_t)(want), __FILE__, __LINE__, (claim))

/* Something that cannot be shown here, and why; it is counted. */
void tap_skip(const char *why, const char *claim);

/* More about the last line, as a comment. */
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints the plan; the value is main's to return. */
int tap_done(void);

#endif
