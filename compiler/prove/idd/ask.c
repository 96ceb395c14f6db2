/* ask - what is asked of diagrams: their edges, their numbers, their size, and how much leads where. */
#include "compiler/prove/idd/parts.h"

unsigned idd_level(const struct idd *m, idd_ref node)
{
	assert(!IDD_IS_NUMBER(node));
	return head_at(m, node)->level;
}

const struct idd_edge *idd_edges(const struct idd *m, idd_ref node, size_t *len)
{
	assert(!IDD_IS_NUMBER(node));
	*len = head_at(m, node)->len;
	return edges_at(m, node);
}

idd_ref idd_child(const struct idd *m, idd_ref node, uint32_t value)
{
	const struct idd_edge *e = edges_at(m, node);
	uint32_t lo = 0, hi = head_at(m, node)->len - 1;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (e[mid].hi < value)
			lo = mid + 1;
		else
			hi = mid;
	}
	return e[lo].to;
}

/* After this no slot is marked. */
static void new_stamp(struct idd *m)
{
	if (m->mark_room < m->used) {
		m->mark = memory_must(realloc(m->mark, m->room * sizeof *m->mark));
		m->place = memory_must(realloc(m->place, m->room * sizeof *m->place));
		memset(m->mark + m->mark_room, 0, (m->room - m->mark_room) * sizeof *m->mark);
		m->mark_room = m->room;
	}
	if (++m->stamp == 0) {
		memset(m->mark, 0, m->mark_room * sizeof *m->mark);
		m->stamp = 1;
	}
}

static bool first_visit(struct idd *m, idd_ref a)
{
	if (m->mark[a] == m->stamp)
		return false;
	m->mark[a] = m->stamp;
	return true;
}

static void numbers_below(struct idd *m, idd_ref a, bool *seen)
{
	if (IDD_IS_NUMBER(a)) {
		if (a != IDD_NONE)
			seen[IDD_VALUE(a)] = true;
		return;
	}
	if (!first_visit(m, a))
		return;
	for (uint32_t i = 0; i < head_at(m, a)->len; i++)
		numbers_below(m, edges_at(m, a)[i].to, seen);
}

void idd_numbers(struct idd *m, idd_ref a, bool *seen)
{
	new_stamp(m);
	numbers_below(m, a, seen);
}

struct found {
	idd_ref *at;
	size_t len, room;
};

static void collect(struct idd *m, idd_ref a, struct found *f)
{
	if (IDD_IS_NUMBER(a) || !first_visit(m, a))
		return;
	for (uint32_t i = 0; i < head_at(m, a)->len; i++)
		collect(m, edges_at(m, a)[i].to, f);
	if (f->len == f->room) {
		f->room = f->room ? 2 * f->room : 256;
		f->at = memory_must(realloc(f->at, f->room * sizeof *f->at));
	}
	m->place[a] = (uint32_t)f->len;
	f->at[f->len++] = a;
}

/*
 * Children were collected before their parents; backwards, every parent comes
 * before all its children.
 */
static void idd_walk(struct idd *m, idd_ref a, void (*visit)(void *arg, idd_ref node), void *arg)
{
	struct found f = { 0 };

	new_stamp(m);
	collect(m, a, &f);
	while (f.len)
		visit(arg, f.at[--f.len]);
	free(f.at);
}

struct sizing {
	struct idd *m;
	struct idd_size size;
};

static void add_size(void *arg, idd_ref node)
{
	struct sizing *s = arg;

	s->size.nodes++;
	s->size.edges += head_at(s->m, node)->len;
}

struct idd_size idd_size(struct idd *m, idd_ref a)
{
	struct sizing s = { .m = m };

	idd_walk(m, a, add_size, &s);
	return s.size;
}

/* Weight flows down: a node's share is what its parents send it. */
struct flow {
	struct idd *m;
	idd_weigh *weigh;
	const void *arg;
	double *arrived; /* by place */
	double *share;
	size_t len;
};

static void flow_to(struct flow *f, idd_ref to, double weight)
{
	if (!IDD_IS_NUMBER(to))
		f->arrived[f->m->place[to]] += weight;
	else if (IDD_VALUE(to) < f->len)
		f->share[IDD_VALUE(to)] += weight;
}

static void flow_through(struct flow *f, idd_ref node)
{
	const struct head *h = head_at(f->m, node);
	const struct idd_edge *e = edges_at(f->m, node);
	double here = f->arrived[f->m->place[node]];
	uint32_t lo = 0;

	for (uint32_t i = 0; i < h->len; i++) {
		flow_to(f, e[i].to, here * f->weigh(f->arg, h->level, lo, e[i].hi));
		lo = MUTANT(10, e[i].hi + 1, e[i].hi);
	}
}

void idd_shares(struct idd *m, idd_ref a, idd_weigh *weigh, const void *arg, double *share,
		size_t len)
{
	struct found nodes = { 0 };
	struct flow f = { m, weigh, arg, NULL, share, len };

	new_stamp(m);
	collect(m, a, &nodes);
	f.arrived = memory_must(calloc(nodes.len + 1, sizeof *f.arrived));
	flow_to(&f, a, 1.0);
	while (nodes.len)
		flow_through(&f, nodes.at[--nodes.len]);
	free(nodes.at);
	free(f.arrived);
}
