/* Sets and maps, and their elements. */
#include "compiler/emit/nft/read/reader.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "compiler/emit/nft/wire.h"

#define SET_ATTRS                                                                                  \
	(NFT_ALLOW(NFTA_SET_TABLE) | NFT_ALLOW(NFTA_SET_NAME) | NFT_ALLOW(NFTA_SET_FLAGS) |                    \
	 NFT_ALLOW(NFTA_SET_KEY_TYPE) | NFT_ALLOW(NFTA_SET_KEY_LEN) | NFT_ALLOW(NFTA_SET_ID) |                 \
	 NFT_ALLOW(NFTA_SET_DATA_TYPE) | NFT_ALLOW(NFTA_SET_DATA_LEN) | NFT_ALLOW(NFTA_SET_OBJ_TYPE) |         \
	 NFT_ALLOW(NFTA_SET_DESC) | NFT_ALLOW(NFTA_SET_TIMEOUT) | NFT_ALLOW(NFTA_SET_GC_INTERVAL) |       \
	 NFT_ALLOW(NFTA_SET_USERDATA))

/* The kinds of set that nft_encode() makes; a map belongs to one rule. */
static bool flags_hold(uint32_t flags)
{
	switch (flags) {
	case NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_MAP:
	case NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_MAP | NFT_SET_INTERVAL:
	case NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_OBJECT:
	case NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_OBJECT | NFT_SET_INTERVAL:
	case NFT_SET_ANONYMOUS | NFT_SET_CONSTANT:
	case NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL:
	case NFT_SET_INTERVAL:
	case NFT_SET_EVAL | NFT_SET_TIMEOUT:
		return true;
	}
	return false;
}

static bool type_numbered(uint32_t number, enum nft_type *out)
{
	for (size_t t = 0; t < nft_wire_type_count; t++)
		if (nft_wire_types[t].bytes && nft_wire_types[t].number == number) {
			*out = (enum nft_type)t;
			return true;
		}
	return false;
}

/* A number of several types has the last one in its lowest bits. */
static bool type_of(struct nft_attr number, struct nft_attr bytes, struct nft_set *s)
{
	uint32_t all, numbers[NFT_PARTS_MOST];
	unsigned count = 0;

	if (!nft_attr_u32(number, &all))
		return false;
	do {
		if (count == NFT_PARTS_MOST)
			return false;
		numbers[count++] = all & ((1u << NFT_WIRE_TYPE_BITS) - 1);
		all >>= NFT_WIRE_TYPE_BITS;
	} while (all);
	for (unsigned i = 0; i < count; i++)
		if (!type_numbered(numbers[count - 1 - i], &s->part_types[i]))
			return false;
	s->type = s->part_types[0];
	s->part_count = count > 1 ? count : 0;
	return nft_attr_says(bytes, nft_wire_key_bytes(s));
}

static bool leads_of(uint32_t flags, const struct nft_attr *at, enum nft_leads *out)
{
	*out = flags & NFT_SET_MAP ? NFT_LEADS_TO_FATE : flags & NFT_SET_OBJECT ? NFT_LEADS_TO_COUNTER : NFT_LEADS_NOWHERE;
	switch (*out) {
	case NFT_LEADS_NOWHERE:
		return !at[NFTA_SET_DATA_TYPE].at && !at[NFTA_SET_DATA_LEN].at && !at[NFTA_SET_OBJ_TYPE].at;
	case NFT_LEADS_TO_FATE:
		return nft_attr_says(at[NFTA_SET_DATA_TYPE], NFT_DATA_VERDICT) && nft_attr_says(at[NFTA_SET_DATA_LEN], 0) &&
		       !at[NFTA_SET_OBJ_TYPE].at;
	case NFT_LEADS_TO_COUNTER:
		return nft_attr_says(at[NFTA_SET_OBJ_TYPE], NFT_OBJECT_COUNTER) && !at[NFTA_SET_DATA_TYPE].at &&
		       !at[NFTA_SET_DATA_LEN].at;
	}
	return false;
}

