/*
 * fold - a program without what its constants exclude.
 *
 *     own(fold_code) struct fold_code c = { .code = ..., .len = ... };
 *     if (!fold(&c, tables, count)) ...               c.code is what is left, c.was says where each instruction stood
 *
 * One program serves every policy: what a policy is, it reads from a table that nobody changes any more. The kernel
 * takes out the branches that those constants exclude, but leaves what led to them: each question that has one answer still
 * costs two or three instructions, values that nobody reads are still worked out and kept on the stack, and what is a
 * constant now is still loaded and moved. Here all of that goes, before the program is loaded:
 *
 *     constants ──► values ──┬── what has one value is that number          (values.c)
 *                            └── what is never come to is not there
 *               ──► life ────── what nobody reads is not worked out         (life.c)
 *               ──► order ───── what follows stands behind, without a jump  (fold.c)
 *
 * A program may say where most packets come by: TEG_MARK, a jump to what follows anyway. From mark to mark the shortest way
 * stands in one line. The kernel takes these jumps out.
 *
 * What is left does the same to every packet, and the kernel verifies it as it would the whole. Only places of the stack whose
 * address nobody has are looked into; where addresses on the stack are reckoned with, a function's stack is left alone.
 */
#ifndef TEG_HOOK_FOLD_FOLD_H
#define TEG_HOOK_FOLD_FOLD_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct bpf_insn;

/* A table of one value that never changes: the program reads it by the address of (map, 0). */
struct fold_table {
	int map;
	const uint8_t *bytes;
	size_t len;
};

#define FOLD_TABLES_MOST 8

struct fold_code {
	struct bpf_insn *code;
	uint32_t *was; /* by place: where the instruction stood; NULL before */
	size_t len;
};

static inline void fold_code_own_(struct fold_code *c)
{
	free(c->code);
	free(c->was);
}

/* fold - -ENOMEM, or -EOPNOTSUPP where the program has an instruction that is not known here: then *c is as it was. */
int fold(struct fold_code *c, const struct fold_table *tables, size_t count);

#endif
