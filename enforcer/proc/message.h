/*
 * message - what roles say to each other: typed rows over a SOCK_SEQPACKET pair.
 *
 * A message is one datagram or several, each { kind u16, more u16, id u32 }
 * and at most MESSAGE_CHUNK bytes of payload; all but the last say more. An
 * answer repeats the id of its question. Payloads are wire-encoded
 * (lang/base/wire.h), one encode and one decode per struct. A message that
 * decodes with bytes left over, with an unknown kind, or that its sender may
 * not send, is refused and the peer is treated as broken.
 *
 *     api                                     warden
 *      ├── ASK_STATUS ────────────────────────► reads the kernel
 *      ◄────────────────────────────── STATUS ──┤
 *      ├── APPLY + descriptor of a bundle ────► stage, commit
 *      ◄────────────────────────────── RESULT ──┤
 */
#ifndef TEG_PROC_MESSAGE_H
#define TEG_PROC_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bpf-templates/abi.h"
#include "bpf-templates/cause.h"
#include "lang/base/addr.h"
#include "lang/base/arena.h"
#include "lang/base/buf.h"
#include "lang/base/err.h"
#include "lang/base/wire.h"
#include "lang/vocab/format.h"
#include "lang/vocab/verdict.h"

enum role { ROLE_WARDEN, ROLE_API, ROLE_COUNT };

enum message_kind {
#define MESSAGE(id, ...) MESSAGE_##id,
#include "enforcer/proc/message.def"
#undef MESSAGE
	MESSAGE_COUNT
};

#define MESSAGE_BYTES_MAX ((size_t)4 << 20)
#define MESSAGE_CHUNK	  ((size_t)64 << 10)

const char *role_name(enum role r);
const char *message_name(enum message_kind k);

struct message {
	enum message_kind kind;
	uint32_t id;
	const void *payload; /* borrowed */
	size_t len;
	int fd; /* -1 when none; the receiver owns it */
};

/* A connected pair; both ends are closed on exec. */
int message_pair(int ends[static 2], struct err *why);

/*
 * Blocking, whole messages. -EPIPE when the peer is gone, -EPROTO when it is broken,
 * -ETIMEDOUT when the socket has a limit (SO_SNDTIMEO, SO_RCVTIMEO) and the peer stalls.
 * The payload received is in the arena.
 */
int message_send(int sock, const struct message *m, struct err *why);
int message_receive(int sock, enum role me, struct arena *a, struct message *out, struct err *why);

/*
 * For who may not wait. What the peer does not take now, or has not said yet, is left for later: 1 when the message is whole,
 * 0 when it is not. *at begins as 0 and the half as zeroes; a message that is begun goes before any other.
 */
struct message_half {
	bool begun;
	enum message_kind kind;
	uint32_t id;
	struct buf bytes;
	int fd; /* owned, once begun */
};

int message_send_some(int sock, const struct message *m, size_t *at, struct err *why);
int message_receive_some(int sock, enum role me, struct message_half *half, struct arena *a, struct message *out, struct err *why);
void message_half_release(struct message_half *half);

static inline void message_half_own_(struct message_half *half)
{
	message_half_release(half);
}

/* One interface of a zone, and what judges layers 1 to 3 on it. */
struct status_interface {
	const char *name, *zone, *engine; /* "xdp-native", "xdp-generic", "nft" */
	const char *reason;		  /* why this engine */
	uint32_t ifindex;
	uint64_t program_tag; /* of the anchor's target, 0 when nft */
};

struct status_posture {
	const char *name, *title;
	uint8_t closed;
	uint64_t within; /* a bit per posture that it is known to be no wider than, its own among them */
};

/* A part of what judges: what the kernel has of it, and what the journal says. */
struct status_part {
	const char *name; /* "nft", "hooks", "program", "posture", "links" */
	const char *is, *should; /* a digest, a number, a name: equal when the part stands */
	const char *fault; /* how it differs; "" when it does not */
};

/* A generation that goes again unless it is confirmed in time. */
struct status_pending {
	uint64_t until;	 /* seconds, CLOCK_REALTIME; 0: none waits */
	uint64_t before; /* the generation whose bundle comes back then */
};

/* What the drift check found since the start. */
struct status_drift {
	uint64_t checked;  /* seconds, CLOCK_REALTIME: when it last looked; 0: not yet */
	uint64_t found;	   /* how many times something had drifted */
	uint64_t repaired; /* how many of these it put right */
	uint64_t last;	   /* seconds: when it last found something; 0: never */
	const char *fault; /* what that was; "" when never */
};

