/*
 * craft - policies made by hand, for tests that begin behind the front end.
 *
 *     struct pol_selector web = craft_select(a, PROTO_TCP);
 *     web.protos[0].dport = ranges_of(a, 80, 80);
 *     web.from = craft_end(a, "10.0.0.0/8 2001:db8::/32");
 *     struct pol_posture p = craft_posture("OPEN", VERDICT_DROP);
 *     craft_rule(a, &p, "web", DIRECTION_IN, VERDICT_ALLOW, web);
 */
#ifndef TEG_TEST_CRAFT_H
#define TEG_TEST_CRAFT_H

#include "compiler/front/policy.h"
#include "compiler/ir/packet.h"

/* Prefixes with spaces between them; the test ends when one is not. */
struct netset craft_set(struct arena *a, const char *prefixes);
struct addr craft_addr(const char *text);

/* "any", "self" or prefixes. */
struct pol_end craft_end(struct arena *a, const char *text);

/* One protocol, from any to any, nothing else asked. */
struct pol_selector craft_select(struct arena *a, uint16_t proto);

/* One default for the three directions, `established keep`. */
struct pol_posture craft_posture(const char *name, enum verdict defaults);
void craft_rule(struct arena *a, struct pol_posture *p, const char *label, enum direction d,
		enum verdict v, struct pol_selector match);
void craft_lifeline(struct policy *p, const char *label, struct pol_selector match);
void craft_block(struct policy *p, const char *label, const char *prefixes, uint64_t zones);
struct pol_reflex *craft_reflex(struct policy *p, const char *label, struct pol_selector match);
void craft_add_posture(struct policy *p, struct pol_posture posture);

/* A policy of this name with zones "wan" (eth0) and "lan" (eth1, br-*) and nothing else. */
struct policy *craft_policy(struct arena *a, const char *name);

/* A whole new packet `in` from zone 0, hop limit 64. */
struct packet craft_packet(uint8_t proto, const char *src, unsigned sport, const char *dst,
			   unsigned dport);

#endif
