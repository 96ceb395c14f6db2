#include "compiler/audit/nft/said.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "lang/base/digest.h"
#include "lang/bundle/nft_name.h"

#define TABLE "tegumentar"
#define EXPRS_MAX 64

/* NFPROTO_ of linux/netfilter.h, whose other contents quarrel with the C library's. */
enum { INET = 1, NETDEV = 5 };

struct reading {
	struct nft_said *said;
	struct err *why;
};

static int refuse(struct reading *k, const char *what)
{
	return err_set(k->why, EPROTO, "%s is not as nftables would take it for granted", what);
}

/* --- names -------------------------------------------------------------------------------- */

static const char *text_of(const struct nft_said *s, struct nft_attr a)
{
	return nft_attr_text(s->arena, a);
}

/* A name that was relocated, behind its letter. */
static const char *placed(const char *name)
{
	return name && name[0] == NFT_SAID_BANK && name[1] == '_' ? name + 2 : NULL;
}

struct nft_said_chain *nft_said_chain(const struct nft_said *s, const char *name)
{
	return strmap_find(&s->chains, name);
}

struct nft_said_set *nft_said_set(const struct nft_said *s, const char *name, uint32_t id)
{
	struct nft_said_set *found = strmap_find(&s->named, name);

	if (found)
		return found;
	for (size_t i = s->sets.len; i-- > 0;)
		if (!s->sets.at[i]->name && !s->sets.at[i]->placed && s->sets.at[i]->id == id)
			return s->sets.at[i];
	return NULL;
}

addr_num nft_said_number(const uint8_t *at, size_t bytes)
{
	addr_num v = 0;

	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | at[i];
	return v;
}

bool nft_said_verdict(const struct nft_said *s, struct nft_attr data, struct nft_said_verdict *out)
{
	struct nft_attr nest, at[NFT_ATTRS_MAX];
	uint32_t code;

	*out = (struct nft_said_verdict){ 0 };
	if (!nft_attr_only(data, NFTA_DATA_VERDICT, &nest) ||
	    !nft_attrs_of(nest, NFT_ALLOW(NFTA_VERDICT_CODE) | NFT_ALLOW(NFTA_VERDICT_CHAIN), at) ||
	    !nft_attr_u32(at[NFTA_VERDICT_CODE], &code))
		return false;
	out->code = (int)code;
	if (at[NFTA_VERDICT_CHAIN].at) {
		const char *name = placed(text_of(s, at[NFTA_VERDICT_CHAIN]));

		out->chain = name ? nft_said_chain(s, name) : NULL;
	}
	return (out->code == NFT_JUMP || out->code == NFT_GOTO) == (out->chain != NULL) &&
	       !out->chain == !at[NFTA_VERDICT_CHAIN].at;
}

/* --- tables, chains, counters -------------------------------------------------------------- */

static int read_table(struct reading *k, struct nft_attr body, uint16_t flags)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	(void)flags;
	return nft_attrs_of(body, NFT_ALLOW(NFTA_TABLE_NAME), at) ? 0 : refuse(k, "a table");
}

/* A chain that is there already would keep its rules: it must be new. */
static int read_chain(struct reading *k, struct nft_attr body, uint16_t flags)
{
	struct nft_said_chain *c = arena_zero(k->said->arena, sizeof *c);
	struct nft_attr at[NFT_ATTRS_MAX];

	if (!(flags & NLM_F_EXCL) ||
	    !nft_attrs_of(body, NFT_ALLOW(NFTA_CHAIN_TABLE) | NFT_ALLOW(NFTA_CHAIN_NAME), at) ||
	    !(c->name = placed(text_of(k->said, at[NFTA_CHAIN_NAME]))) || nft_said_chain(k->said, c->name))
		return refuse(k, "a chain");
	strmap_put(&k->said->chains, c->name, c);
	return 0;
}

static int read_object(struct reading *k, struct nft_attr body, uint16_t flags)
{
	const uint32_t allowed = NFT_ALLOW(NFTA_OBJ_TABLE) | NFT_ALLOW(NFTA_OBJ_NAME) | NFT_ALLOW(NFTA_OBJ_TYPE) |
				 NFT_ALLOW(NFTA_OBJ_DATA);
	struct nft_attr at[NFT_ATTRS_MAX];
	const char *name;

	(void)flags;
	if (!nft_attrs_of(body, allowed, at) || !nft_attr_says(at[NFTA_OBJ_TYPE], NFT_OBJECT_COUNTER) ||
	    !(name = text_of(k->said, at[NFTA_OBJ_NAME])))
		return refuse(k, "an object");
	strmap_put(&k->said->counters, name, k->said);
	return 0;
}

