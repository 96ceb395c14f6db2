/*
 * tickets - what was planned may be applied, once: that bundle, on that base, soon.
 *
 *     ticket_issue(t, &digest, "3-5e88…", now, token)        POST plan
 *     ticket_use(t, token, &digest, now, base)               POST policy, with Plan: token
 *
 * A ticket is used up by showing it with its bundle, whatever becomes of the change; whether the base is still in force
 * says the warden. The last TICKETS_KEPT hold, each for TICKET_SECONDS.
 */
#ifndef TEG_API_TICKETS_H
#define TEG_API_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "enforcer/proc/message.h"
#include "lang/base/digest.h"
#include "lang/base/own.h"

#define TICKETS_KEPT   16
#define TICKET_SECONDS 900
#define TICKET_TEXT    33 /* 32 hexadecimal digits */

struct tickets;

struct tickets *tickets_new(void);
void tickets_free(struct tickets *t);
OWN_FREE(tickets, struct tickets *)

void ticket_issue(struct tickets *t, const struct digest *bundle, const char *base, uint64_t now_ns,
		  char token[static TICKET_TEXT]);

/* False: it was never issued, was used, is over, or is of another bundle (then it is not used up). */
bool ticket_use(struct tickets *t, const char *token, const struct digest *bundle, uint64_t now_ns,
		char base[static BASE_TAG_ROOM]);

#endif