/* What became of the events of packets. */
struct status_events {
	const char *source; /* of arrivals: "xdp, nft"; of what nft tells, whether it is heard */
	uint64_t told;	    /* by programs since their maps were made, by nft since the start */
	uint64_t full;	    /* lost: the ring had no room */
	uint64_t rate;	    /* lost: more than the rate at which they are told */
	uint64_t slow;	    /* lost since the start: the api did not take them in time */
};

/* Connection tracking, in which layer 4's packets must find a place before it sees them. */
struct status_flows {
	uint8_t known;	     /* it could be read */
	uint32_t count, most; /* flows, and how many there may be; most 0: any number */
	uint64_t dropped;    /* packets for whose flow there was no place, since the namespace was made */
	uint64_t evicted;    /* flows that ended before their time to make one */
	uint64_t full_since; /* seconds, CLOCK_REALTIME; 0: there is room */
};

struct status {
	uint64_t generation;  /* 0: no policy yet */
	const char *bundle;   /* id, 64 hex digits, "" when none */
	const char *policy, *version;
	uint8_t proved;	      /* its bundle says that tegc proved it */
	uint32_t tests_run, tests_left; /* cases of the policy's tests: tried in this kernel before it was in force, and not */
	const char *posture;  /* active; "" when none */
	const char *posture_reason;
	uint64_t posture_since; /* seconds, CLOCK_REALTIME */
	uint64_t posture_until;	  /* the same; 0: it has no end */
	const char *posture_next; /* the posture that comes then; "" when it has no end */
	uint64_t started;	/* of the warden */
	uint64_t switch_ns;	/* how long both sides judged in the last switch; 0: there was none since the start */
	const char *adopted;	/* "adopted", "restored", "fresh", "unknown": how this start found the kernel */
	const char *engine;	/* of layers 1 to 3, as status_interface, "mixed", "none" or "unknown" */
	const char *nft_digest; /* of our tables as they are live, 64 hex digits */
	uint8_t intact;		/* the live parts are those of the generation */
	uint64_t unknown_since; /* seconds, CLOCK_REALTIME: whether they are could not be read since then; 0: it is known */
	const char *fault;	/* when not intact: which part, and how */
	struct status_posture *postures;
	uint32_t posture_count;
	struct status_interface *interfaces;
	uint32_t interface_count;
	struct status_part *parts;
	uint32_t part_count;
	struct status_pending pending;
	struct status_drift drift;
	const char *own_blocked; /* which address of this host lies in a blocked network, and the way out; "" when none does */
	uint32_t own_blocked_count; /* of such addresses */
	const char *refuses; /* why changes that must be remembered are refused; "" when they are not */
	struct status_flows flows;
	struct status_events events;
	const char *cookies; /* who answers SYNs, or why nobody does; "" when no reflex does cookies */
};

/* A policy of ours is in the kernel, and no journal says which. */
static inline bool status_is_unknown(const struct status *s)
{
	return !s->generation && !strcmp(s->adopted, "unknown");
}

struct counter_row {
	const char *id;
	enum layer layer;
	enum verdict verdict;
	const char *posture; /* "" when of no posture */
	uint64_t packets, bytes;
};

/* A reflex that only tells: its packets are decided, and counted, by what stands behind it. */
static inline bool counter_only_tells(const struct counter_row *r)
{
	return r->layer == LAYER_REFLEX && r->verdict == VERDICT_ALLOW;
}

/* What became of its packets, as people are told: "allow", …, and "goes-on" of what only tells. */
const char *counter_verdict(const struct counter_row *r);

struct counters {
	uint64_t at_ns; /* CLOCK_MONOTONIC; 0 when they could not be read: all else but cost_ns is zero */
	uint64_t cost_ns; /* processor time that reading them took */
	struct counter_row *rows;
	uint32_t row_count;
	uint64_t causes[CAUSE_COUNT]; /* packets that no rule judged */
	uint64_t passed[CAUSE_COUNT]; /* and those that the posture let go on all the same */
	uint64_t blocked_sources;     /* runtime blocks now in force */
	uint64_t crowded;	      /* packets that shared a bucket, since their source found no place, since the maps were made */
};

/* Who asks for a change, as the api knows them, and which generation they mean: stands in each message that asks for one. */
#define ASKER_TEXT_MAX 256 /* bytes of each */
struct asker {
	const char *base; /* the tag that must be in force, as base_tag() says it; "": any */
	const char *who;  /* "token grafana (viewer)", "root (policy-admin)" */
	const char *from; /* "unix", "198.51.100.7:40000" */
};