/* --- sets ------------------------------------------------------------------------------------ */

#define SET_ATTRS                                                                                       \
	(NFT_ALLOW(NFTA_SET_TABLE) | NFT_ALLOW(NFTA_SET_NAME) | NFT_ALLOW(NFTA_SET_FLAGS) |              \
	 NFT_ALLOW(NFTA_SET_KEY_TYPE) | NFT_ALLOW(NFTA_SET_KEY_LEN) | NFT_ALLOW(NFTA_SET_DATA_TYPE) |    \
	 NFT_ALLOW(NFTA_SET_DATA_LEN) | NFT_ALLOW(NFTA_SET_ID) | NFT_ALLOW(NFTA_SET_DESC) |              \
	 NFT_ALLOW(NFTA_SET_TIMEOUT) | NFT_ALLOW(NFTA_SET_POLICY) | NFT_ALLOW(NFTA_SET_OBJ_TYPE) |       \
	 NFT_ALLOW(NFTA_SET_GC_INTERVAL) | NFT_ALLOW(NFTA_SET_USERDATA))

#define SET_FLAGS                                                                                       \
	((uint32_t)(NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL | NFT_SET_MAP |             \
		    NFT_SET_OBJECT | NFT_SET_TIMEOUT | NFT_SET_EVAL | NFT_SET_CONCAT))

/* An anonymous one has a name to be found by only where it was relocated. */
static int name_set(struct reading *k, struct nft_said_set *s, const char *name, bool anonymous)
{
	if (anonymous && !placed(name))
		return 0;
	if (!name || !strmap_add(&k->said->named, name, s))
		return refuse(k, "a set's name");
	*(anonymous ? &s->placed : &s->name) = name;
	return 0;
}

static int read_set(struct reading *k, struct nft_attr body, uint16_t flags)
{
	struct nft_said_set *s = arena_zero(k->said->arena, sizeof *s);
	struct nft_attr at[NFT_ATTRS_MAX];
	uint32_t kind;

	(void)flags;
	if (!nft_attrs_of(body, SET_ATTRS, at) || !nft_attr_u32_or_none(at[NFTA_SET_FLAGS], &kind) ||
	    (kind & ~SET_FLAGS) || !nft_attr_u32(at[NFTA_SET_ID], &s->id) ||
	    !nft_attr_u64_or_none(at[NFTA_SET_TIMEOUT], &s->timeout_ms) ||
	    !nft_attr_u32(at[NFTA_SET_KEY_LEN], &s->key_bytes) || !s->key_bytes || s->key_bytes > NFT_DATA_VALUE_MAXLEN)
		return refuse(k, "a set");
	s->interval = kind & NFT_SET_INTERVAL;
	s->concat = kind & NFT_SET_CONCAT;
	s->map = kind & NFT_SET_MAP;
	s->counts = kind & NFT_SET_OBJECT;
	s->dynamic = kind & (NFT_SET_EVAL | NFT_SET_TIMEOUT);
	if (s->map && !nft_attr_says(at[NFTA_SET_DATA_TYPE], NFT_DATA_VERDICT))
		return refuse(k, "a map to anything but verdicts");
	if (s->counts != nft_attr_says(at[NFTA_SET_OBJ_TYPE], NFT_OBJECT_COUNTER) || s->counts != (at[NFTA_SET_OBJ_TYPE].at != NULL) ||
	    (s->counts && (s->map || s->dynamic)))
		return refuse(k, "a map to objects");
	vec_push(k->said->arena, &k->said->sets, s);
	return name_set(k, s, text_of(k->said, at[NFTA_SET_NAME]), kind & NFT_SET_ANONYMOUS);
}

static bool read_key(struct nft_attr nest, uint32_t bytes, const uint8_t **out)
{
	struct nft_attr value;

	if (!nft_attr_only(nest, NFTA_DATA_VALUE, &value) || value.len != bytes)
		return false;
	*out = value.at;
	return true;
}

#define ELEMENT_ATTRS                                                                                   \
	(NFT_ALLOW(NFTA_SET_ELEM_KEY) | NFT_ALLOW(NFTA_SET_ELEM_KEY_END) | NFT_ALLOW(NFTA_SET_ELEM_DATA) | \
	 NFT_ALLOW(NFTA_SET_ELEM_FLAGS) | NFT_ALLOW(NFTA_SET_ELEM_OBJREF))

