/*
 * one - a table of one value, by its address: there is no key, nothing to look up, and nothing that could be missing.
 *
 *     ONE_TABLE(struct teg_rule) gen_rules SEC(".maps");
 *
 *     const struct teg_rule *rules = ONE(gen_rules);
 *
 * Its value is as long as the policy needs: that is set before loading.
 *
 * A program says a table's address where it means the table. enforcer/hook/one_value.h makes it mean the value, in
 * every place; so a table of one value is not looked up anywhere. (Tables of one value a CPU are.)
 */
#ifndef TEG_ONE_H
#define TEG_ONE_H

#define ONE_TABLE(type_)                            \
	struct {                                    \
		__uint(type, BPF_MAP_TYPE_ARRAY);   \
		__uint(max_entries, 1);             \
		__uint(map_flags, BPF_F_MMAPABLE);  \
		__uint(key_size, sizeof(__u32));    \
		__uint(value_size, sizeof(type_));  \
	}

/* Clang knows the table's declaration, which is not what stands there. */
#define ONE(table) ({ void *one_ = &(table); asm("" : "+r"(one_)); one_; })

#endif
