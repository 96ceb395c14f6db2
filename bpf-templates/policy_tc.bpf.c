/*
 * policy_tc - policy.bpf.c for the TC hook of an interface, where XDP cannot be had.
 */
#define TEG_FRAME_TC
#include "bpf-templates/policy.bpf.c"
