/*
 * message_parts - what the payloads of messages share.
 *
 *     message.c           datagrams, and the descriptors that come with them
 *     message_status.c    what the warden sees: its status, counters
 *     message_ask.c       what it is asked to change, and what came of it
 *     message_feed.c      feeds: what is on them, and is to be
 *     message_past.c      history, kept bundles, the audit log's head
 *     message_told.c      events, and packets that were told
 */
#ifndef TEG_PROC_MESSAGE_PARTS_H
#define TEG_PROC_MESSAGE_PARTS_H

#include "enforcer/proc/message.h"

/* 0 when all of it was read and it holds; else -EPROTO, and a sentence about `what`. */
int message_decoded(const struct wire_in *in, bool holds, const char *what, struct err *why);

void message_put_asker(struct buf *out, const struct asker *by);
struct asker message_get_asker(struct wire_in *in, struct arena *a);

#endif
