/*
 * import.c - what readers, the walk and the writer share.
 */
#include "compiler/import/import.h"

#include <ctype.h>
#include <string.h>

#define NOTES_COMPARED 1000 /* a chain is entered many times, and says the same each time */

struct import *import_new(void)
{
	struct arena *a = arena_new();
	struct import *m = arena_zero(a, sizeof *m);

	m->arena = a;
	strmap_init(&m->sets, a);
	strmap_init(&m->filled, a);
	return m;
}

void import_free(struct import *m)
{
	if (m)
		arena_free(m->arena);
}

void import_note(struct import *m, struct import_place place, enum note_kind kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct import_note n = { place, kind, arena_vprintf(m->arena, format, args) };
	va_end(args);
	for (size_t i = m->notes.len; i > 0 && m->notes.len - i < NOTES_COMPARED; i--) {
		const struct import_note *other = &m->notes.at[i - 1];

		if (other->place.line == place.line && other->place.path == place.path && other->kind == kind && !strcmp(other->text, n.text))
			return;
	}
	vec_push(m->arena, &m->notes, n);
}

size_t import_notes(const struct import *m, enum note_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < m->notes.len; i++)
		count += m->notes.at[i].kind == kind;
	return count;
}

const char *note_kind_name(enum note_kind kind)
{
	switch (kind) {
	case NOTE_LEFT_OUT:
		return "left-out";
	case NOTE_WIDENED:
		return "widened";
	case NOTE_BESIDE:
		return "beside";
	case NOTE_ANSWERS:
		return "answers-pass";
	case NOTE_UNLIMITED:
		return "unlimited";
	case NOTE_ADMITS:
		return "admits-more";
	}
	return "";
}

/* --- interfaces ------------------------------------------------------------------------------------ */

static size_t stem(const char *name)
{
	size_t len = strlen(name);

	return len && name[len - 1] == '*' ? len - 1 : len;
}

static bool is_pattern(const char *name)
{
	return name[stem(name)] == '*';
}

/* Linux gives no interface such a name, so no packet is on it. */
static bool can_be(const char *name)
{
	return *name && strlen(name) <= 15u + is_pattern(name) && !strpbrk(name, "/: \t\n\r\v\f") && strcmp(name, ".") && strcmp(name, "..");
}

/* Can .teg name it? */
static bool can_be_said(const char *name)
{
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c < 0x21 || (unsigned char)*c > 0x7e || strchr("\"\\", *c) || (*c == '*' && c[1]))
			return false;
	return true;
}

/* Is everything that y names named by x too? */
static bool covers(const char *x, const char *y)
{
	return is_pattern(x) ? stem(y) >= stem(x) && !strncmp(x, y, stem(x)) : !strcmp(x, y);
}

static bool may_be_a_zone(const struct words *names, size_t i)
{
	for (size_t k = 0; is_pattern(names->at[i]) && k < names->len; k++)
		if (strcmp(names->at[i], names->at[k]) && (covers(names->at[i], names->at[k]) || covers(names->at[k], names->at[i])))
			return false;
	return true;
}

void import_interfaces(struct import *m, const struct words *names)
{
	struct words all = { 0 };

	for (size_t i = 0; i < m->interfaces.len; i++)
		vec_push(m->arena, &all, m->interfaces.at[i]);
	for (size_t i = 0; i < names->len; i++)
		vec_push(m->arena, &all, names->at[i]);
	m->interfaces.len = 0;
	for (size_t i = 0; i < all.len && m->interfaces.len < ZONE_NO_INTERFACE; i++) {
		bool known = !strcmp(all.at[i], "lo") || !stem(all.at[i]) || !can_be(all.at[i]) || !can_be_said(all.at[i]) || !may_be_a_zone(&all, i);

		for (size_t k = 0; k < m->interfaces.len; k++)
			known |= !strcmp(m->interfaces.at[k], all.at[i]);
		if (!known)
			vec_push(m->arena, &m->interfaces, all.at[i]);
	}
}

void import_zones_of(const struct import *m, const char *name, uint64_t *sure, uint64_t *perhaps)
{
	bool whole = false;

	*sure = *perhaps = 0;
	if (!can_be(name))
		return;
	if (is_pattern(name) && !stem(name)) {
		*sure = *perhaps = import_zones(m);
		return;
	}
	for (size_t i = 0; i < m->interfaces.len; i++) {
		if (covers(name, m->interfaces.at[i]))
			*sure |= 1ull << i;
		whole |= !strcmp(name, m->interfaces.at[i]);
	}
	*perhaps = *sure | (whole ? 0 : 1ull << ZONE_OTHER);
}

uint64_t import_zones(const struct import *m)
{
	return ((1ull << m->interfaces.len) - 1) | 1ull << ZONE_OTHER;
}

int import_protocol(const char *word)
{
	static const struct { const char *name; int number; } rows[] = {
#define PROTO(name, number, about) { name, number },
#include "lang/vocab/proto.def"
#undef PROTO
		/* as /etc/protocols and iptables have it */
		{ "icmp", 1 }, { "ipv6-icmp", 58 }, { "icmp6", 58 }, { "ipencap", 4 }, { "ipv6", 41 },
	};
	char *end;
	long number = strtol(word, &end, 10);

	if (isdigit((unsigned char)*word) && !*end && number >= 0 && number <= 255)
		return (int)number;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcasecmp(rows[i].name, word))
			return rows[i].number;
	return -1;
}

int import_port(const char *text)
{
	static const struct { const char *name; int port; } rows[] = {
		{ "ftp", 21 },	 { "ssh", 22 },	   { "telnet", 23 }, { "smtp", 25 },   { "domain", 53 }, { "bootps", 67 },
		{ "bootpc", 68 }, { "http", 80 },  { "www", 80 },    { "ntp", 123 },   { "snmp", 161 },	 { "https", 443 },
	};
	char *end;
	long n = strtol(text, &end, 10);

	if (isdigit((unsigned char)*text) && !*end && n <= UINT16_MAX)
		return (int)n;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcmp(rows[i].name, text))
			return rows[i].port;
	return -1;
}

int import_kind(const char *word)
{
	static const struct { const char *name; enum dst_kind kind; } rows[] = {
		{ "local", KIND_LOCAL }, { "broadcast", KIND_BROADCAST }, { "multicast", KIND_MULTICAST }, { "unicast", KIND_OTHER },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcasecmp(rows[i].name, word))
			return (int)rows[i].kind;
	return -1;
}

bool import_unlimit(struct import *m, struct import_rule *r, bool over)
{
	bool drops = r->target == TARGET_DROP || r->target == TARGET_REJECT;
	bool spares = r->target == TARGET_RETURN || r->target == TARGET_JUMP || r->target == TARGET_GOTO;

	if (!m->unlimited || (over ? !drops : !spares))
		return true;
	import_note(m, r->place, NOTE_UNLIMITED, "%s: what is over this limit is dropped there, and not here", r->text);
	if (over)
		return false;
	r->sure = r->rated;
	r->rate = NULL;
	if (r->unknown && !strcmp(r->unknown, IMPORT_OVER))
		r->unknown = NULL;
	return true;
}