/* Where an element leads, as the set asks it; the end of an interval leads nowhere. */
static bool read_lead(struct reading *k, const struct nft_said_set *s, bool ends, const struct nft_attr *at,
		      struct nft_said_lead *out)
{
	const bool map = s->map && !ends, counts = s->counts && !ends;

	*out = (struct nft_said_lead){ .verdict = { .code = NFT_CONTINUE } };
	if (map != (at[NFTA_SET_ELEM_DATA].at != NULL) || counts != (at[NFTA_SET_ELEM_OBJREF].at != NULL))
		return false;
	if (counts) {
		out->counter = text_of(k->said, at[NFTA_SET_ELEM_OBJREF]);
		return out->counter && strmap_find(&k->said->counters, out->counter);
	}
	return !map || nft_said_verdict(k->said, at[NFTA_SET_ELEM_DATA], &out->verdict);
}

static bool read_element(struct reading *k, struct nft_said_set *s, struct nft_attr nest)
{
	struct nft_said_element e = { .ends = false };
	struct nft_attr at[NFT_ATTRS_MAX];
	uint32_t flags;

	if (!nft_attrs_of(nest, ELEMENT_ATTRS, at) || !nft_attr_u32_or_none(at[NFTA_SET_ELEM_FLAGS], &flags))
		return false;
	e.ends = flags == NFT_SET_ELEM_INTERVAL_END;
	if (flags && !e.ends && flags != NFT_SET_ELEM_CATCHALL)
		return false;
	if (!read_lead(k, s, e.ends, at, &e.to))
		return false;
	if (flags == NFT_SET_ELEM_CATCHALL) {
		if (!s->map || s->rest || at[NFTA_SET_ELEM_KEY].at || at[NFTA_SET_ELEM_KEY_END].at)
			return false;
		s->rest = true;
		s->rest_verdict = e.to.verdict;
		return true;
	}
	if (!read_key(at[NFTA_SET_ELEM_KEY], s->key_bytes, &e.lo) || (e.ends && (!s->interval || s->concat)))
		return false;
	e.hi = e.lo;
	if (at[NFTA_SET_ELEM_KEY_END].at &&
	    (!s->interval || !s->concat || !read_key(at[NFTA_SET_ELEM_KEY_END], s->key_bytes, &e.hi)))
		return false;
	vec_push(k->said->arena, &s->elements, e);
	return true;
}

#define LIST_ATTRS                                                                                      \
	(NFT_ALLOW(NFTA_SET_ELEM_LIST_TABLE) | NFT_ALLOW(NFTA_SET_ELEM_LIST_SET) |                       \
	 NFT_ALLOW(NFTA_SET_ELEM_LIST_SET_ID) | NFT_ALLOW(NFTA_SET_ELEM_LIST_ELEMENTS))

static int read_elements(struct reading *k, struct nft_attr body, uint16_t flags)
{
	struct nft_attr at[NFT_ATTRS_MAX], list, one;
	struct nft_said_set *s;
	const char *name;
	uint16_t type;
	uint32_t id;

	(void)flags;
	if (!nft_attrs_of(body, LIST_ATTRS, at) || !at[NFTA_SET_ELEM_LIST_ELEMENTS].at ||
	    !(name = text_of(k->said, at[NFTA_SET_ELEM_LIST_SET])) ||
	    !nft_attr_u32_or_none(at[NFTA_SET_ELEM_LIST_SET_ID], &id) || !(s = nft_said_set(k->said, name, id)))
		return refuse(k, "a list of elements");
	if (s->dynamic)
		return refuse(k, "an element of a set that fills at run time");
	list = at[NFTA_SET_ELEM_LIST_ELEMENTS];
	while (nft_attr_next(&list, &type, &one))
		if (type != NFTA_LIST_ELEM || !read_element(k, s, one))
			return refuse(k, "an element");
	return list.len ? refuse(k, "an element") : 0;
}

/* --- sets, whole ------------------------------------------------------------------------------- */

static int by_key(const void *x, const void *y, void *bytes)
{
	const struct nft_said_element *a = x, *b = y;
	int by = memcmp(a->lo, b->lo, *(const uint32_t *)bytes);

	return by ? by : b->ends - a->ends; /* where one part ends, the next may begin */
}

