/*
 * signer - may this bundle follow the one in force? Who signed it, and in which order.
 *
 * Only with the setting trusted-keys; docs/decisions/0009 says why so:
 *
 *     a signature that is there            must be a trusted key's, and hold
 *     none                                 is refused with require-signature, else counts as serial 0
 *     a serial below the one in force      is refused, unless a downgrade was asked for
 *     the same one with another content    likewise
 */
#ifndef TEG_WARDEN_GENERATION_SIGNER_H
#define TEG_WARDEN_GENERATION_SIGNER_H

#include "enforcer/proc/settings.h"
#include "enforcer/warden/state/state.h"
#include "lang/bundle/bundle.h"

/*
 * `now` is the generation in force, whose bundle is in the state directory; NULL when none is.
 * -EIO or what trust_read() gives when it cannot be told; -EKEYREJECTED, -EBADMSG, -ENOKEY or -ESTALE when refused.
 */
int signer_check(const struct settings *s, const struct bundle *b, const struct record *now, bool downgrade,
		 struct err *why);

/* As its signature says, whoever made that; 0 without one. */
uint64_t signer_serial(const struct bundle *b);

#endif
