#include "tests/lib/in_trees.h"

#include "compiler/emit/bulk.h"

bool in_trees(struct plan *p, struct arena *a)
{
	struct bulk_trees t;
	uint32_t culprit;

	if (!p->config.bulk.cells || bulk_build(&t, a, p->bulk_boxes, p->config.bulk.cells, p->rules, &culprit))
		return false;
	p->config.bulk = t.tell;
	p->bulk_nodes = t.nodes;
	p->bulk_leaves = t.leaves;
	return true;
}
