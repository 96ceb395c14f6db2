#include "enforcer/api/feed_text.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "lang/base/arena.h"
#include "lang/base/own.h"
#include "lang/base/utf8.h"
#include "lang/bundle/feed_pack.h"

struct reading {
	const struct feed_text *how;
	struct arena *arena;
	VEC(struct addr_range) ranges[FAMILY_COUNT];
	uint32_t entries;
	bool has_ended; /* an indicator was left out whose time is over */
	uint64_t line; /* from 1; of STIX the number of the object */
	struct err *why;
};

static void json_own_(cJSON **j)
{
	cJSON_Delete(*j);
}

#define QUOTED_MOST 60 /* of somebody else's text, in a sentence of ours */

static int wrong(struct reading *r, const char *text, const char *says)
{
	char quoted[QUOTED_MOST + 1];
	size_t len = 0;

	for (; text[len] && len < QUOTED_MOST; len++)
		quoted[len] = text[len] >= ' ' && text[len] <= '~' ? text[len] : '?';
	quoted[len] = '\0';
	return err_set(r->why, EINVAL, "%s %llu: `%s` %s", r->how->format == FORMAT_STIX ? "object" : "line",
		       (unsigned long long)r->line, quoted, says);
}

/* ::ffff:192.0.2.0/120 is how a socket of both versions writes down IPv4 (RFC 4291, 2.5.5.2); no packet has such a source. */
static struct prefix unmapped(struct prefix p)
{
	if (p.addr.family == FAMILY_IP6 && p.len >= 96 && p.addr.num >> 32 == 0xffff)
		return (struct prefix){ { FAMILY_IP4, p.addr.num & UINT32_MAX }, p.len - 96 };
	return p;
}

static int take_entry(struct reading *r, const char *text)
{
	struct prefix p;

	switch (prefix_parse(text, &p)) {
	case PREFIX_OK:
		break;
	case PREFIX_NOT_AN_ADDRESS:
		return wrong(r, text, "is no address or prefix");
	case PREFIX_LENGTH:
		return wrong(r, text, "is longer than an address");
	case PREFIX_HOST_BITS:
		return wrong(r, text, "has bits beyond its length");
	}
	p = unmapped(p);
	if (!p.len)
		return wrong(r, text, "is everything: that is no feed");
	if (r->entries == r->how->most)
		return err_set(r->why, E2BIG, "line %llu: the feed has more than %u entries, which the policy says are the most",
			       (unsigned long long)r->line, r->how->most);
	r->entries++;
	vec_push(r->arena, &r->ranges[p.addr.family], prefix_range(p));
	return 0;
}

/* Without the blanks around it. */
static char *trimmed(char *text)
{
	size_t len;

	text += strspn(text, " \t\r");
	len = strlen(text);
	while (len && strchr(" \t\r", text[len - 1]))
		text[--len] = '\0';
	return text;
}

/* ---- a line ------------------------------------------------------------------------ */

static int read_netset(struct reading *r, char *line)
{
	line[strcspn(line, "#;")] = '\0';
	line = trimmed(line);
	return *line ? take_entry(r, line) : 0;
}

/* An object that has no such member says something else, as the last one of many feeds does. */
static int read_json(struct reading *r, char *line)
{
	line = trimmed(line);
	if (!*line)
		return 0;
	own(json) cJSON *object = cJSON_ParseWithOpts(line, NULL, true);
	if (!cJSON_IsObject(object))
		return wrong(r, line, "is no JSON object");
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, r->how->member);
	if (!member)
		return 0;
	return cJSON_IsString(member) ? take_entry(r, member->valuestring) : wrong(r, r->how->member, "is no text there");
}

/* The next field of a line, its quotes taken off (RFC 4180); NULL when it has an end that none has. */
static char *next_field(char **line)
{
	char *field = *line + strspn(*line, " \t"), *to = field, *at = field;

	if (*at != '"') {
		at += strcspn(at, ",");
	} else {
		for (at++; *at && (*at != '"' || at[1] == '"'); at++) {
			at += *at == '"';
			*to++ = *at;
		}
		if (!*at)
			return NULL;
		*at = '\0';
		at += 1 + strspn(at + 1, " \t\r");
		*to = '\0';
		if (*at && *at != ',')
			return NULL;
	}
	*line = *at ? at + 1 : NULL;
	*at = '\0';
	return field;
}

/* The first line may name the columns. */
static int read_csv(struct reading *r, char *line)
{
	struct prefix p;
	char *field = NULL;

	if (!*trimmed(line) || *trimmed(line) == '#')
		return 0;
	for (uint32_t i = 0; i < r->how->column; i++) {
		if (!line)
			return err_set(r->why, EINVAL, "line %llu: there is no column %u", (unsigned long long)r->line,
				       r->how->column);
		field = next_field(&line);
		if (!field)
			return err_set(r->why, EINVAL, "line %llu: a quote does not end", (unsigned long long)r->line);
	}
	field = trimmed(field);
	if (r->line == 1 && prefix_parse(field, &p) == PREFIX_NOT_AN_ADDRESS)
		return 0;
	return take_entry(r, field);
}

static int read_lines(struct reading *r, char *text, size_t len)
{
	char *end = text + len;
	int rc = 0;

	while (!rc && text < end) {
		char *line = text, *feed = memchr(text, '\n', (size_t)(end - text));

		text = feed ? feed + 1 : end;
		*(feed ? feed : end) = '\0';
		r->line++;
		rc = r->how->format == FORMAT_NETSET ? read_netset(r, line) :
		     r->how->format == FORMAT_CSV    ? read_csv(r, line) :
						       read_json(r, line);
	}
	return rc;
}

