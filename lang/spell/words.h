/*
 * words - what the files of this room write into the line at hand, for each other.
 *
 * Each adds the words of one node to the printer's body; what stands behind something else
 * (spell_named, spell_emit of a tail) brings its blank along, as the name's comment says.
 */
#ifndef TEG_SPELL_WORDS_H
#define TEG_SPELL_WORDS_H

#include "lang/spell/printer.h"

/* value.c */
void spell_value(struct printer *p, const struct node *n);

/* rule.c */
void spell_named(struct printer *p, const char *word, const struct node *n); /* " word value" */
void spell_words(struct printer *p, const struct node *words);		      /* "syn+ack" */
void spell_selector(struct printer *p, const struct node *s);
void spell_verdict(struct printer *p, const struct node *rule);
void spell_label(struct printer *p, const struct node *n); /* into the cell */
void spell_pers(struct printer *p, const struct node *first);
void spell_limit(struct printer *p, const struct node *n);
void spell_emit(struct printer *p, const struct node *n);
void spell_tails(struct printer *p, const struct node *rule);
void spell_lifeline(struct printer *p, const struct node *rule);

/* phrase.c */
void spell_call(struct printer *p, const struct node *n);
void spell_arguments(struct printer *p, const struct node *first);
void spell_phrase(struct printer *p, const struct node *n);
void spell_step(struct printer *p, const struct node *n, const struct node *parent); /* a phrase on a line of its own */
void spell_where(struct printer *p, const struct node *n, const char *word);
void spell_effects(struct printer *p, const struct node *n); /* this one and all that follow it */

/* trial.c */
void spell_packet(struct printer *p, const struct node *packet);
void spell_case(struct printer *p, const struct node *n);
void spell_forall(struct printer *p, const struct node *n);
const size_t *spell_widths(struct printer *p, const struct node *table); /* of its columns; in the arena */
void spell_row(struct printer *p, const struct node *row);

#endif
