/*
 * one_value - tables of one value, which programs read by their addresses (bpf-templates/one.h).
 *
 *     one_value_know();                      once, before an object is opened
 *     bpf_object__open_mem(...), load        sections "xdp" and "tc"
 *
 * libbpf lets every mention of a table mean the table. Just before a program is loaded, those of arrays of one entry are
 * made to mean that entry (BPF_PSEUDO_MAP_VALUE, kernel 5.2). A look-up takes nine instructions, a key on the stack, and
 * a branch for what cannot be missing, which the verifier follows both ways.
 *
 * A test that looks at what the kernel is given registers a handler of its own before, and calls one_value_prepare().
 */
#ifndef TEG_HOOK_ONE_VALUE_H
#define TEG_HOOK_ONE_VALUE_H

struct bpf_program;
struct bpf_prog_load_opts;

void one_value_know(void);

/* libbpf_prog_prepare_load_fn_t: the program's instructions are then what the kernel is given. */
int one_value_prepare(struct bpf_program *program, struct bpf_prog_load_opts *opts, long cookie);

#endif
