/*
 * coverage - what the tests of a policy look at: packets decided by each rule, and the small
 * mistakes that no test would notice.
 *
 *     edge.teg: 12 of 14 rules decide packets of tests
 *       edge.teg:41:5   HARDENED.dns_in   never
 *       edge.teg:57:5   HARDENED.web_fwd  never
 *
 *     edge.teg: 61 mutants: 52 noticed, 3 without effect, 6 not noticed
 *       edge.teg:41:5   HARDENED.dns_in   deleted, drop instead of allow
 *       edge.teg:57:5   HARDENED.web_fwd  destination port asked no more, without port 443
 */
#ifndef TEG_REPORT_COVERAGE_H
#define TEG_REPORT_COVERAGE_H

#include "compiler/front/front.h"
#include "compiler/ir/trial.h"
#include "compiler/prove/survivors.h"
#include "lang/base/buf.h"

struct coverage;

struct coverage *coverage_new(const struct ir *ir, struct arena *a);
void coverage_add(struct coverage *c, const struct trial *t);

/* `all`: rules that are covered too, with how many packets each decided. */
void report_coverage(struct buf *out, struct compilation *c, const char *path, const struct coverage *cov, bool all);
/* The same for programs: adds to the lists "coverage" and "mutants" of the envelope. */
struct cJSON;
void report_coverage_json(struct cJSON *list, struct compilation *c, const struct coverage *cov);
void report_survey_json(struct cJSON *list, struct compilation *c, const struct ir *ir, const struct survey *s);

void report_survey(struct buf *out, struct compilation *c, const struct ir *ir, const char *path, const struct survey *s);

#endif
