/*
 * packets - the kernel's records of packets as words: here a packet's bytes are looked at first,
 * in the process that may do nothing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "enforcer/api/events.h"
#include "enforcer/api/json.h"
#include "enforcer/api/packet_head.h"
#include "lang/vocab/tcp_flag.h"
#include "lang/vocab/verdict.h"

enum { IP_TCP = 6, IP_UDP = 17, IP_SCTP = 132, IP_ICMP = 1, IP_ICMPV6 = 58 };

static void add_protocol(cJSON *to, uint8_t number)
{
	static const char *const names[256] = {
#define PROTO(name, number, about) [number] = name,
#include "lang/vocab/proto.def"
#undef PROTO
	};
	char text[8];

	snprintf(text, sizeof text, "%u", number);
	json_add_text(to, "protocol", names[number] ? names[number] : text);
}

static void add_flags(cJSON *to, uint8_t flags)
{
	own(buf) struct buf text = { 0 };

	tcp_flags_print(&text, flags);
	json_add_text(to, "flags", buf_text(&text));
}

static void add_address(cJSON *to, const char *name, const struct teg_event *e, const struct teg_addr *a)
{
	const bool is_ip4 = e->family == TEG_IP4;
	char text[ADDR_TEXT];

	json_add_text(to, name, addr_print(addr_from_bytes(is_ip4 ? FAMILY_IP4 : FAMILY_IP6, a->bytes + (is_ip4 ? 12 : 0)), text));
}

/* What IP carries, as far as it is `known`; a later fragment does not say. */
static void add_upper(cJSON *to, const struct teg_event *e, unsigned known)
{
	if (e->fragment == TEG_LATER)
		return;
	if (known & HEAD_PORTS && (e->proto == IP_TCP || e->proto == IP_UDP || e->proto == IP_SCTP)) {
		json_add_count(to, "source_port", e->sport);
		json_add_count(to, "destination_port", e->dport);
	}
	if (known & HEAD_FLAGS && e->proto == IP_TCP)
		add_flags(to, e->flags);
	if (known & HEAD_ICMP && (e->proto == IP_ICMP || e->proto == IP_ICMPV6)) {
		json_add_count(to, "icmp_type", e->icmp >> 8);
		json_add_count(to, "icmp_code", e->icmp & 0xff);
	}
}

/* Of what could not be read, as far as it could. */
static void add_packet(cJSON *to, const struct teg_event *e, unsigned known)
{
	static const char *const fragments[] = { [TEG_FIRST] = "first", [TEG_LATER] = "later" };

	if (!e->family)
		return;
	add_address(to, "source", e, &e->src);
	add_address(to, "destination", e, &e->dst);
	add_protocol(to, e->proto);
	add_upper(to, e, known);
	if (e->fragment == TEG_FIRST || e->fragment == TEG_LATER)
		json_add_text(to, "fragment", fragments[e->fragment]);
}

/* Milliseconds are all that the kernel's coarse clock knows. */
static void add_instant(cJSON *to, uint64_t at_ns)
{
	time_t seconds = (time_t)(at_ns / 1000000000u);
	char day[40], text[64];
	struct tm utc;

	if (!gmtime_r(&seconds, &utc) || !strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc))
		return;
	snprintf(text, sizeof text, "%s.%03uZ", day, (unsigned)(at_ns / 1000000u % 1000u));
	json_add_text(to, "time", text);
}

static void add_head(cJSON *to, const struct teg_event *e)
{
	char text[2 * TEG_EVENT_HEAD + 1] = "";

	for (unsigned i = 0; i < e->head_len && i < TEG_EVENT_HEAD; i++)
		snprintf(text + 2 * (size_t)i, 3, "%02x", e->head[i]);
	json_add_text(to, "head", text);
}

static const char *interface_of(const struct packet_row *r, char text[static 16])
{
	if (*r->interface)
		return r->interface;
	snprintf(text, 16, "%" PRIu32, r->is.ifindex);
	return text;
}

/* A rule of a posture has the last word; the first hook does not. */
static const char *verdict_of(const struct teg_event *e)
{
	if (e->does & TEG_DOES_DROP)
		return "drop";
	if (!(e->does & TEG_DOES_RULE))
		return "goes-on";
	return e->does & TEG_DOES_REJECT ? "reject" : "allow";
}

/* The program leaves what it did not come to at 0: what it could not read is looked for in the head. */
static unsigned read_rest(struct teg_event *e)
{
	if (e->does & TEG_DOES_UNREAD)
		return packet_head_read(e);
	if (e->who & TEG_WHO_CAUSE && !e->sport && !e->dport && !e->icmp)
		return packet_head_read_upper(e);
	return HEAD_ALL;
}

cJSON *packet_json(const struct packet_row *r)
{
	struct teg_event is = r->is;
	cJSON *out = cJSON_CreateObject();
	char number[16];

	add_instant(out, r->at_ns);
	if (r->is.does & TEG_DOES_TELL) {
		json_add_text(out, "event", r->by);
		json_add_text(out, "severity", event_severity_name((enum event_severity)r->is.severity));
	}
	const unsigned known = read_rest(&is);

	json_add_text(out, "verdict", verdict_of(&is));
	json_add_text(out, "by", r->by);
	if (*r->placed)
		json_add_text(out, "blocked_by", r->placed);
	if (r->is.does & TEG_DOES_BLOCK)
		cJSON_AddTrueToObject(out, "blocks_source");
	if (r->is.does & TEG_DOES_ANSWER)
		cJSON_AddTrueToObject(out, "answered");
	add_packet(out, &is, known);
	json_add_text(out, "interface", interface_of(r, number));
	json_add_text(out, "posture", r->posture);
	json_add_count(out, "generation", r->generation);
	if (is.since)
		json_add_count(out, "packets", is.since);
	json_add_count(out, "length", is.frame_len);
	add_head(out, &r->is);
	return out;
}

const char *packet_event_name(const struct packet_row *r)
{
	return r->is.does & TEG_DOES_RULE ? "rule" : r->is.does & TEG_DOES_TELL ? "reflex" : "drop";
}
