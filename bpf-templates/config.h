/*
 * config - the program's constants; the verifier knows them, and leaves out what they exclude.
 */
#ifndef TEG_CONFIG_H
#define TEG_CONFIG_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/abi.h"

const volatile struct teg_config gen_config SEC(TEG_CONFIG_SECTION);

static __always_inline bool asks(__u32 bit)
{
	return gen_config.asks & bit;
}

#endif
