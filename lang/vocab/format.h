/*
 * format - how a feed's text is read: the rows of format.def.
 */
#ifndef TEG_VOCAB_FORMAT_H
#define TEG_VOCAB_FORMAT_H

enum feed_format {
#define FORMAT(id, ...) FORMAT_##id,
#include "lang/vocab/format.def"
#undef FORMAT
	FORMAT_COUNT
};

/* The word for it in a policy. */
const char *feed_format_name(enum feed_format f);

#endif
