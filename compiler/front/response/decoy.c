/*
 * decoy.c - services that answer whoever should not ask: what each takes, and that no two stand at one port.
 */
#include <netinet/in.h>
#include <string.h>

#include "compiler/front/response/responding.h"

static bool decoy_wrong(struct reading *r, const struct node *n, const char *what)
{
	diag_help(diag(r->diags, DIAG_DECOY_PART, n->span, "%s", what),
		  "write: decoy NAME { service ssh port 2222  reply banner \"SSH-2.0\"  technique T1110 }");
	return false;
}

/* `service ssh`, or with its port behind it */
static const struct node *word_value(const struct node *phrase)
{
	return phrase->first && phrase->first->kind == NODE_NAME ? phrase->first : NULL;
}

/* `udp/53` */
static bool is_of(const struct node *value, const char *proto)
{
	return value->kind == NODE_PART && value->first->kind == NODE_NAME && !strcmp(value->first->text, proto);
}

static bool decoy_port(struct reading *r, const struct node *value, struct play_decoy *out)
{
	uint64_t port;

	if (!value)
		return false;
	bool udp = is_of(value, "udp"), tcp = is_of(value, "tcp");

	if (!value_number(r, udp || tcp ? value->last : value, UINT16_MAX, &port))
		return false;
	if (!port)
		return decoy_wrong(r, value, "port 0 is none");
	out->proto = udp ? IPPROTO_UDP : IPPROTO_TCP;
	out->port = (uint16_t)port;
	return true;
}

/* T1110, T1021.004 */
static bool technique_is_sound(const char *t)
{
	size_t digits = *t == 'T' ? strspn(t + 1, "0123456789") : 0;
	const char *rest = t + 1 + digits;

	return digits == 4 && (!*rest || (*rest == '.' && strspn(rest + 1, "0123456789") == 3 && !rest[4]));
}

static bool decoy_phrase(struct reading *r, const struct node *n, struct play_decoy *out)
{
	const struct node *first = n->first, *word = word_value(n);

	if (!strcmp(n->text, "service")) {
		if (!word || *out->service)
			return decoy_wrong(r, n, "a decoy pretends to be one service");
		out->service = word->text;
		if (!play_name_fits(r, word->span, word->text))
			return false;
		if (!word->next)
			return true;
		if (word->next->kind == NODE_KEYWORD && !strcmp(word->next->text, "port") && word->next->next && !out->port)
			return decoy_port(r, word->next->next, out);
		return decoy_wrong(r, word->next, "after a service stands at most its port");
	}
	if (!strcmp(n->text, "port"))
		return first && !first->next && !out->port ? decoy_port(r, first, out) : decoy_wrong(r, n, "a decoy listens on one port");
	if (!strcmp(n->text, "reply")) {
		if (!word || strcmp(word->text, "banner") || !word->next || word->next->kind != NODE_STRING || word->next->next ||
		    *out->banner || strlen(word->next->text) > PLAYBOOK_TEXT_MAX)
			return decoy_wrong(r, n, "a decoy replies with one banner");
		out->banner = word->next->text;
		return true;
	}
	if (strcmp(n->text, "technique"))
		return decoy_wrong(r, n, "a decoy has no such part");
	if (!word || word->next || *out->technique || !technique_is_sound(word->text))
		return decoy_wrong(r, n, "a technique is one of MITRE ATT&CK, like T1110 or T1021.004");
	out->technique = word->text;
	return true;
}

static bool decoy_read(struct reading *r, const struct node *decl, struct play_decoy *out)
{
	const struct node *name = node_find(decl, NODE_NAME);
	bool sound = play_name_fits(r, name->span, name->text);

	*out = (struct play_decoy){ .name = name->text, .service = "", .banner = "", .technique = "" };
	for (const struct node *n = decl->first; n; n = n->next) {
		sound &= n->kind != NODE_HOLE;
		if (n->kind == NODE_PHRASE)
			sound &= decoy_phrase(r, n, out);
	}
	if (sound && (!*out->service || !out->port))
		return decoy_wrong(r, name, *out->service ? "this decoy has no port" : "this decoy pretends to be no service");
	return sound;
}

static bool decoy_is_alone(struct reading *r, const struct pol_decoy *d, const struct pol_decoy *other)
{
	const struct play_decoy *a = &d->meant, *b = &other->meant;

	if (!strcmp(a->name, b->name))
		diag_at(diag(r->diags, DIAG_NAME_TWICE, d->span, "`%s` is declared twice", a->name), other->span, "declared here first");
	else if (a->proto == b->proto && a->port == b->port)
		diag_at(diag(r->diags, DIAG_DECOY_PART, d->span, "two decoys listen on port %u", a->port), other->span, "the first one");
	else
		return true;
	return false;
}

void decoys_read(struct reading *r)
{
	VEC(struct pol_decoy) all = { 0 };

	for (size_t i = 0; i < r->decls.len; i++) {
		const struct node *decl = r->decls.at[i];
		struct pol_decoy d;
		bool alone = true;

		if (decl->kind != NODE_DECOY)
			continue;
		const struct node *name = node_find(decl, NODE_NAME);
		d.span = name->span;
		use_note(r, USE_DECOY, name->text, name->span, name->span);
		if (!decoy_read(r, decl, &d.meant))
			continue;
		for (size_t j = 0; alone && j < all.len; j++)
			alone = decoy_is_alone(r, &d, &all.at[j]);
		if (all.len == PLAYBOOK_DECOYS_MAX) {
			diag(r->diags, DIAG_PLAYBOOK_LARGE, d.span, "a policy has at most %d decoys", PLAYBOOK_DECOYS_MAX);
			break;
		}
		vec_push(r->arena, &all, d);
	}
	r->policy->responses.decoys = all.at;
	r->policy->responses.decoy_count = all.len;
}
