/*
 * filter_set.c - what a set in the kernel holds.
 */
#include "enforcer/nft/filter.h"

#include <string.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "enforcer/nft/filter_talk.h"

/* An element past its timeout stays listed until it is collected, with nothing left to live. */
static void count_elements(const struct nlmsghdr *h, void *context)
{
	const struct nlattr *list_of = filter_attribute(h, NFTA_SET_ELEM_LIST_ELEMENTS), *one, *a;
	uint64_t *count = context;

	if (!list_of)
		return;
	mnl_attr_for_each_nested(one, list_of) {
		bool expired = false;

		mnl_attr_for_each_nested(a, one)
			if (mnl_attr_get_type(a) == NFTA_SET_ELEM_EXPIRATION)
				expired = filter_u64(a) == 0;
		*count += !expired;
	}
}

static void count_again(void *context)
{
	*(uint64_t *)context = 0;
}

/* NFTA_SET_COUNT, which headers do not have yet: newer kernels say how many elements a set has, expired ones with them. */
#define SET_COUNT 20

/* Beyond it the kernel's own number does: reading the elements of a large set takes it a time that grows with their square. */
#define COUNTED_MOST 8192u

static void see_count(const struct nlmsghdr *h, void *context)
{
	const struct nlattr *count = filter_attribute(h, SET_COUNT);

	if (count && mnl_attr_get_payload_len(count) == sizeof(uint32_t))
		*(uint64_t *)context = ntohl(mnl_attr_get_u32(count));
}

static void said_nothing(void *context)
{
	*(uint64_t *)context = UINT64_MAX;
}

/* UINT64_MAX when the kernel does not say it. */
static int said_size(struct filter *f, enum filter_table t, const char *set, uint64_t *out, struct err *why)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	struct nlmsghdr *h = filter_ours(room, NFT_MSG_GETSET, NLM_F_ACK, t);

	said_nothing(out);
	filter_put_text(h, NFTA_SET_NAME, set);
	return filter_ask(f, h, see_count, said_nothing, out, why);
}

int filter_set_is_empty(struct filter *f, enum filter_table t, const char *set, bool *out, struct err *why)
{
	uint64_t size;
	int rc = said_size(f, t, set, &size, why);

	*out = !rc && !size;
	return rc;
}

int filter_set_size(struct filter *f, enum filter_table t, const char *set, uint64_t *out, struct err *why)
{
	int said = said_size(f, t, set, out, why);

	if (said || (*out > COUNTED_MOST && *out != UINT64_MAX))
		return said;
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	struct nlmsghdr *h = filter_ours(room, NFT_MSG_GETSETELEM, NLM_F_DUMP, t);
	uint64_t count = 0;

	filter_put_text(h, NFTA_SET_ELEM_LIST_SET, set);
	int rc = filter_ask(f, h, count_elements, count_again, &count, why);
	if (!rc)
		*out = count;
	return rc;
}

static void tell_element(const struct nlattr *element, const struct filter_elements *to)
{
	const struct nlattr *key = NULL, *a, *value;
	uint64_t left_ms = UINT64_MAX; /* without an end */

	mnl_attr_for_each_nested(a, element) {
		if (mnl_attr_get_type(a) == NFTA_SET_ELEM_EXPIRATION)
			left_ms = filter_u64(a);
		if (mnl_attr_get_type(a) == NFTA_SET_ELEM_KEY)
			mnl_attr_for_each_nested(value, a)
				key = value;
	}
	if (key && left_ms)
		to->one(to->cls, mnl_attr_get_payload(key), mnl_attr_get_payload_len(key), left_ms);
}

static void tell_elements(const struct nlmsghdr *h, void *context)
{
	const struct nlattr *list = filter_attribute(h, NFTA_SET_ELEM_LIST_ELEMENTS), *one;

	if (list)
		mnl_attr_for_each_nested(one, list)
			tell_element(one, context);
}

static void tell_again(void *context)
{
	const struct filter_elements *to = context;

	to->again(to->cls);
}

int filter_set_elements(struct filter *f, enum filter_table t, const char *set, const struct filter_elements *to,
			struct err *why)
{
	_Alignas(8) uint8_t room[FILTER_SCRATCH_BYTES];
	struct nlmsghdr *h = filter_ours(room, NFT_MSG_GETSETELEM, NLM_F_DUMP, t);

	filter_put_text(h, NFTA_SET_ELEM_LIST_SET, set);
	return filter_ask(f, h, tell_elements, tell_again, (void *)(uintptr_t)to, why);
}

struct looking {
	enum filter_table table;
	struct filter_element *at;
};

static struct nlmsghdr *ask_element(void *room, uint32_t i, void *context)
{
	const struct looking *l = context;
	struct nlmsghdr *h = filter_ours(room, NFT_MSG_GETSETELEM, 0, l->table);

	filter_put_element(h, l->at[i].set, l->at[i].key, l->at[i].len, 0);
	return h;
}

static void see_element(const struct nlmsghdr *h, uint32_t i, void *context)
{
	struct filter_element *e = &((struct looking *)context)->at[i];
	const struct nlattr *list = filter_attribute(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	const struct nlattr *left = filter_nested(filter_nested(list, NFTA_LIST_ELEM), NFTA_SET_ELEM_EXPIRATION);

	e->is = true;
	e->left_ms = left ? filter_u64(left) : UINT64_MAX;
}

int filter_elements_look(struct filter *f, enum filter_table t, struct filter_element *at, uint32_t count, struct err *why)
{
	struct looking l = { t, at };

	for (uint32_t i = 0; i < count; i++)
		at[i].is = false;
	return filter_ask_each(f, count, &(struct filter_each){ ask_element, see_element, &l }, why);
}

struct looking_for_sets {
	enum filter_table table;
	const char *const *names;
	bool *are;
};

static struct nlmsghdr *ask_set(void *room, uint32_t i, void *context)
{
	const struct looking_for_sets *l = context;
	struct nlmsghdr *h = filter_ours(room, NFT_MSG_GETSET, 0, l->table);

	filter_put_text(h, NFTA_SET_NAME, l->names[i]);
	return h;
}

static void see_set(const struct nlmsghdr *h, uint32_t i, void *context)
{
	(void)h;
	((struct looking_for_sets *)context)->are[i] = true;
}

int filter_sets_look(struct filter *f, enum filter_table t, const char *const *names, bool *are, uint32_t count, struct err *why)
{
	struct looking_for_sets l = { t, names, are };

	memset(are, 0, count * sizeof *are);
	return filter_ask_each(f, count, &(struct filter_each){ ask_set, see_set, &l }, why);
}