static addr_num last_of(const struct nft_said_set *s)
{
	return s->key_bytes == 16 ? ~(addr_num)0 : ((addr_num)1 << (8 * s->key_bytes)) - 1;
}

/*
 * The kernel's intervals: from one element up to before the next that ends, or, in a rule's own set, that begins. There
 * no part may end where one begins: up to 6.12 Linux may come upon the end first, and then looks no further. What is wrong, or NULL.
 */
static const char *parts_of(struct nft_said_set *s, struct arena *a)
{
	const struct nft_said_element *end = NULL;
	bool open = false;

	s->parts = arena_zero(a, (s->elements.len + 1) * sizeof *s->parts);
	for (size_t i = 0; i < s->elements.len; i++) {
		const struct nft_said_element *e = &s->elements.at[i];
		addr_num v = nft_said_number(e->lo, s->key_bytes);
		struct nft_said_part *before = s->part_count ? &s->parts[s->part_count - 1] : NULL;

		if (e->ends) {
			if (open)
				before->hi = v - 1;
			open = false;
			end = e;
			continue;
		}
		if (end && !s->name && !memcmp(end->lo, e->lo, s->key_bytes))
			return "a rule's own set with an end where a part begins";
		if (open && !s->name && v > before->lo)
			before->hi = v - 1;
		else if (open || (before && v <= before->hi))
			return "a set with parts that overlap";
		s->parts[s->part_count++] = (struct nft_said_part){ v, s->interval ? last_of(s) : v, e->to };
		open = s->interval;
	}
	return NULL;
}

static void ranges_of_parts(struct nft_said_set *s, struct arena *a)
{
	s->ranges = arena_zero(a, (s->part_count + 1) * sizeof *s->ranges);
	for (size_t i = 0; i < s->part_count; i++) {
		const struct nft_said_part *p = &s->parts[i];
		struct addr_range *before = s->range_count ? &s->ranges[s->range_count - 1] : NULL;

		if (before && before->hi + 1 == p->lo)
			before->hi = p->hi;
		else
			s->ranges[s->range_count++] = (struct addr_range){ p->lo, p->hi };
	}
}

/* "n_", of hosts alone "h_", twelve digits of the digest of its ranges, and the family: docs/nftables.md. */
static bool name_is_of_content(const struct nft_said_set *s, struct arena *a)
{
	struct digest d = digest_of(s->ranges, s->range_count * sizeof *s->ranges);

	return !strcmp(s->name, arena_printf(a, "%c_%.12s_%d", s->interval ? 'n' : 'h', d.hex, s->key_bytes == 4 ? 4 : 6));
}

static int finish_set(struct reading *k, struct nft_said_set *s)
{
	if (s->concat || s->dynamic || (s->key_bytes > sizeof(addr_num) && !s->interval))
		return 0; /* keys of several parts */
	if (s->key_bytes > sizeof(addr_num))
		return refuse(k, "a set's key");
	if (s->name && !s->map && s->interval && !strncmp(s->name, NFT_FEED_BEGINS, strlen(NFT_FEED_BEGINS))) {
		s->feed = true;
		return s->elements.len ? refuse(k, "an element of a feed") : 0;
	}
	if (s->elements.len)
		qsort_r(s->elements.at, s->elements.len, sizeof *s->elements.at, by_key, &s->key_bytes);
	const char *wrong = parts_of(s, k->said->arena);
	if (wrong)
		return refuse(k, wrong);
	ranges_of_parts(s, k->said->arena);
	if (s->name && !s->map && !name_is_of_content(s, k->said->arena))
		return err_set(k->why, EPROTO, "set %s has another content than its name says", s->name);
	return 0;
}

/* --- rules --------------------------------------------------------------------------------------- */

static bool read_exprs(struct reading *k, struct nft_attr list, struct nft_said_rule *out)
{
	struct nft_said_expr exprs[EXPRS_MAX];
	struct nft_attr one, at[NFT_ATTRS_MAX];
	uint16_t type;

	while (nft_attr_next(&list, &type, &one)) {
		if (out->len == EXPRS_MAX || type != NFTA_LIST_ELEM ||
		    !nft_attrs_of(one, NFT_ALLOW(NFTA_EXPR_NAME) | NFT_ALLOW(NFTA_EXPR_DATA), at))
			return false;
		exprs[out->len].name = text_of(k->said, at[NFTA_EXPR_NAME]);
		exprs[out->len].data = at[NFTA_EXPR_DATA];
		if (!exprs[out->len].name || !exprs[out->len].data.at)
			return false;
		out->len++;
	}
	out->exprs = arena_copy(k->said->arena, exprs, out->len * sizeof *exprs);
	return !list.len;
}

