/*
 * carried - the policy program of this version, for each hook, inside the programs that need it: tegc puts it into bundles, and
 * tegd takes it for a bundle of an older version, whose own program knows other layouts of the pinned maps.
 */
#ifndef TEG_CARRIED_H
#define TEG_CARRIED_H

#include <stddef.h>

#include "bpf-templates/abi.h"

extern const unsigned char policy_object[], policy_object_end[], policy_tc_object[], policy_tc_object_end[];
extern const char policy_digest[], policy_tc_digest[];

static inline const void *carried_program(enum teg_hook hook, size_t *len)
{
	const unsigned char *at = hook == TEG_HOOK_TC ? policy_tc_object : policy_object;

	*len = (size_t)((hook == TEG_HOOK_TC ? policy_tc_object_end : policy_object_end) - at);
	return at;
}

/* Its SHA-256 in hex, made with it: no build of a bundle makes it again. */
static inline const char *carried_digest(enum teg_hook hook)
{
	return hook == TEG_HOOK_TC ? policy_tc_digest : policy_digest;
}

#endif
