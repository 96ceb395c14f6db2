#include "compiler/report/findings/findings.h"

#include "compiler/report/findings/clashes.h"
#include "compiler/report/findings/dead.h"
#include "compiler/report/findings/lifelines.h"
#include "compiler/report/findings/ports.h"
#include "compiler/report/findings/postures.h"
#include "compiler/report/findings/promises.h"
#include "compiler/report/findings/responses.h"

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
