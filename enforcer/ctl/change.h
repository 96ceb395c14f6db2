/*
 * change - what changes of the policy have in common.
 */
#ifndef TEG_CTL_CHANGE_H
#define TEG_CTL_CHANGE_H

#include "enforcer/ctl/call.h"

/* "If-Match: …" of the generation that is to be replaced: what --if-match says, else what is in force now. */
enum exit_code change_base(const struct ctl *c, struct buf *out);

/* --confirm in seconds; 0 when it is not there. */
enum exit_code change_confirm(const struct ctl *c, unsigned long *seconds);

/* What is active now, and whether it stays. */
enum exit_code change_say(const struct ctl *c, const struct call *call);

/* What a PLAN or a DIFF of the API says differs, line by line. */
void change_add_difference(struct buf *out, const cJSON *d);

#endif
