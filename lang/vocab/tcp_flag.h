/*
 * tcp_flag - the control bits of TCP by name: the rows of flag.def.
 */
#ifndef TEG_VOCAB_TCP_FLAG_H
#define TEG_VOCAB_TCP_FLAG_H

#include <stdbool.h>
#include <stdint.h>

#include "lang/base/buf.h"

/* The bits of a word: of one flag, "none" or "all". */
bool tcp_flag_find(const char *word, uint8_t *bits);

/* The words, in the order of flag.def; NULL behind the last. */
const char *tcp_flag_word(unsigned i);

/* "syn+ack"; "none". */
void tcp_flags_print(struct buf *out, uint8_t bits);

#endif
