/* The ground: numbers, sets and bytes that everything else stands on. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lang/base/addr.h"
#include "lang/base/arena.h"
#include "lang/base/digest.h"
#include "lang/base/duration.h"
#include "lang/base/file.h"
#include "lang/base/hex.h"
#include "lang/base/ranges.h"
#include "lang/base/spool.h"
#include "lang/base/strmap.h"
#include "lang/base/wire.h"
#include "tests/lib/tap.h"

static const struct {
	const char *given;
	enum prefix_fault fault;
	const char *printed;
} prefixes[] = {
	{ "10.0.0.0/8", PREFIX_OK, "10.0.0.0/8" },
	{ "10.0.0.1", PREFIX_OK, "10.0.0.1" },
	{ "0.0.0.0/0", PREFIX_OK, "0.0.0.0/0" },
	{ "::/0", PREFIX_OK, "::/0" },
	{ "2001:DB8::/32", PREFIX_OK, "2001:db8::/32" },
	{ "2001:db8::1", PREFIX_OK, "2001:db8::1" },
	{ "10.0.0.1/8", PREFIX_HOST_BITS, "10.0.0.0/8" },
	{ "10.0.0.0/33", PREFIX_LENGTH, NULL },
	{ "10.0.0.0/", PREFIX_LENGTH, NULL },
	{ "10.0.0.0/08", PREFIX_LENGTH, NULL },
	{ "10.0.0.0/-1", PREFIX_LENGTH, NULL },
	{ "::/129", PREFIX_LENGTH, NULL },
	{ "10.0.0", PREFIX_NOT_AN_ADDRESS, NULL },
	{ "10.0.0.256", PREFIX_NOT_AN_ADDRESS, NULL },
	{ "", PREFIX_NOT_AN_ADDRESS, NULL },
	{ "/8", PREFIX_NOT_AN_ADDRESS, NULL },
	{ "fe80::1%eth0", PREFIX_NOT_AN_ADDRESS, NULL },
	{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", PREFIX_NOT_AN_ADDRESS, NULL },
};

static void prefixes_read_back(void)
{
	char text[ADDR_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		struct prefix p = { 0 };

		tap_num(prefix_parse(prefixes[i].given, &p), prefixes[i].fault, prefixes[i].given);
		if (prefixes[i].printed)
			tap_text(prefix_print(p, text), prefixes[i].printed, "prints canonically");
	}
}

static struct netset set_of(struct arena *a, const char *words)
{
	struct netset s = { 0 };
	char *copy = arena_strdup(a, words), *rest;

	for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
		struct prefix p;
		if (prefix_parse(w, &p))
			abort();
		struct netset one = netset_of_range(a, p.addr.family, prefix_range(p));
		s = netset_join(a, &s, &one);
	}
	return s;
}

static const struct {
	const char *x, *y, *join, *minus, *meet;
} algebra[] = {
	{ "", "", "[]", "[]", "[]" },
	{ "10.0.0.0/24", "", "[10.0.0.0/24]", "[10.0.0.0/24]", "[]" },
	{ "10.0.0.0/25", "10.0.0.128/25", "[10.0.0.0/24]", "[10.0.0.0/25]", "[]" },
	{ "10.0.0.0/24", "10.0.0.7", "[10.0.0.0/24]",
	  "[10.0.0.0/30, 10.0.0.4/31, 10.0.0.6, 10.0.0.8/29, 10.0.0.16/28, 10.0.0.32/27, "
	  "10.0.0.64/26, 10.0.0.128/25]",
	  "[10.0.0.7]" },
	{ "0.0.0.0/0 ::/0", "0.0.0.0/1 8000::/1", "[0.0.0.0/0, ::/0]", "[128.0.0.0/1, ::/1]",
	  "[0.0.0.0/1, 8000::/1]" },
	{ "255.255.255.255", "0.0.0.0", "[0.0.0.0, 255.255.255.255]", "[255.255.255.255]", "[]" },
	{ "2001:db8::/32 10.0.0.0/8", "2001:db8:1::/48", "[10.0.0.0/8, 2001:db8::/32]", NULL,
	  "[2001:db8:1::/48]" },
};

static void check_printed(const struct netset *s, const char *want, const char *claim)
{
	own(buf) struct buf out = { 0 };

	netset_print(&out, s);
	tap_text(buf_text(&out), want, claim);
}

static void sets_obey_algebra(void)
{
	own(arena) struct arena *a = arena_new();

	for (size_t i = 0; i < ARRAY_LEN(algebra); i++) {
		struct netset x = set_of(a, algebra[i].x), y = set_of(a, algebra[i].y);
		struct netset join = netset_join(a, &x, &y);
		struct netset minus = netset_minus(a, &x, &y);
		struct netset meet = netset_meet(a, &x, &y);
		struct netset whole = netset_join(a, &minus, &meet);

		check_printed(&join, algebra[i].join, "x + y");
		if (algebra[i].minus)
			check_printed(&minus, algebra[i].minus, "x - y");
		check_printed(&meet, algebra[i].meet, "x & y");
		tap_ok(netset_equal(&whole, &x), "(x - y) + (x & y) = x");
	}
}

/* Every operation on random sets, asked of every port. */
static void ranges_agree_with_membership(void)
{
	enum { UNIVERSE = 300, ROUNDS = 60 };
	bool held = true;

	srand(7);
	for (int round = 0; round < ROUNDS && held; round++) {
		own(arena) struct arena *a = arena_new();
		struct ranges s[2] = { 0 };

		for (int k = 0; k < 12; k++) {
			int base = rand() % 8 ? 0 : UINT16_MAX - UNIVERSE;
			int lo = base + rand() % UNIVERSE;
			int hi = lo + rand() % (base + UNIVERSE - lo + 1);
			struct ranges one = ranges_of(a, (uint16_t)lo, (uint16_t)hi);
			s[k % 2] = ranges_join(a, &s[k % 2], &one);
		}
		struct ranges join = ranges_join(a, &s[0], &s[1]);
		struct ranges meet = ranges_meet(a, &s[0], &s[1]);
		struct ranges minus = ranges_minus(a, &s[0], &s[1]);
		for (uint32_t v = 0; v <= UINT16_MAX; v++) {
			bool x = ranges_has(&s[0], (uint16_t)v), y = ranges_has(&s[1], (uint16_t)v);
			held = held && ranges_has(&join, (uint16_t)v) == (x || y) &&
			       ranges_has(&meet, (uint16_t)v) == (x && y) &&
			       ranges_has(&minus, (uint16_t)v) == (x && !y);
		}
	}
	tap_ok(held, "port sets: join, meet and minus agree with membership");
}

