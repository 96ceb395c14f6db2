/*
 * one - a table of one value, by its address: there is no key, nothing to look up, and nothing that could be missing.
 *
 *     const struct teg_rule *rules = ONE(gen_rules);
 *
 * A program says a table's address where it means the table. enforcer/hook/one_value.h makes it mean the value, in
 * every place; so a table of one value is not looked up anywhere. (Tables of one value a CPU are.)
 */
#ifndef TEG_ONE_H
#define TEG_ONE_H

/* Clang knows the table's declaration, which is not what stands there. */
#define ONE(table) ({ void *one_ = &(table); asm("" : "+r"(one_)); one_; })

#endif
