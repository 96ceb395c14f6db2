/* What the fuzz targets bundle, message and body reached: each input again, in every flavour of the build. */
#include "tests/lib/replay.h"
#include "tests/lib/tap.h"

/* The targets, under names of their own. */
#define LLVMFuzzerTestOneInput fuzz_bundle
#include "tests/fuzz/bundle.c"
#undef LLVMFuzzerTestOneInput

#define LLVMFuzzerTestOneInput fuzz_message
#include "tests/fuzz/message.c"
#undef LLVMFuzzerTestOneInput

#define LLVMFuzzerTestOneInput fuzz_body
#include "tests/fuzz/body.c"
#undef LLVMFuzzerTestOneInput

int main(void)
{
	replay("bundle", fuzz_bundle, "tests/fuzz/reached/bundle", 50);
	replay("message", fuzz_message, "tests/fuzz/reached/message", 100);
	replay("body", fuzz_body, "tests/fuzz/reached/body", 30);
	return tap_done();
}