static void wire_reads_what_it_wrote(void)
{
	own(buf) struct buf out = { 0 };
	own(arena) struct arena *a = arena_new();

	wire_put_u8(&out, 255);
	wire_put_u16(&out, 0x1234);
	wire_put_u32(&out, 0xdeadbeef);
	wire_put_u64(&out, UINT64_MAX - 1);
	wire_put_str(&out, "web_in");
	wire_put_str(&out, "");

	struct wire_in in = { (const uint8_t *)out.at, out.len, false };
	tap_num(wire_get_u8(&in), 255, "u8");
	tap_num(wire_get_u16(&in), 0x1234, "u16");
	tap_num(wire_get_u32(&in), 0xdeadbeef, "u32");
	tap_ok(wire_get_u64(&in) == UINT64_MAX - 1, "u64");
	tap_text(wire_get_str(&in, a), "web_in", "string");
	tap_text(wire_get_str(&in, a), "", "empty string");
	tap_ok(wire_done(&in), "nothing left");

	bool noticed = true;
	for (size_t cut = 0; cut < out.len; cut++) {
		struct wire_in few = { (const uint8_t *)out.at, cut, false };
		wire_get_u8(&few), wire_get_u16(&few), wire_get_u32(&few), wire_get_u64(&few);
		wire_get_str(&few, a), wire_get_str(&few, a);
		noticed = noticed && !wire_done(&few);
	}
	tap_ok(noticed, "every truncation is noticed");

	struct wire_in zero = { (const uint8_t *)"\3\0\0\0a\0b", 7, false };
	wire_get_str(&zero, a);
	tap_ok(zero.bad, "a NUL inside a string is refused");
	struct wire_in many = { (const uint8_t *)"\377\377\377\377", 4, false };
	tap_ok(wire_get_count(&many, 1) == 0 && many.bad, "a count beyond the bytes is refused");
}

