/*
 * of_build - which build a program is of: a digest of all that tegc and tegc-git have in common.
 *
 * The Makefile writes it (gen/of_build.c), as a note of the ELF file, which linkers put on the file's first page: there it is read without the rest.
 * compiler/without_git.c and what reads git, in which the two differ, are not in it.
 */
#ifndef TEG_OF_BUILD_H
#define TEG_OF_BUILD_H

#include <stdint.h>

struct of_build {
	uint32_t name_bytes, bytes, kind; /* as <elf.h> has them */
	char name[8], digest[64];
};

#define OF_BUILD_PAGE 4096

#define OF_BUILD(text) \
	const struct of_build of_build __attribute__((section(".note.tegc"), aligned(4), used)) = { sizeof "tegc", 64, 1, "tegc", text }

extern const struct of_build of_build;

#endif
