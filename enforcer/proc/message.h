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

#include <stdint.h>

#include "bpf-templates/cause.h"
#include "lang/base/addr.h"
#include "lang/base/arena.h"
#include "lang/base/buf.h"
#include "lang/base/err.h"
#include "lang/base/wire.h"
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

/* One interface of a zone, and what judges layers 1 to 3 on it. */
struct status_interface {
	const char *name, *zone, *engine; /* "xdp-native", "xdp-generic", "nft" */
	const char *reason;		  /* why this engine */
	uint32_t ifindex;
	uint64_t program_tag; /* of the anchor's target, 0 when nft */
};

struct status_posture {
	const char *name, *title;
};

struct status {
	uint64_t generation;  /* 0: no policy yet */
	const char *bundle;   /* id, 64 hex digits, "" when none */
	const char *policy, *version;
	const char *posture;  /* active; "" when none */
	const char *posture_reason;
	uint64_t posture_since; /* seconds, CLOCK_REALTIME */
	uint64_t posture_until;	  /* the same; 0: it has no end */
	const char *posture_next; /* the posture that comes then; "" when it has no end */
	uint64_t started;	/* of the warden */
	const char *adopted;	/* "adopted", "restored", "fresh": how this start found the kernel */
	const char *engine;	/* of layers 1 to 3, as status_interface, "mixed" or "none" */
	const char *nft_digest; /* of our tables as they are live, 64 hex digits */
	uint8_t intact;		/* the live parts are those of the generation */
	const char *fault;	/* when not intact: which part, and how */
	struct status_posture *postures;
	uint32_t posture_count;
	struct status_interface *interfaces;
	uint32_t interface_count;
};

struct counter_row {
	const char *id;
	enum layer layer;
	enum verdict verdict;
	const char *posture; /* "" when of no posture */
	uint64_t packets, bytes;
};

struct counters {
	uint64_t at_ns; /* CLOCK_MONOTONIC; 0 when they could not be read: all else is zero */
	struct counter_row *rows;
	uint32_t row_count;
	uint64_t causes[CAUSE_COUNT]; /* packets */
	uint64_t blocked_sources;     /* runtime blocks now in force */
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

struct apply {
	uint8_t downgrade; /* the bundle may be older than the one in force */
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

struct result {
	enum result_code code;
	const char *part;   /* "seal", "plan", "xdp", "nft", "posture", … */
	const char *text;   /* a sentence, with what to do */
	uint64_t generation; /* now active */
	const char *posture; /* now active */
};

/* Sources, as blocks know them: an IPv4 address, or the /64 of an IPv6 one. */
#define BLOCK_SOURCES_MAX 2048
#define BLOCKS_LISTED_MAX 10000
struct block {
	uint32_t seconds; /* from now on; 0: the block is taken back */
	const char *reason;
	struct addr *sources;
	uint32_t source_count;
	struct asker by;
};

struct blocked_row {
	struct addr source;
	uint64_t until; /* seconds, CLOCK_REALTIME */
	const char *by; /* the stable id of the reflex, "person", or "" where that is not known */
};

struct blocks {
	struct blocked_row *rows; /* some BLOCKS_LISTED_MAX of them */
	uint32_t row_count;
	uint64_t total;
};

/* How long the audit log is, which comes as a descriptor. */
struct audit_head {
	uint64_t seq; /* of its last entry */
	uint64_t len; /* bytes, whole lines */
};

/* What an entry of the audit log says, but for who and from where: that is not every viewer's. */
struct event {
	uint64_t seq, time; /* the entry's; seconds, CLOCK_REALTIME */
	const char *what, *summary, *result, *posture;
	uint64_t generation;
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
void audit_head_encode(struct buf *out, const struct audit_head *h);
int audit_head_decode(struct audit_head *out, const void *bytes, size_t len, struct err *why);
void event_encode(struct buf *out, const struct event *e);
int event_decode(struct event *out, struct arena *a, const void *bytes, size_t len, struct err *why);
void result_encode(struct buf *out, const struct result *r);
int result_decode(struct result *out, struct arena *a, const void *bytes, size_t len, struct err *why);

#endif
