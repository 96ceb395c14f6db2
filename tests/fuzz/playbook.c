/*
 * Any bytes as playbooks: what is read has passed the verifier, is written again with the
 * same bytes, and can be said in words.
 *
 *     make fuzz FUZZERS=playbook SECONDS=600
 *
 * A section is code in a privileged process: this one must hold before any is run.
 */
#include <stdlib.h>
#include <string.h>

#include "lang/playbook/playbook.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf again = { 0 }, words = { 0 };
	struct playbooks p;
	struct err why;

	if (playbooks_decode(&p, a, bytes, len, &why))
		return 0;
	playbooks_encode(&again, &p);
	if (again.len != len || memcmp(again.at, bytes, len))
		abort(); /* what is read is what is written */
	playbooks_print(&words, &p);
	return 0;
}
