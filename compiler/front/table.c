/*
 * table.c - a table of a test: one packet with the names of columns in it, and rows of what
 * stands in their place.
 */
#include <string.h>

#include "compiler/front/reading.h"

struct filling {
	struct reading *r;
	const struct node *columns; /* the first; its place in the list is its number */
	const struct node *cells;
};

static const struct node *cell_of(const struct filling *f, const char *name)
{
	const struct node *cell = f->cells;

	for (const struct node *c = f->columns; c; c = c->next, cell = cell->next)
		if (!strcmp(c->text, name))
			return cell;
	return NULL;
}

/* A copy with each column's name replaced; what stays keeps its place, what is put in has its own. */
static struct node *filled(const struct filling *f, const struct node *n)
{
	const struct node *from = n->kind == NODE_NAME ? cell_of(f, n->text) : NULL;
	struct node *copy = arena_copy(f->r->arena, from ? from : n, sizeof *n);

	copy->first = copy->last = copy->next = NULL;
	if (from)
		return copy;
	for (const struct node *c = n->first; c; c = c->next) {
		struct node *part = filled(f, c);

		if (copy->last)
			copy->last->next = part;
		else
			copy->first = part;
		copy->last = part;
	}
	return copy;
}

static bool stands_in(const struct node *n, const char *name)
{
	if (n->kind == NODE_NAME && !strcmp(n->text, name))
		return true;
	for (const struct node *c = n->first; c; c = c->next)
		if (stands_in(c, name))
			return true;
	return false;
}

static bool columns_fit(struct reading *r, const struct node *header, const struct node *packet)
{
	bool sound = true;

	for (const struct node *c = header->first; c; c = c->next) {
		struct diag *d;

		if (c->kind == NODE_NAME && stands_in(packet, c->text))
			continue;
		sound = false;
		d = diag(r->diags, DIAG_TABLE_COLUMN, c->span, c->kind == NODE_NAME ? "no `%s` stands in the packet of this table" :
			 "a table's first line names its columns", c->text);
		diag_at(d, packet->span, "the packet");
		diag_help(d, "write the column's name in the place of what it holds: tcp SRC -> self:PORT");
	}
	return sound;
}

static size_t cells_in(const struct node *row)
{
	size_t n = 0;

	for (const struct node *c = row->first; c && c->kind != NODE_EXPECT; c = c->next)
		n++;
	return n;
}

static bool row_fits(struct reading *r, const struct node *row, size_t columns)
{
	size_t cells = cells_in(row);

	if (cells == columns)
		return true;
	diag(r->diags, DIAG_TABLE_ROW, row->span, "this row has %zu cell%s, and the table has %zu column%s", cells,
	     cells == 1 ? "" : "s", columns, columns == 1 ? "" : "s");
	return false;
}

bool table_read(struct reading *r, const struct node *table, table_row *read, void *arg)
{
	const struct node *packet = node_find(table, NODE_PACKET), *header = node_find(table, NODE_ROW);
	size_t columns = cells_in(header);
	bool sound = true;

	if (!columns_fit(r, header, packet))
		return false;
	for (const struct node *row = header->next; row; row = row->next) {
		struct filling f = { r, header->first, row->first };
		struct node *one;

		if (row->kind == NODE_HOLE || !row_fits(r, row, columns)) {
			sound = false;
			continue;
		}
		one = filled(&f, packet);
		one->span = row->span;
		sound &= read(r, row, one, arg);
	}
	return sound;
}
