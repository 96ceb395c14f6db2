/*
 * anchor - the compiled bpf-templates/anchor.bpf.c, inside the program: for each hook one.
 */
#ifndef TEG_HOOK_ANCHOR_H
#define TEG_HOOK_ANCHOR_H

extern const unsigned char anchor_object[], anchor_object_end[], anchor_tc_object[], anchor_tc_object_end[];

#endif
