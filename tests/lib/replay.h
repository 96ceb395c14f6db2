/*
 * replay - what a fuzz target reached, asked again in every flavour of the build.
 *
 *     replay("parse", fuzz_parse, "tests/fuzz/reached/parse", 100)
 *
 * One claim a folder: each of its files is given to the target, and there are `least` of them. An input that is
 * not as it must be ends the program, and so fails the test by its name, which is noted before.
 */
#ifndef TEG_TESTS_REPLAY_H
#define TEG_TESTS_REPLAY_H

#include <stddef.h>
#include <stdint.h>

typedef int fuzz_target(const uint8_t *bytes, size_t len);

void replay(const char *name, fuzz_target *one, const char *dir, size_t least);

#endif