static void maps_remember(void)
{
	own(arena) struct arena *a = arena_new();
	struct strmap m;
	bool held = true;

	strmap_init(&m, a);
	tap_ok(!strmap_find(&m, "x"), "an empty map finds nothing");
	for (uintptr_t i = 1; i <= 5000; i++)
		strmap_put(&m, arena_printf(a, "name%zu", (size_t)i), (void *)i);
	strmap_put(&m, "name17", (void *)99);
	tap_ok(!strmap_add(&m, "name18", (void *)98) && strmap_add(&m, "name5001", (void *)97) && strmap_find(&m, "name5001") == (void *)97,
	       "a name is added where there is none");
	for (uintptr_t i = 1; i <= 5000; i++)
		held = held && strmap_find(&m, arena_printf(a, "name%zu", (size_t)i)) ==
				       (void *)(i == 17 ? 99 : i);
	tap_ok(held && !strmap_find(&m, "name0"), "5000 names are found, others are not");
	tap_text(m.entries.at[16].name, "name17", "order of insertion is kept");
}

/* Three arrays of an arena that grow in turns, and pieces between them: they stretch, move, and have blocks of their own. */
static void arrays_grow(void)
{
	enum { MOST = 300000 };
	own(arena) struct arena *a = arena_new();
	VEC(uint32_t) numbers = { 0 };
	VEC(struct prefix) wide = { 0 };
	VEC(char) letters = { 0 };
	bool held = true, zero = true;

	for (uint32_t i = 0; i < MOST; i++) {
		vec_push(a, &numbers, i);
		if (i % 3 == 0)
			vec_push(a, &wide, ((struct prefix){ { FAMILY_IP6, i }, i % 129 }));
		if (i % 7 == 0)
			vec_push(a, &letters, (char)('a' + i % 26));
		if (i % 1000 == 0) {
			unsigned char *piece = arena_zero(a, i % 70000), set = 0;

			for (size_t k = 0; k < i % 70000; k++)
				set |= piece[k];
			zero = zero && !set;
			memset(piece, 0xff, i % 70000);
		}
	}
	for (uint32_t i = 0; i < MOST; i++)
		held = held && numbers.at[i] == i && (i % 3 || wide.at[i / 3].addr.num == i) && (i % 7 || letters.at[i / 7] == 'a' + (int)(i % 26));
	tap_ok(held, "arrays that grow beside each other hold what was pushed");
	tap_ok(zero, "and every piece between them is zeroed");
}

/* Any range is its blocks, one behind the other, each as large as it may be. */
static void blocks_cover_ranges(void)
{
	enum { FEW = 4 };
	bool held = true, few_held = true;

	srand(11);
	for (int round = 0; round < 4000 && held; round++) {
		own(arena) struct arena *a = arena_new();
		const enum family f = round % 2 ? FAMILY_IP6 : FAMILY_IP4;
		struct addr_range r = { 0 };
		size_t len;

		for (unsigned bit = 0; bit < FAMILY_BITS(f); bit++) {
			r.lo |= (addr_num)(rand() % 4 == 0) << bit;
			r.hi |= (addr_num)(rand() % 4 != 0) << bit;
		}
		if (round % 100 < 4)
			r = (struct addr_range){ round % 100 < 2 ? 0 : r.lo, family_max(f) };
		if (r.lo > r.hi)
			continue;
		struct netset s = netset_of_range(a, f, r);
		const struct prefix *p = netset_prefixes(a, &s, &len);
		addr_num next = r.lo;
		for (size_t i = 0; i < len; i++) {
			struct addr_range block = prefix_range(p[i]);
			struct prefix wider = { p[i].addr, p[i].len - 1 };
			bool aligned = p[i].len && !(p[i].addr.num >> (FAMILY_BITS(f) - p[i].len) & 1);

			held = held && block.lo == next && block.hi <= r.hi &&
			       (!aligned || prefix_range(wider).hi > r.hi);
			next = block.hi + 1;
		}
		held = held && next == r.hi + 1;
		struct prefix few[FEW];
		few_held = few_held && netset_few_prefixes(&s, few, FEW) == (len <= FEW ? len : FEW + 1);
		for (size_t i = 0; i < len && i < FEW; i++)
			few_held = few_held && few[i].len == p[i].len && few[i].addr.num == p[i].addr.num;
	}
	tap_ok(held, "the blocks of a range are it, and the fewest");
	tap_ok(few_held, "the first few of them are the same, and more are told");
}

static void numbers_are_printed(void)
{
	static const uint64_t some[] = { 0, 9, 10, 65535, 4294967296, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_LEN(some); i++) {
		own(buf) struct buf out = { 0 };
		char want[32];

		snprintf(want, sizeof want, "%llu", (unsigned long long)some[i]);
		buf_number(&out, some[i]);
		tap_text(buf_text(&out), want, "a number");
	}
}

