/* What the fuzz targets parse and policy found, or began with: each input again, in every flavour of the build. */
#include "tests/lib/replay.h"
#include "tests/lib/tap.h"

/* The targets, under names of their own. */
#define LLVMFuzzerTestOneInput fuzz_parse
#define must must_parse
#define spelled spelled_parse
#include "tests/fuzz/parse.c"
#undef LLVMFuzzerTestOneInput
#undef must
#undef spelled

#define LLVMFuzzerTestOneInput fuzz_policy
#include "tests/fuzz/policy.c"
#undef LLVMFuzzerTestOneInput

int main(void)
{
	static const struct {
		const char *dir;
		size_t least;
	} dirs[] = {
		{ "tests/fuzz/corpus", 1 }, { "policies/std", 2 }, { "policies/examples", 1 },
		{ "tests/wrong", 5 }, { "tests/golden/forms", 3 }, { "tests/golden/spelling", 2 },
		{ "tests/fuzz/reached/parse", 100 }, { "tests/fuzz/reached/policy", 300 },
	};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		replay("parse", fuzz_parse, dirs[i].dir, dirs[i].least);
		replay("policy", fuzz_policy, dirs[i].dir, dirs[i].least);
	}
	return tap_done();
}
