/*
 * text - places in a text as LSP counts them: lines and UTF-16 units, both from 0.
 *
 * A place behind the end of its line is the line's end, one behind the last line the
 * end of the text (LSP 3.17, Position). A line ends with \n, \r\n or \r.
 */
#ifndef TEG_LSP_TEXT_H
#define TEG_LSP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

struct position {
	size_t line, unit;
};

size_t text_offset(const char *text, size_t len, struct position at);
struct position text_position(const char *text, size_t len, size_t offset);

/* From {"line": 3, "character": 7}; false when it is none. */
bool position_read(const cJSON *json, struct position *out);
/* The range of two offsets. */
cJSON *range_json(const char *text, size_t len, size_t from, size_t to);

#endif
