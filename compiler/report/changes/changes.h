/*
 * changes - a semantic diff for a person: worst first, one change a paragraph,
 * the line that counts them last.
 *
 *     OPENED high   BALANCED in   tcp from any except office to self port 22   drop -> allow
 *        because    + edge.teg:41 ssh_any   was: default (edge.teg:88)
 *        example    tcp 198.51.100.7:50000 -> self:22 syn on wan
 *        edge       port 23 stays drop
 *        flags      admin-port, from-untrusted
 */
#ifndef TEG_REPORT_CHANGES_CHANGES_H
#define TEG_REPORT_CHANGES_CHANGES_H

#include "compiler/front/front.h"
#include "compiler/prove/diff/diff.h"
#include "lang/base/buf.h"

/* Text for a terminal or a mail; md for a pull request. */
enum changes_form { CHANGES_TEXT, CHANGES_MARKDOWN };

#define CHANGES_LINES 60 /* of text, unless all are wanted */

void report_changes(struct buf *out, const struct diff *d, struct compilation *old,
		    struct compilation *new, enum changes_form form, bool all);

/* The same for programs, keys sorted: the value of "diff" in the envelope of docs/schemas. */
struct cJSON;
struct cJSON *report_changes_json(const struct diff *d, struct compilation *old,
				  struct compilation *new);

#endif
