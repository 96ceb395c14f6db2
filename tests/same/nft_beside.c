/* Two generations side by side, and other people's tables, which stay as they were. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "compiler/ir/proto.h"
#include "tests/lib/craft.h"
#include "tests/lib/nft_lab.h"
#include "tests/lib/tap.h"

#define FOREIGN                                                                                    \
	"table inet other {\n\tcounter kept { packets 7 bytes 700 }\n"                             \
	"\tset hosts { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 } }\n"              \
	"\tchain a_pre_in { type filter hook input priority 0; policy accept;\n"                   \
	"\t\tip saddr @hosts tcp dport 22 accept\n\t}\n}\n"                                        \
	"table netdev other {\n\tchain c { type filter hook ingress device \"eth0\" priority 3;\n" \
	"\t\tip saddr 192.0.2.1 drop\n\t}\n}\n"

/* Everything of a bank in one transaction, as docs/nftables.md says. */
static bool empty_bank(char bank)
{
	static const char *const tables[] = { NFT_OURS_INET, NFT_OURS_NETDEV };
	own(buf) struct buf flush = { 0 };

	for (int deleting = 0; deleting < 2; deleting++) {
		for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
			own(buf) struct buf list = { 0 };
			char *line, *rest, name[128];

			if (!live_list(t ? "chains netdev" : "chains inet", &list) || !list.len)
				return false;
			bool ours = false;
			for (line = strtok_r(list.at, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
				if (!strncmp(line, "table ", 6))
					ours = !strncmp(line + 6, tables[t], strlen(tables[t]));
				if (ours && sscanf(line, " chain %127s", name) == 1 && name[0] == bank && name[1] == '_')
					buf_printf(&flush, "%s chain %s %s\n", deleting ? "delete" : "flush", tables[t], name);
			}
		}
	}
	return live_nft(buf_text(&flush));
}

static void generations_live_side_by_side(void)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf before = { 0 }, beside = { 0 }, after = { 0 }, gone = { 0 };
	struct netset self = craft_set(a, "10.0.0.1");
	struct packet p = craft_packet(PROTO_UDP, "10.66.0.1", 1, "10.0.0.1", 9);
	struct err why = { 0 };
	struct live_seen seen;
	struct nft_lab lab;
	bool ok = !nft_lab_open(&lab, nft_lab_rated(a), a, &self, &why) && live_nft(FOREIGN) &&
		  live_list("table inet other", &before) && live_list("table netdev other", &before);

	ok = ok && nft_lab_send(&lab, 'a', &why) && nft_lab_hook(&lab, 'a');
	tap_ok(ok, "a generation in bank a, beside other tables");
	ok = ok && nft_lab_send(&lab, 'b', &why);
	tap_ok(ok, "the same beside it in bank b: sets and counters are shared");
	tap_ok(ok && live_batch(&lab.live, &lab.nft.posture, &why) == -EEXIST, "a bank that is not empty is refused");
	ok = ok && nft_lab_hook(&lab, 'b') && live_seen(&lab.live, &seen);
	if (ok && nft_lab_arrives(&lab, p, NULL, 0, &seen))
		tap_num((int64_t)live_count(&seen, NFT_OURS_NETDEV, "block.bogons"), 1, "the first of two hooks drops");
	p.src = craft_addr("10.1.1.1");
	if (ok && nft_lab_arrives(&lab, p, NULL, 0, &seen)) {
		tap_num((int64_t)live_count(&seen, NFT_OURS_INET, "OPEN.default.in"), 2, "what both admit passes both");
		tap_num((int64_t)live_count(&seen, NFT_WORLD_INET, "passed"), 1, "once");
	}
	tap_ok(ok && empty_bank('a'), "bank a is emptied while b judges");
	if (ok && nft_lab_arrives(&lab, p, NULL, 0, &seen))
		tap_num((int64_t)live_count(&seen, NFT_OURS_INET, "OPEN.default.in"), 1, "b goes on, with the same counter");
	tap_ok(ok && live_list("table inet other", &beside) && live_list("table netdev other", &beside) && nft_lab_unload() &&
		       live_list("table inet other", &after) && live_list("table netdev other", &after),
	       "ours are removed");
	tap_text(buf_text(&beside), buf_text(&before), "other tables are as they were, while ours are there");
	tap_text(buf_text(&after), buf_text(&before), "and afterwards");
	if (!ok)
		tap_note("%s", why.text);
	nft_lab_close(&lab);
}

int main(void)
{
	if (!live_may()) {
		tap_skip("needs root for a network namespace", "two generations live side by side");
		return tap_done();
	}
	generations_live_side_by_side();
	return tap_done();
}
