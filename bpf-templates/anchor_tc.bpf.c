/*
 * anchor_tc - anchor.bpf.c for the TC hook of an interface.
 */
#define TEG_FRAME_TC
#include "bpf-templates/anchor.bpf.c"
