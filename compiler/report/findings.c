#include "compiler/report/findings.h"

#include "compiler/report/clashes.h"
#include "compiler/report/dead.h"
#include "compiler/report/lifelines.h"
#include "compiler/report/ports.h"
#include "compiler/report/postures.h"
#include "compiler/report/promises.h"
#include "compiler/report/responses.h"

void report_findings(struct compilation *c, struct prover *p, const struct ir *ir)
{
	struct diags *to = &c->diags;
	struct promise_list claimed;
	struct clash_list clashes;

	report_dead(to, &c->sources, p, ir);
	report_equal_postures(to, p, ir);
	report_open_ports(to, p, ir);
	report_lifelines(to, p, ir);
	report_responses(to, p, ir);
	claimed = prove_promises(p, ir);
	report_promises(to, &claimed);
	clashes = prove_clashes(p, ir);
	report_clashes(to, &clashes);
}