static bool size_of(struct nft_attr desc, uint32_t *out)
{
	struct nft_attr at[NFT_ATTRS_MAX];

	*out = 0;
	return !desc.at || (nft_attrs_of(desc, NFT_ALLOW(NFTA_SET_DESC_SIZE), at) &&
			    nft_attr_u32(at[NFTA_SET_DESC_SIZE], out));
}

int nft_reader_set(struct nft_reader *rd, struct nft_attr message)
{
	struct nft_attr at[NFT_ATTRS_MAX];
	struct nft_set *s = arena_zero(rd->arena, sizeof *s);
	uint32_t flags, size;

	if (!nft_attrs_of(message, SET_ATTRS, at) || !nft_attr_u32_or_none(at[NFTA_SET_FLAGS], &flags) ||
	    !flags_hold(flags) || !type_of(at[NFTA_SET_KEY_TYPE], at[NFTA_SET_KEY_LEN], s) ||
	    !leads_of(flags, at, &s->leads) || (s->part_count && ((!s->leads && !(flags & NFT_SET_EVAL)) || (flags & NFT_SET_INTERVAL))) ||
	    !nft_attr_u32(at[NFTA_SET_ID], &s->id) ||
	    !nft_attr_u64_or_none(at[NFTA_SET_TIMEOUT], &s->timeout_ms) ||
	    !nft_attr_u32_or_none(at[NFTA_SET_GC_INTERVAL], &s->gc_ms) ||
	    !size_of(at[NFTA_SET_DESC], &size))
		return nft_reader_refuse(rd, "a set's message");
	s->interval = flags & NFT_SET_INTERVAL;
	s->dynamic = flags & NFT_SET_EVAL;
	s->most = flags & NFT_SET_ANONYMOUS ? 0 : size;
	vec_push(rd->arena, &rd->sets, s);
	if (flags & NFT_SET_ANONYMOUS) {
		const char *own_name = nft_attr_text(rd->arena, at[NFTA_SET_NAME]);
		char room[NFT_WIRE_NAME_ROOM];

		return own_name && !strcmp(own_name, nft_wire_set_name(s, room)) ? 0 : nft_reader_refuse(rd, "a set's name");
	}

	s->name = nft_reader_name(rd, at[NFTA_SET_NAME]);
	if (!s->name || (s->type != NFT_TYPE_ADDR4 && s->type != NFT_TYPE_ADDR6))
		return nft_reader_refuse(rd, "a set's name");
	vec_push(rd->arena, &rd->table->sets, s);
	return 0;
}

static bool read_lead(struct nft_reader *rd, const struct nft_set *s, const struct nft_attr *at)
{
	struct nft_lead lead = { 0 };

	switch (s->leads) {
	case NFT_LEADS_NOWHERE:
		return !at[NFTA_SET_ELEM_DATA].at && !at[NFTA_SET_ELEM_OBJREF].at;
	case NFT_LEADS_TO_FATE:
		if (at[NFTA_SET_ELEM_OBJREF].at || !nft_reader_lead(rd, at[NFTA_SET_ELEM_DATA], &lead))
			return false;
		break;
	case NFT_LEADS_TO_COUNTER:
		lead.name = nft_reader_name(rd, at[NFTA_SET_ELEM_OBJREF]);
		if (at[NFTA_SET_ELEM_DATA].at || !lead.name)
			return false;
		break;
	}
	vec_push(rd->arena, &rd->leads, lead);
	return true;
}

/* A key of several parts, each in registers of its own, the rest of them zero. */
static bool read_parts(struct nft_reader *rd, const struct nft_set *s, struct nft_attr key)
{
	const unsigned words = nft_key_words(s);
	const uint8_t *at = key.at;

	for (unsigned i = 0; i < s->part_count; i++) {
		unsigned bytes = nft_wire_types[s->part_types[i]].bytes, room = nft_wire_part_bytes(s->part_types[i]);

		for (unsigned b = bytes; b < room; b++)
			if (at[b])
				return false;
		const addr_num v = nft_reader_number((struct nft_attr){ at, bytes }, bytes);
		for (unsigned w = 0; w < words; w++)
			vec_push(rd->arena, &rd->keys, (uint32_t)(v >> 32 * w));
		at += room;
	}
	return true;
}

