/*
 * source - whom one can block at run time, as people write him.
 *
 *     198.51.100.7   203.0.113.0/24   2001:db8:1:2::/64   2001:db8::/48
 *     2001:db8:1:2::7         his /64: of IPv6 nothing less is blocked
 *     ::ffff:198.51.100.7     the IPv4 address in it, as a socket of both versions writes it down
 */
#ifndef TEG_VOCAB_SOURCE_H
#define TEG_VOCAB_SOURCE_H

#include "lang/base/addr.h"

enum source_fault { SOURCE_OK, SOURCE_NONE, SOURCE_PART, SOURCE_HOST_BITS, SOURCE_EVERYBODY };

/* Of a part of a /64, and of a network with bits behind its length, *out is what to write instead. */
enum source_fault source_parse(const char *text, struct prefix *out);

/* `again[i]`: at[i] stands before i too. What has no length is nobody's, and never stands again. */
void sources_again(bool *again, const struct prefix *at, size_t count);

#endif
