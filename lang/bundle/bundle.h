/*
 * bundle - a compiled policy, sealed: a tar that `tar tf` lists.
 *
 *     manifest               first: "teg-bundle 1", then "SHA-256 size name" of every other member, sorted
 *     plan                   what the warden must know (plan.h)
 *     policy/resolved.teg    the policy in one file: imports, parameters and postures expanded
 *     xdp/policy.o           the program
 *     tc/policy.o            the same for interfaces whose first hook is TC; tegc always writes it
 *     nft/posture.batch      layer 4: table inet tegumentar (batch.h)
 *     nft/epiderme.batch     layers 1 to 3 where there is no XDP: table netdev tegumentar
 *     nft/ruleset.nft        both, as a person reads them and `nft -f` loads them
 *     drill                  when the policy has tests: their packets, for the host to try (drill.h)
 *     derme.tegd             when the policy has any: rules on sessions (lang/derme)
 *     playbooks.tegp         when the policy has any: playbooks and what runs them (lang/playbook)
 *     signature              when it is signed: one line (seal.h); the manifest does not list it
 *
 * Same input, same bytes: members in this order, owner 0, time 0, mode 0644.
 * The bundle's id is the SHA-256 of the manifest, so that it names the content, signed or not.
 */
#ifndef TEG_BUNDLE_BUNDLE_H
#define TEG_BUNDLE_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>

#include "lang/base/arena.h"
#include "lang/base/buf.h"
#include "lang/base/digest.h"
#include "lang/base/err.h"
#include "lang/base/piece.h"

#define BUNDLE_BYTES_MAX ((size_t)256 << 20)

struct bundle_member {
	const char *name;
	const void *bytes;
	size_t len;
	const struct spool *in; /* where they lie when `bytes` is NULL; of one that is read, never */
	const char *digest;	/* their SHA-256 in hex, where who gives them has it; of one that is read, never */
};

/* All members but the manifest, which it makes, in the order above. Appends the tar to *out. They lie in memory. */
void bundle_write(struct buf *out, const struct bundle_member *members, size_t count);

/* The same tar as pieces, for who writes it to a file at once: the members' bytes stay where they are. */
int bundle_pieces(struct pieces *out, struct arena *a, const struct bundle_member *members, size_t count, struct err *why);

/* Else EFBIG, with the limit: bundle_open() would refuse what is made of them. */
bool bundle_fits(const struct bundle_member *members, size_t count, struct err *why);

struct bundle;

/* The same bundle with this signature, in place of one it may have. Appends the tar to *out. */
void bundle_write_signed(struct buf *out, const struct bundle *b, const void *signature, size_t len);

/*
 * Copies nothing: `bytes` must outlive the bundle. Checks every size and digest, and accepts
 * only what is written here: each member once, in order, and not a byte more. A signature's
 * form is checked; whether it holds is trust_check()'s to say (trust.h).
 */
int bundle_open(struct bundle **out, const void *bytes, size_t len, struct err *why);
void bundle_free(struct bundle *b);
OWN_FREE(bundle, struct bundle *)

const struct digest *bundle_id(const struct bundle *b);

/* Borrowed, or NULL. */
const struct bundle_member *bundle_find(const struct bundle *b, const char *name);
const struct bundle_member *bundle_members(const struct bundle *b, size_t *count);

#endif