/* A first value begins a range to the end of all, until the one after its last is said, or, of a rule's own set, the next begins. */
static bool read_range(struct nft_reader *rd, const struct nft_set *s, struct nft_attr key, bool ends)
{
	unsigned bytes = nft_wire_types[s->type].bytes;
	addr_num last = bytes == 16 ? ~(addr_num)0 : ((addr_num)1 << (8 * bytes)) - 1;
	addr_num v = nft_reader_number(key, bytes);
	struct addr_range *before = rd->ranges.len ? &rd->ranges.at[rd->ranges.len - 1] : NULL;

	if (ends) {
		if (!s->interval || !before || before->hi != last || v <= before->lo)
			return false;
		before->hi = v - 1;
		return true;
	}
	if (before && !s->name && s->interval && before->hi == last && v > before->lo)
		before->hi = v - 1;
	if (before && v <= before->hi)
		return false;
	vec_push(rd->arena, &rd->ranges, ((struct addr_range){ v, s->interval ? last : v }));
	return true;
}

#define ELEMENT_ATTRS                                                                              \
	(NFT_ALLOW(NFTA_SET_ELEM_KEY) | NFT_ALLOW(NFTA_SET_ELEM_FLAGS) | NFT_ALLOW(NFTA_SET_ELEM_DATA) |    \
	 NFT_ALLOW(NFTA_SET_ELEM_OBJREF))

static bool read_element(struct nft_reader *rd, const struct nft_set *s, struct nft_attr element)
{
	struct nft_attr at[NFT_ATTRS_MAX], key;
	uint32_t flags;

	if (!nft_attrs_of(element, ELEMENT_ATTRS, at) || !nft_attr_u32_or_none(at[NFTA_SET_ELEM_FLAGS], &flags) ||
	    (flags & ~(uint32_t)NFT_SET_ELEM_INTERVAL_END) ||
	    !nft_attr_only(at[NFTA_SET_ELEM_KEY], NFTA_DATA_VALUE, &key) || key.len != nft_wire_key_bytes(s))
		return false;
	if (flags)
		return !at[NFTA_SET_ELEM_DATA].at && !at[NFTA_SET_ELEM_OBJREF].at && !s->part_count &&
		       read_range(rd, s, key, true);
	if (!read_lead(rd, s, at))
		return false;
	return s->part_count ? read_parts(rd, s, key) : read_range(rd, s, key, false);
}

#define LIST_ATTRS                                                                                 \
	(NFT_ALLOW(NFTA_SET_ELEM_LIST_TABLE) | NFT_ALLOW(NFTA_SET_ELEM_LIST_SET) |                         \
	 NFT_ALLOW(NFTA_SET_ELEM_LIST_SET_ID) | NFT_ALLOW(NFTA_SET_ELEM_LIST_ELEMENTS))

int nft_reader_elements(struct nft_reader *rd, struct nft_attr message)
{
	struct nft_attr at[NFT_ATTRS_MAX], list, one;
	uint16_t type;

	if (!nft_attrs_of(message, LIST_ATTRS, at) || !at[NFTA_SET_ELEM_LIST_ELEMENTS].at)
		return nft_reader_refuse(rd, "a message of elements");
	struct nft_set *s = nft_reader_set_by(rd, at[NFTA_SET_ELEM_LIST_SET], at[NFTA_SET_ELEM_LIST_SET_ID]);
	if (!s || s->dynamic || (s->count && s != rd->filling))
		return nft_reader_refuse(rd, "a list of elements");
	if (s != rd->filling) {
		memset(&rd->ranges, 0, sizeof rd->ranges);
		memset(&rd->keys, 0, sizeof rd->keys);
		memset(&rd->leads, 0, sizeof rd->leads);
	}
	rd->filling = s;
	list = at[NFTA_SET_ELEM_LIST_ELEMENTS];
	while (nft_attr_next(&list, &type, &one))
		if (type != NFTA_LIST_ELEM || !read_element(rd, s, one))
			return nft_reader_refuse(rd, "an element");
	s->ranges = rd->ranges.at;
	s->keys = rd->keys.at;
	s->to = rd->leads.at;
	s->count = s->part_count ? rd->keys.len / (s->part_count * nft_key_words(s)) : rd->ranges.len;
	return list.len ? nft_reader_refuse(rd, "an element") : 0;
}
