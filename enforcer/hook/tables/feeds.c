#include "enforcer/hook/tables/parts.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <sys/mman.h>

/*
 * What one entry may take is not known before it comes: a host takes one word or two, one in a /32 of IPv6 of its own ten, a network that
 * fills half of a /16 a hundred and more. So much is set aside, and what does not fit is refused.
 */
#define FEED_WORDS_LEAST (1u << 18)
#define FEED_WORDS_EACH 6u

uint32_t tables_feed_words(const struct tables_load *load)
{
	const struct plan *p = load->plan;
	uint64_t entries = 0, words;

	for (uint32_t i = 0; i < p->feed_count; i++)
		entries += p->feeds[i].most;
	words = FEED_WORDS_LEAST + FEED_WORDS_EACH * entries;
	if (load->feeds && words < load->feeds->words + (uint64_t)load->feeds->words / 4)
		words = load->feeds->words + (uint64_t)load->feeds->words / 4;
	words = (words + TEG_ATLAS_LINE - 1) / TEG_ATLAS_LINE * TEG_ATLAS_LINE;
	return p->feed_count ? (uint32_t)(words < TEG_ATLAS_WORDS_MAX ? words : TEG_ATLAS_WORDS_MAX) : 0;
}

/* Values lie one behind the other in an array that is mapped, each from a cache line's beginning on. */
static uint64_t *feeds_map(const struct tables *t, struct err *why)
{
	void *at = mmap(NULL, TEG_BANKS * sizeof(uint64_t) * (size_t)t->feed_words, PROT_READ | PROT_WRITE, MAP_SHARED, t->feeds, 0);

	if (at == MAP_FAILED)
		err_sys(why, "cannot map the tables of feeds");
	return at == MAP_FAILED ? NULL : at;
}

int tables_look_at_feeds(struct tables *t, struct err *why)
{
	const uint32_t zero = 0;
	struct bpf_map_info is = { 0 };
	uint32_t len = sizeof is;

	if (t->feeds < 0 || t->feeding < 0)
		return err_set(why, EPROTO, "the program in the slot has no tables of feeds: it is not ours");
	if (bpf_obj_get_info_by_fd(t->feeds, &is, &len) || bpf_map_lookup_elem(t->feeding, &zero, &t->fed))
		return err_sys(why, "cannot read the tables of feeds");
	t->feed_words = is.value_size / (uint32_t)sizeof(uint64_t);
	return 0;
}

int tables_feed(struct tables *t, const struct atlas *a, struct err *why)
{
	const uint32_t next = t->fed == TEG_FEEDING_FIRST ? TEG_FEEDING_SECOND : TEG_FEEDING_FIRST;

	if (!a) {
		t->to_feed = TEG_FEEDING_NOTHING;
		return 0;
	}
	if (a->words > t->feed_words)
		return err_set(why, ENOSPC, "what is on the feeds takes %llu kB in the first hook, and there is room for %llu",
			       (unsigned long long)a->words / 128, (unsigned long long)t->feed_words / 128);
	uint64_t *banks = feeds_map(t, why);
	if (!banks)
		return why->code;
	memcpy(banks + (next == TEG_FEEDING_SECOND ? t->feed_words : 0), a->at, (size_t)a->words * sizeof *a->at);
	munmap(banks, TEG_BANKS * sizeof(uint64_t) * (size_t)t->feed_words);
	t->to_feed = next;
	return 0;
}

int tables_fed(struct tables *t, struct err *why)
{
	const uint32_t zero = 0;

	if (bpf_map_update_elem(t->feeding, &zero, &t->to_feed, BPF_ANY))
		return err_sys(why, "cannot switch to what is on the feeds now");
	t->fed = t->to_feed;
	return 0;
}