/* The tag of a generation: its number and the beginning of its bundle's id, "3-5e884898da280471"; "0" when none is in force. */
#define BASE_TAG_ROOM 40
void base_tag(char out[static BASE_TAG_ROOM], uint64_t generation, const char *bundle);

#define REASON_MAX 1024 /* bytes */
#define POSTURE_SECONDS_MAX (365u * 24 * 3600)
struct set_posture {
	const char *name, *reason;
	uint32_t seconds; /* after which it goes back; 0: it has no end */
	struct asker by;
};

/*
 * A change may ask to be confirmed: CONFIRM must come within that time, over a connection that was opened after
 * the switch, else what was before comes back by itself. Meanwhile no other change is made, but for a switch to a
 * posture that is known to be no wider.
 */
#define CONFIRM_SECONDS_MAX (24u * 3600)

struct apply {
	uint8_t downgrade; /* the bundle may be older than the one in force */
	uint32_t confirm;  /* seconds; 0: it need not be confirmed */
	struct asker by;
};

struct rollback {
	uint64_t to;	  /* its number; 0: the last one before that had another bundle than the one in force */
	uint32_t confirm; /* as in struct apply */
	struct asker by;
};

/* CONFIRM and CANCEL. */
struct settle {
	uint64_t opened_ns; /* CLOCK_BOOTTIME: when the connection was opened over which it was asked */
	struct asker by;
};

enum result_code {
	RESULT_OK,
	RESULT_REFUSED,	 /* the bundle or the request is wrong; nothing changed */
	RESULT_CANNOT,	 /* this host cannot; nothing changed */
	RESULT_CONFLICT, /* another change is under way, or nothing is loaded yet */
	RESULT_STALE,	 /* another generation is in force than the asker means; nothing changed */
	RESULT_FAILED,	 /* begun, failed, and what was before is restored */
	RESULT_COUNT
};

/* "refused": as the api and the audit log say it. */
const char *result_name(enum result_code c);

struct result {
	enum result_code code;
	const char *part;   /* "seal", "plan", "xdp", "nft", "posture", … */
	const char *text;   /* a sentence, with what to do */
	uint64_t generation; /* now active */
	const char *posture; /* now active */
	uint64_t pending_until; /* seconds, CLOCK_REALTIME: it must be confirmed until then; 0: it need not */
	uint32_t tests_run, tests_left; /* of the generation that was rolled out, as in struct status; 0 when none was */
	struct prefix *not_blocked;	/* of a block that was taken back: the sources that had none */
	uint32_t not_blocked_count;
	struct prefix *still_blocked;	/* and pairs: a source, and the network by which it is blocked all the same */
	uint32_t still_blocked_count;	/* of prefixes: twice the pairs */
	struct prefix *no_place;	/* of a block that was refused: all sources for which there was no place */
	uint32_t no_place_count;
};

/* One generation that was in force, or is. */
struct history_row {
	uint64_t number;
	const char *bundle; /* its id */
	const char *policy, *version;
	uint64_t serial; /* of its signature; 0: none */
	uint64_t at;	 /* seconds, CLOCK_REALTIME: when it took over */
	const char *how; /* "apply", "rollback", "revert" */
	uint64_t of;	 /* rollback, revert: the generation that it restores; else 0 */
	const char *who, *from; /* as in struct asker; "tegd" and "" for what it does by itself */
	const char *result;	/* "done", "pending", "confirmed", "cancelled", "not-confirmed" */
};

struct history {
	struct history_row *rows; /* the newest first */
	uint32_t row_count;
	uint64_t now; /* the one in force; 0: none */
};

struct ask_bundle {
	uint64_t number; /* of a generation in the history */
};

struct kept_bundle {
	const char *id; /* "" when it is not kept: the descriptor is then of /dev/null */
};

/* Sources, as blocks know them: an IPv4 address, the /64 of an IPv6 one, or a shorter prefix. */
#define BLOCK_SOURCES_MAX 2048
#define BLOCKS_LISTED_MAX 10000
struct block {
	uint32_t seconds; /* from now on; 0: the block is taken back */
	const char *reason;
	struct prefix *sources;
	uint32_t source_count;
	struct asker by;
};

struct blocked_row {
	struct prefix source;
	uint64_t until; /* seconds, CLOCK_REALTIME */
	const char *by; /* the stable id of the reflex, "person", or "" where that is not known */
};

