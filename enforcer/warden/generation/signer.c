#include "enforcer/warden/generation/signer.h"

#include <errno.h>
#include <string.h>

#include "enforcer/proc/say.h"
#include "lang/bundle/trust.h"

#define TAKE_ALL_THE_SAME "tegctl apply --allow-downgrade takes it all the same"

/* As the bundle says; the one in force was checked when it was taken. */
uint64_t signer_serial(const struct bundle *b)
{
	const struct bundle_member *m = bundle_find(b, "signature");
	struct seal seal;
	struct err ignored;

	return m && !seal_parse(&seal, m->bytes, m->len, &ignored) ? seal.serial : 0;
}

static int serial_in_force(uint64_t *out, const struct settings *s, const struct record *now, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	own(bundle) struct bundle *b = NULL;

	if (state_read_bundle(&bytes, s->state_dir, &now->bundle, why) || bundle_open(&b, bytes.at, bytes.len, why)) {
		err_in(why, "the bundle in force cannot be read, so its serial is not known; " TAKE_ALL_THE_SAME);
		return why->code = -EIO;
	}
	*out = signer_serial(b);
	return 0;
}

static int order_holds(const struct settings *s, const struct bundle *b, const struct record *now, struct err *why)
{
	const uint64_t serial = signer_serial(b);
	uint64_t least;
	int rc = serial_in_force(&least, s, now, why);

	if (rc)
		return rc;
	if (serial < least)
		return err_set(why, ESTALE, "its serial is %llu, and %llu is in force; " TAKE_ALL_THE_SAME,
			       (unsigned long long)serial, (unsigned long long)least);
	if (serial && serial == least && strcmp(bundle_id(b)->hex, now->bundle.hex))
		return err_set(why, ESTALE, "serial %llu is in force with another content; sign it with a higher one, or "
			       TAKE_ALL_THE_SAME, (unsigned long long)serial);
	return 0;
}

static int signature_holds(const struct settings *s, const struct bundle *b, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct trust_signer who;
	struct trust t;
	int rc;

	if (!bundle_find(b, "signature"))
		return s->signed_only ? err_set(why, ENOKEY, "it is not signed, and require-signature is set") : 0;
	if ((rc = trust_read(&t, a, s->trusted_keys, why)) || (rc = trust_check(&who, &t, b, why)))
		return rc;
	say("bundle %.12s is signed by %.100s (key %s), serial %llu", bundle_id(b)->hex, who.name, who.seal.id,
	    (unsigned long long)who.seal.serial);
	return 0;
}

int signer_check(const struct settings *s, const struct bundle *b, const struct record *now, bool downgrade,
		 struct err *why)
{
	if (!*s->trusted_keys)
		return 0;
	int rc = signature_holds(s, b, why);
	if (rc || downgrade || !now)
		return rc;
	return order_holds(s, b, now, why);
}
