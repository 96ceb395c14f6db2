/*
 * anchor - the compiled bpf-templates/anchor.bpf.c, inside the program.
 */
#ifndef TEG_WARDEN_ANCHOR_H
#define TEG_WARDEN_ANCHOR_H

extern const unsigned char anchor_object[], anchor_object_end[];

#endif
