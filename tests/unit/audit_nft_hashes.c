/* Blocks of many hosts and networks are hashes of nft, are proved, and one that lacks an address is refused. */
#include "tests/lib/craft.h"
#include "tests/lib/nft_audit.h"
#include "tests/lib/tap.h"

/* Many hosts are a hash, where they touch too; wider parts among them are a tree. */
static void hosts_are_hashed(bool wide)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf text = { 0 };
	struct policy *p = craft_policy(a, "hosts");
	struct err why = { 0 };
	struct nft_ruleset rs;
	const struct nft_set *found = NULL;

	for (unsigned i = 0; i < 100; i++)
		buf_printf(&text, i % 20 ? " 198.51.%u.7" : " 198.51.%u.7/32 198.51.%u.8", i, i);
	if (wide)
		buf_puts(&text, " 203.0.113.0/24");
	craft_block(p, "bad", buf_text(&text), UINT64_MAX);
	craft_add_posture(p, craft_posture("OPEN", VERDICT_ALLOW));
	struct ir *ir = ir_lower(p, a);
	tap_ok(!nft_lower(&rs, ir, a, &why), "a block of hosts: %s", why.text);
	for (size_t i = 0; i < rs.netdev.sets.len; i++)
		if (rs.netdev.sets.at[i]->name[0] == (wide ? 'n' : 'h'))
			found = rs.netdev.sets.at[i];
	tap_ok(found && found->interval == wide && found->count == (wide ? 101 : 105), "%s", wide ? "with a network, a tree of parts" :
	       "a hash of each");
	tap_ok(!nft_audit(audit_nft_epiderme, ir, &rs.netdev, &why), "proved: %s", why.text);
	if (!found)
		return;
	((struct addr_range *)found->ranges)[9].lo++;
	((struct addr_range *)found->ranges)[9].hi++;
	tap_ok(nft_audit(audit_nft_epiderme, ir, &rs.netdev, &why), "another host is noticed: %s", why.text);
}

/* Of networks of several lengths, each length that they are rounded up to has a rule and a hash. */
static void networks_are_hashed_by_length(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf text = { 0 };
	struct policy *p = craft_policy(a, "networks");
	struct err why = { 0 };
	struct nft_ruleset rs;
	unsigned hashes = 0;

	for (unsigned i = 0; i < 250; i++)
		buf_printf(&text, " 198.%u.5.0/24 198.%u.7.0/24 198.%u.9.128/25 198.%u.11.0/32 198.%u.12.0/23", i, i, i, i, i);
	craft_block(p, "bad", buf_text(&text), UINT64_MAX);
	craft_add_posture(p, craft_posture("OPEN", VERDICT_ALLOW));
	struct ir *ir = ir_lower(p, a);
	tap_ok(!nft_lower(&rs, ir, a, &why), "a block of networks: %s", why.text);
	for (size_t i = 0; i < rs.netdev.sets.len; i++)
		hashes += rs.netdev.sets.at[i]->name[0] == 'h' && rs.netdev.sets.at[i]->most == rs.netdev.sets.at[i]->count + 1;
	tap_ok(hashes > 1, "%u hashes, by length", hashes);
	tap_ok(!nft_audit(audit_nft_epiderme, ir, &rs.netdev, &why), "proved: %s", why.text);
	for (size_t i = 0; i < rs.netdev.sets.len; i++) {
		struct nft_set *s = rs.netdev.sets.at[i];

		if (s->name[0] != 'h')
			continue;
		s->count--;
		tap_ok(nft_audit(audit_nft_epiderme, ir, &rs.netdev, &why), "a block that one of them lacks is noticed: %s", why.text);
		s->count++;
	}
}

int main(void)
{
	hosts_are_hashed(false);
	hosts_are_hashed(true);
	networks_are_hashed_by_length();
	return tap_done();
}
