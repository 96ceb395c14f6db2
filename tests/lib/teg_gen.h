/*
 * teg_gen - policies as text, from a seed: every construct of the language, in
 * shapes that people do not think of. What it writes is right, in the sense of
 * `tegc check --no-proofs`.
 *
 *     struct gen g = gen_new(seed);
 *     own(buf) struct buf text = { 0 };
 *     teg_gen(&g, &text);
 */
#ifndef TEG_TEST_TEG_GEN_H
#define TEG_TEST_TEG_GEN_H

#include "lang/base/buf.h"
#include "tests/lib/gen.h"

void teg_gen(struct gen *g, struct buf *out);

#endif
