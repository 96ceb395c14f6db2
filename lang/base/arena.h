/*
 * arena - memory that is dropped together.
 *
 *     own(arena) struct arena *a = arena_new();
 *     struct rule *r = arena_zero(a, sizeof *r);
 *     r->label = arena_printf(a, "%s.%s", posture, label);
 *
 * One compilation, or one generation, lives in one arena; no part of it is
 * freed alone. Running out of memory ends the process, or the work that was to
 * survive it: memory.h.
 */
#ifndef TEG_BASE_ARENA_H
#define TEG_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "lang/base/own.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a);
OWN_FREE(arena, struct arena *)

/* Aligned for any type; zeroed. */
void *arena_zero(struct arena *a, size_t bytes);
void *arena_copy(struct arena *a, const void *from, size_t bytes);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *format, va_list args);

/*
 * A growing array of T in an arena:
 *
 *     VEC(struct rule) rules = { 0 };
 *     vec_push(a, &rules, rule);
 *     for (size_t i = 0; i < rules.len; i++)
 *             use(&rules.at[i]);
 *
 * A push may move it: what points into it, or is a copy of it, ends there. Once it is made, it stays. Behind its
 * length is room, of which nothing is known.
 */
#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *at;                                                                          \
		size_t len, room;                                                                  \
	}

#define vec_push(arena, vec, value)                                                                \
	do {                                                                                       \
		if ((vec)->len == (vec)->room)                                                     \
			(vec)->at = vec_grow_((arena), (vec)->at, &(vec)->room, sizeof *(vec)->at);  \
		(vec)->at[(vec)->len++] = (value);                                                 \
	} while (0)

void *vec_grow_(struct arena *a, void *at, size_t *room, size_t each);

#endif
