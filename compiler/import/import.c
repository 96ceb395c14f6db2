/*
 * import.c - what readers, the walk and the writer share.
 */
#include "compiler/import/import.h"

#include <ctype.h>
#include <string.h>

struct import *import_new(enum family family)
{
	struct arena *a = arena_new();
	struct import *m = arena_zero(a, sizeof *m);

	m->arena = a;
	m->family = family;
	strmap_init(&m->chains, a);
	strmap_init(&m->sets, a);
	return m;
}

void import_free(struct import *m)
{
	if (m)
		arena_free(m->arena);
}

void import_note(struct import *m, unsigned line, enum note_kind kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct import_note n = { line, kind, arena_vprintf(m->arena, format, args) };
	va_end(args);
	for (size_t i = 0; i < m->notes.len; i++)
		if (m->notes.at[i].line == line && m->notes.at[i].kind == kind && !strcmp(m->notes.at[i].text, n.text))
			return;
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
	case NOTE_ADMITS:
		return "admits-more";
	}
	return "";
}

unsigned import_zone(struct import *m, const char *interface)
{
	for (size_t i = 0; i < m->interfaces.len; i++)
		if (!strcmp(m->interfaces.at[i], interface))
			return (unsigned)i;
	if (m->interfaces.len == ZONE_NO_INTERFACE)
		return ZONE_OTHER;
	vec_push(m->arena, &m->interfaces, interface);
	return (unsigned)m->interfaces.len - 1;
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