static void durations_are_printed(void)
{
	static const struct {
		uint64_t ns;
		const char *printed, *said;
	} some[] = {
		{ 0, "0d", "0s" }, { 1, "1ns", "1ns" }, { 1000, "1us", "1us" }, { 1500, "1500ns", "1us 500ns" }, { 90000000000, "90s", "1m 30s" },
		{ 3600000000000, "1h", "1h" }, { 5400000000000, "90m", "1h 30m" }, { 90061001001001, "90061001001001ns", "1d 1h 1m 1s 1ms 1us 1ns" },
		{ 604800000000000, "7d", "7d" }, { UINT64_MAX, "18446744073709551615ns", "213503d 23h 34m 33s 709ms 551us 615ns" },
	};

	for (size_t i = 0; i < ARRAY_LEN(some); i++) {
		own(buf) struct buf printed = { 0 }, said = { 0 };

		duration_print(&printed, some[i].ns);
		duration_say(&said, some[i].ns);
		tap_text(buf_text(&printed), some[i].printed, "a duration in one unit");
		tap_text(buf_text(&said), some[i].said, "and for people");
	}
}

static void hex_digits_are_read(void)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	size_t read = 0;

	for (int c = -128; c < 128; c++) {
		const char *at = c ? memchr(digits, c, sizeof digits - 1) : NULL;
		const int worth = !at ? -1 : at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;

		read += hex_digit((char)c) == worth;
	}
	tap_num((int64_t)read, 256, "hexadecimal digits, and what is none");
}

static void files_are_replaced_whole(void)
{
	char dir[] = "/tmp/teg-base-XXXXXX", path[64];
	struct err why = { 0 };
	own(buf) struct buf got = { 0 };

	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof path, "%s/f", dir);
	tap_ok(!file_replace(path, "old", 3, 0644, &why) && !file_replace(path, "newer", 5, 0644, &why),
	       "written twice");
	tap_ok(!file_read(&got, path, 100, &why) && !strcmp(buf_text(&got), "newer"), "the second stays");
	tap_ok(file_read(&got, path, 4, &why) < 0 && strstr(why.text, "more than 4 bytes"),
	       "a limit holds: %s", why.text);
	tap_ok(file_read(&got, dir, 100, &why) < 0 && strstr(why.text, "is a directory"),
	       "a directory is no file: %s", why.text);
	tap_ok(file_replace("/nowhere/f", "x", 1, 0644, &why) < 0 && strstr(why.text, "/nowhere/f"),
	       "a missing directory is told: %s", why.text);
	unlink(path);
	rmdir(dir);
}

static void what_a_person_names_is_kept(void)
{
	char dir[] = "/tmp/teg-base-XXXXXX", path[64], link[64], fifo[64], fifo_said[1];
	struct err why = { 0 };
	struct stat st = { 0 };
	own(buf) struct buf got = { 0 };

	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof path, "%s/f", dir);
	snprintf(link, sizeof link, "%s/l", dir);
	snprintf(fifo, sizeof fifo, "%s/p", dir);
	tap_ok(!file_save(path, "old", 3, 0640, &why) && !stat(path, &st) && (st.st_mode & 0777) == 0640, "a new file");
	tap_ok(!chmod(path, 0606) && !symlink("f", link) && !file_save(link, "newer", 5, 0644, &why) && !lstat(link, &st) &&
		       S_ISLNK(st.st_mode) && !stat(path, &st) && (st.st_mode & 0777) == 0606,
	       "through a link, as it was");
	tap_ok(!file_read(&got, path, 100, &why) && !strcmp(buf_text(&got), "newer"), "what is there is the new");
	own(fd) int pipe = mkfifo(fifo, 0600) ? -1 : open(fifo, O_RDWR | O_CLOEXEC);
	tap_ok(!file_save(fifo, "x", 1, 0644, &why) && !stat(fifo, &st) && S_ISFIFO(st.st_mode) && read(pipe, fifo_said, 1) == 1,
	       "what is no file is written to, and stays");
	tap_ok(file_save(dir, "x", 1, 0644, &why) == -EISDIR && strstr(why.text, dir), "a directory is refused: %s", why.text);
	tap_ok(file_save("", "x", 1, 0644, &why) == -ENOENT, "and no name: %s", why.text);
	unlink(fifo);
	unlink(link);
	unlink(path);
	tap_ok(!rmdir(dir), "nothing is left beside them");
}