struct blocks {
	struct blocked_row *rows; /* some BLOCKS_LISTED_MAX of them */
	uint32_t row_count;
	uint64_t total;
	bool known; /* else nobody can say who is blocked: no policy is known, or the kernel did not tell */
};

/* A feed of the policy in force: how its text is read, and what is on it. */
struct feed_row {
	const char *name;
	enum feed_format format;
	const char *member;	  /* of json-lines, else "" */
	uint32_t column;	  /* of csv, else 0 */
	uint32_t most;
	uint32_t stale_s;
	uint8_t stale_keeps;
	uint64_t loaded;	  /* seconds, CLOCK_REALTIME; 0: never */
	uint32_t entries;	  /* of its text */
	uint32_t prefixes;	  /* that these are, together */
	const char *digest;	  /* of them, "" when it was never loaded */
	uint8_t stale;
	uint8_t in_force;	  /* who is on it is dropped */
};

struct feeds_told {
	struct feed_row *rows; /* in the policy's order */
	uint32_t row_count;
};

/* With a sealed file of what lang/bundle/feed_pack.h describes. */
struct feed_given {
	const char *name;
	uint32_t entries;
	uint8_t clears; /* somebody asked for nothing to be on it */
	struct asker by;
};

/* How long the audit log is, which comes as a descriptor. */
struct ask_audit {
	uint64_t before; /* 0: what is written now; else the file before it that has the last of the entries before this one */
};

struct audit_head {
	uint64_t seq; /* of the log's last entry */
	uint64_t len; /* bytes of the file, whole lines; 0 when there is none: the descriptor is then of /dev/null */
};

/* What an entry of the audit log says, but for who and from where: that is not every viewer's. */
struct event {
	uint64_t seq, time; /* the entry's; seconds, CLOCK_REALTIME */
	const char *what, *summary, *result, *posture;
	uint64_t generation;
};

/* A packet that the first hook told of: the kernel's record, and names for what it has numbers of. */
#define PACKETS_MAX 64 /* of a message */
struct packet_row {
	uint64_t at_ns;	    /* CLOCK_REALTIME */
	uint64_t generation;
	const char *by;	    /* the stable id of what decided; "malformed.short-ip" of what could not be read */
	const char *placed; /* of "blocked": the id of what placed the block */
	const char *posture, *interface; /* each of these "" when it is not known any more */
	struct teg_event is;
};

struct packets {
	struct packet_row *rows;
	uint32_t row_count;
};

void status_encode(struct buf *out, const struct status *s);
int status_decode(struct status *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void counters_encode(struct buf *out, const struct counters *c);
int counters_decode(struct counters *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void set_posture_encode(struct buf *out, const struct set_posture *s);
int set_posture_decode(struct set_posture *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void apply_encode(struct buf *out, const struct apply *a);
int apply_decode(struct apply *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void block_encode(struct buf *out, const struct block *b);
int block_decode(struct block *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void blocks_encode(struct buf *out, const struct blocks *b);
int blocks_decode(struct blocks *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void feeds_told_encode(struct buf *out, const struct feeds_told *f);
int feeds_told_decode(struct feeds_told *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void feed_given_encode(struct buf *out, const struct feed_given *f);
int feed_given_decode(struct feed_given *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void rollback_encode(struct buf *out, const struct rollback *r);
int rollback_decode(struct rollback *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void settle_encode(struct buf *out, const struct settle *s);
int settle_decode(struct settle *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void history_encode(struct buf *out, const struct history *h);
int history_decode(struct history *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void ask_bundle_encode(struct buf *out, const struct ask_bundle *q);
int ask_bundle_decode(struct ask_bundle *out, const void *bytes, size_t len, struct err *why);
void kept_bundle_encode(struct buf *out, const struct kept_bundle *k);
int kept_bundle_decode(struct kept_bundle *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void ask_audit_encode(struct buf *out, const struct ask_audit *q);
int ask_audit_decode(struct ask_audit *out, const void *bytes, size_t len, struct err *why);
void audit_head_encode(struct buf *out, const struct audit_head *h);
int audit_head_decode(struct audit_head *out, const void *bytes, size_t len, struct err *why);
void event_encode(struct buf *out, const struct event *e);
int event_decode(struct event *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void packets_encode(struct buf *out, const struct packets *p);
int packets_decode(struct packets *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void result_encode(struct buf *out, const struct result *r);
int result_decode(struct result *out, struct arena *a, const void *bytes, size_t len, struct err *why);

#endif