/* ---- STIX 2.1 --------------------------------------------------------------------------- */

static bool skip_word(const char **at, const char *word)
{
	*at += strspn(*at, " \t");
	if (strncmp(*at, word, strlen(word)) != 0)
		return false;
	*at += strlen(word);
	return true;
}

/* `ipv4-addr:value = '198.51.100.7'`, of which the address is left in *at up to its quote. */
static bool skip_comparison(const char **at, const char **address, size_t *len)
{
	if (!skip_word(at, "ipv4-addr:value") && !skip_word(at, "ipv6-addr:value"))
		return false;
	if ((!skip_word(at, "=") && !skip_word(at, "ISSUBSET")) || !skip_word(at, "'"))
		return false;
	*address = *at;
	*len = strcspn(*at, "'");
	*at += *len;
	return skip_word(at, "'");
}

/* Is the pattern a choice of addresses, and nothing else? Then they are taken. */
static int read_pattern(struct reading *r, const char *pattern)
{
	const char *at = pattern, *address;
	size_t len;

	if (!skip_word(&at, "["))
		return 0;
	do
		if (!skip_comparison(&at, &address, &len))
			return 0;
	while (skip_word(&at, "OR"));
	if (!skip_word(&at, "]") || at[strspn(at, " \t")])
		return 0;
	at = pattern;
	skip_word(&at, "[");
	int rc = 0;
	do {
		skip_comparison(&at, &address, &len);
		rc = take_entry(r, arena_strndup(r->arena, address, len));
	} while (!rc && skip_word(&at, "OR"));
	return rc;
}

#define STIX_SECOND "0000-00-00T00:00:00" /* as every time of STIX begins; what follows is a fraction, and a Z (2.1, 3.2) */

static bool is_stix_time(const char *text)
{
	static const char form[] = STIX_SECOND;

	for (size_t i = 0; form[i]; i++)
		if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	text += sizeof form - 1;
	text += *text == '.' ? 1 + strspn(text + 1, "0123456789") : 0;
	return !strcmp(text, "Z");
}

/* Is the indicator one no more? The year has four digits, so times of this form follow each other as their texts do. */
static int stix_is_over(bool *out, struct reading *r, const cJSON *indicator)
{
	const cJSON *until = cJSON_GetObjectItemCaseSensitive(indicator, "valid_until");
	const time_t now = (time_t)r->how->now;
	char second[sizeof STIX_SECOND];
	struct tm at;

	*out = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(indicator, "revoked"));
	if (*out || !until)
		return 0;
	if (!cJSON_IsString(until) || !is_stix_time(until->valuestring))
		return wrong(r, "valid_until", "is no time, such as 2026-01-31T12:00:00Z");
	strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &at));
	*out = strncmp(until->valuestring, second, sizeof second - 1) <= 0;
	return 0;
}

static int read_indicator(struct reading *r, const cJSON *object)
{
	const cJSON *type = cJSON_GetObjectItemCaseSensitive(object, "type");
	const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(object, "pattern");
	bool is_over;

	if (!cJSON_IsString(type) || strcmp(type->valuestring, "indicator") || !cJSON_IsString(pattern))
		return 0;
	int rc = stix_is_over(&is_over, r, object);
	if (rc)
		return rc;
	r->has_ended |= is_over;
	return is_over ? 0 : read_pattern(r, pattern->valuestring);
}

static int read_stix(struct reading *r, const char *text, size_t len)
{
	if (len > FEED_STIX_BYTES_MAX)
		return err_set(r->why, E2BIG, "STIX may have at most %zu bytes", FEED_STIX_BYTES_MAX);
	own(json) cJSON *bundle = cJSON_ParseWithLength(text, len);
	const cJSON *objects = cJSON_GetObjectItemCaseSensitive(bundle, "objects"), *one;
	int rc = 0;

	if (!cJSON_IsArray(objects))
		return err_set(r->why, EINVAL, "it is no STIX bundle: a JSON object with `objects`");
	cJSON_ArrayForEach(one, objects) {
		r->line++;
		if (!rc)
			rc = read_indicator(r, one);
	}
	return rc;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static bool has_all_of_a_family(const struct netset *set)
{
	for (enum family f = 0; f < FAMILY_COUNT; f++) {
		const struct addr_range all = prefix_range((struct prefix){ { f, 0 }, 0 });

		if (set->len[f] && set->at[f][0].lo == all.lo && set->at[f][0].hi == all.hi)
			return true;
	}
	return false;
}

int feed_text_read(struct buf *packed, uint32_t *entries, const struct feed_text *how, char *text, size_t len, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct reading r = { .how = how, .arena = a, .why = why };

	const size_t mark = utf8_mark(text, len);

	text += mark;
	len -= mark;
	if (memchr(text, '\0', len))
		return err_set(why, EINVAL, "a byte of it is zero: it is no text");
	int rc = how->format == FORMAT_STIX ? read_stix(&r, text, len) : read_lines(&r, text, len);
	if (rc)
		return rc;
	if (!r.entries && !r.has_ended)
		return err_set(why, ENODATA, "no address or prefix is in it, as after a download that failed");
	struct addr_range *at[FAMILY_COUNT];
	size_t lens[FAMILY_COUNT];
	for (unsigned f = 0; f < FAMILY_COUNT; f++) {
		at[f] = r.ranges[f].at;
		lens[f] = r.ranges[f].len;
	}
	const struct netset set = netset_of_ranges(a, at, lens);
	if (has_all_of_a_family(&set))
		return err_set(why, EINVAL, "its entries together are everything: that is no feed");
	feed_pack(packed, a, &set);
	*entries = r.entries;
	return 0;
}