/*
 * A rule of a limit and a line to the packet log has no verdict, counts nothing and puts nothing anywhere: whatever
 * its limit says, the packet goes on to the next rule, and it is as if this one were not there.
 */
static bool only_tells(const struct nft_said_rule *r)
{
	const uint32_t logs = NFT_ALLOW(NFTA_LOG_PREFIX) | NFT_ALLOW(NFTA_LOG_GROUP) | NFT_ALLOW(NFTA_LOG_SNAPLEN);
	struct nft_attr at[NFT_ATTRS_MAX];

	return r->len == 2 && !strcmp(r->exprs[0].name, "limit") && !strcmp(r->exprs[1].name, "log") &&
	       nft_attrs_of(r->exprs[1].data, logs, at) && at[NFTA_LOG_GROUP].at;
}

static int read_rule(struct reading *k, struct nft_attr body, uint16_t flags)
{
	const uint32_t allowed = NFT_ALLOW(NFTA_RULE_TABLE) | NFT_ALLOW(NFTA_RULE_CHAIN) | NFT_ALLOW(NFTA_RULE_EXPRESSIONS);
	struct nft_said_rule rule = { 0 };
	struct nft_attr at[NFT_ATTRS_MAX];
	struct nft_said_chain *c;
	const char *name;

	if (!(flags & NLM_F_APPEND) || (flags & NLM_F_REPLACE))
		return refuse(k, "a rule that is not put at the end of its chain");
	if (!nft_attrs_of(body, allowed, at) || !at[NFTA_RULE_EXPRESSIONS].at ||
	    !read_exprs(k, at[NFTA_RULE_EXPRESSIONS], &rule))
		return refuse(k, "a rule");
	name = placed(text_of(k->said, at[NFTA_RULE_CHAIN]));
	c = name ? nft_said_chain(k->said, name) : NULL;
	if (!c)
		return refuse(k, "a rule of a chain that is not there");
	if (only_tells(&rule))
		return 0;
	vec_push(k->said->arena, &c->rules, rule);
	return 0;
}

/* --- all --------------------------------------------------------------------------------------------- */

static int read_message(struct reading *k, const struct nlmsghdr *h)
{
	static int (*const readers[])(struct reading *k, struct nft_attr body, uint16_t flags) = {
		[NFT_MSG_NEWTABLE] = read_table,       [NFT_MSG_NEWOBJ] = read_object, [NFT_MSG_NEWSET] = read_set,
		[NFT_MSG_NEWSETELEM] = read_elements, [NFT_MSG_NEWCHAIN] = read_chain, [NFT_MSG_NEWRULE] = read_rule,
	};
	const size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
	const unsigned type = NFNL_MSG_TYPE(h->nlmsg_type);
	struct nft_attr body = { (const uint8_t *)h + head, h->nlmsg_len - head };

	if (type >= sizeof readers / sizeof *readers || !readers[type])
		return refuse(k, "a message of this kind");
	return readers[type](k, body, h->nlmsg_flags);
}

static int read_messages(struct reading *k, const struct batch *b)
{
	for (size_t at = 0; at < b->len;) {
		const struct nlmsghdr *h = (const void *)(b->messages + at);
		const struct nfgenmsg *g = NLMSG_DATA(h);

		if (!at)
			k->said->netdev = g->nfgen_family == NETDEV;
		int rc = g->nfgen_family == (k->said->netdev ? NETDEV : INET) ? read_message(k, h) :
										 refuse(k, "a second table");
		if (rc)
			return err_in(k->why, "message at byte %zu", at);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return 0;
}

int nft_said_read(struct nft_said *out, struct arena *a, const struct batch *b, struct err *why)
{
	struct reading k = { .said = out, .why = why };
	int rc = batch_check(b, TABLE, why);

	*out = (struct nft_said){ .arena = a };
	strmap_init(&out->chains, a);
	strmap_init(&out->counters, a);
	strmap_init(&out->named, a);
	if (!rc)
		rc = read_messages(&k, b);
	for (size_t i = 0; i < out->sets.len && !rc; i++)
		rc = finish_set(&k, out->sets.at[i]);
	if (!rc)
		nft_said_forget_idle(out);
	return rc;
}
