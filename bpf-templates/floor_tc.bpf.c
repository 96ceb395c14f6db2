/*
 * floor_tc - floor.bpf.c for the TC hook of an interface.
 */
#define TEG_FRAME_TC
#include "bpf-templates/floor.bpf.c"
