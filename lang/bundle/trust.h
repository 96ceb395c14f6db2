/*
 * trust - whose bundles are taken: public keys, as `tegc keygen` writes them.
 *
 *     trust_read(&t, arena, "/etc/tegumentar/trusted-keys", why)
 *     trust_check(&who, &t, bundle, why)
 *
 * The path is a file with one key a line, or a directory whose files named *.pub
 * are such files. They are read anew each time, so a key that is taken away is
 * trusted no more. Nobody but their owner may be able to write them.
 */
#ifndef TEG_BUNDLE_TRUST_H
#define TEG_BUNDLE_TRUST_H

#include <stdbool.h>

#include "lang/base/arena.h"
#include "lang/bundle/bundle.h"
#include "lang/bundle/seal.h"

#define TRUST_KEYS_MAX 256

struct trust {
	struct seal_public *keys;
	const char **names; /* of the file each key came from, without directories */
	size_t count;
};

/* A path with no key in it is refused: nothing could ever be taken. */
int trust_read(struct trust *out, struct arena *a, const char *path, struct err *why);

/* Who signed a bundle, and with which serial. */
struct trust_signer {
	struct seal seal;
	const char *name;
};

/* -ENOKEY when it is not signed, -EKEYREJECTED when by a stranger, -EBADMSG when it does not hold. */
int trust_check(struct trust_signer *out, const struct trust *t, const struct bundle *b, struct err *why);

#endif
