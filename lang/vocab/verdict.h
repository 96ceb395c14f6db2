/*
 * The closed sets that a policy speaks of. Every switch over one of these
 * names all its cases and has no default, so the compiler lists the places to
 * visit when one grows.
 */
#ifndef TEG_VOCAB_VERDICT_H
#define TEG_VOCAB_VERDICT_H

/* What happens to a packet. Reject drops and tells the sender. */
enum verdict { VERDICT_ALLOW, VERDICT_DROP, VERDICT_REJECT, VERDICT_COUNT };

/* Which way a packet goes, seen from this host. */
enum direction { DIRECTION_IN, DIRECTION_FORWARD, DIRECTION_OUT, DIRECTION_COUNT };

/* The layers in the order in which they judge; see docs/language.md. */
enum layer { LAYER_LIFELINE, LAYER_BLOCK, LAYER_REFLEX, LAYER_POSTURE, LAYER_COUNT };

/* What a posture does to flows that exist when it becomes active. */
enum established { ESTABLISHED_KEEP, ESTABLISHED_RECHECK, ESTABLISHED_CUT, ESTABLISHED_COUNT };

/* A packet's connection tracking state, as nf_conntrack(9) has it. */
enum ct_state { CT_NEW, CT_ESTABLISHED, CT_RELATED, CT_INVALID, CT_UNTRACKED, CT_COUNT };

/* How much an event matters. */
enum event_severity { EVENT_LOW, EVENT_MEDIUM, EVENT_HIGH, EVENT_CRITICAL, EVENT_SEVERITY_COUNT };

/* As .teg spells them; borrowed. */
const char *verdict_name(enum verdict v);
const char *direction_name(enum direction d);
const char *layer_name(enum layer l);
const char *established_name(enum established e);
const char *ct_state_name(enum ct_state s);
const char *event_severity_name(enum event_severity s);

#endif