/* What is written in pieces of each size, and amended before, over and behind where the file ends, reads as it would in memory. */
static void one_spool(const char *beside)
{
	own(spool) struct spool s = { 0 };
	own(buf) struct buf wanted = { 0 }, read = { 0 };
	struct err why = { .text = "" };
	struct piece all = { .in = &s };
	struct digest d = { "" };
	bool same = true;

	if (beside)
		spool_beside(&s, beside);
	for (unsigned i = 0; wanted.len < (3u << 20); i++) {
		const size_t had = wanted.len;

		for (unsigned k = 0; k < 7919 * (i % 5) + 1; k++)
			buf_putc(&wanted, (char)(k * i));
		buf_add(&s.held, wanted.at + had, wanted.len - had);
		spool_settle(&s);
		for (size_t back = 1; back < had; back *= 3) {
			memcpy(wanted.at + had - back, "amended", back < 7 ? back : 7);
			spool_amend(&s, had - back, "amended", back < 7 ? back : 7);
		}
	}
	tap_ok(s.has_file == !!beside && (s.in_file > 0) == s.has_file, "spooled %s, %zu bytes are in a file", beside ? "to a file" : "in memory",
	       s.in_file);
	for (int ended = 0; ended < 2; ended++) {
		read.len = 0;
		buf_reserve(&read, wanted.len);
		same &= spool_len(&s) == wanted.len && !spool_read(&s, 0, read.at, wanted.len, &why) && !memcmp(read.at, wanted.at, wanted.len);
		same &= !spool_read(&s, wanted.len / 2, read.at, 1000, &why) && !memcmp(read.at, wanted.at + wanted.len / 2, 1000);
		spool_end(&s);
	}
	tap_ok(same, "and read as they were written and amended: %s", why.text);
	tap_ok(!spool_bytes(&s) == !!beside, "what is in a file is not in memory");
	all.at = spool_bytes(&s);
	all.len = spool_len(&s);
	tap_ok(!digest_of_pieces(&d, &(struct pieces){ &all, 1 }, &why) && !strcmp(d.hex, digest_of(wanted.at, wanted.len).hex),
	       "and is digested from where it lies: %s", d.hex);
}

/* There is no file for what is little, unless it is asked to go to one. */
static void few_are_held(const char *beside)
{
	own(spool) struct spool s = { 0 };
	struct err why = { .text = "" };
	char read[4] = "";

	spool_beside(&s, beside);
	buf_puts(&s.held, "few");
	spool_settle(&s);
	spool_end(&s);
	tap_ok(!s.has_file && spool_len(&s) == 3 && !strcmp(spool_bytes(&s), "few") && !spool_map(&s), "few bytes stay in memory");
	spool_drain(&s);
	tap_ok(s.has_file && s.in_file == 3 && !spool_bytes(&s) && !spool_read(&s, 0, read, 3, &why) && !strcmp(read, "few"),
	       "and go to a file where that is asked: %s", why.text);
}

static void spools_hold(void)
{
	char dir[] = "/tmp/teg-base-XXXXXX", beside[64];
	struct err why = { .text = "" };
	struct spool full = { 0 };
	char byte;

	if (!mkdtemp(dir))
		return;
	snprintf(beside, sizeof beside, "%s/made", dir);
	one_spool(NULL);
	one_spool(beside);
	spool_beside(&full, "/proc/none/made");
	spool_drain(&full);
	tap_ok(!full.beside && !full.has_file, "where no file can be, it stays in memory");
	spool_beside(&full, "/dev/null");
	tap_ok(!full.beside, "beside a device, too");
	few_are_held(beside);
	full.fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	full.has_file = true;
	full.beside = "edge.tegb";
	buf_puts(&full.held, "more than there is room for");
	spool_end(&full);
	tap_ok(spool_read(&full, 0, &byte, 1, &why) == -ENOSPC && strstr(why.text, "beside edge.tegb: No space left"), "a full disk is told: %s", why.text);
	spool_release(&full);
	tap_ok(!rmdir(dir), "and nothing is left behind");
}

int main(void)
{
	prefixes_read_back();
	sets_obey_algebra();
	ranges_agree_with_membership();
	wire_reads_what_it_wrote();
	maps_remember();
	arrays_grow();
	blocks_cover_ranges();
	numbers_are_printed();
	durations_are_printed();
	hex_digits_are_read();
	files_are_replaced_whole();
	what_a_person_names_is_kept();
	spools_hold();
	tap_text(digest_of("abc", 3).hex,
		 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "FIPS 180-4's example");
	return tap_done();
}
