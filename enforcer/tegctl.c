/*
 * tegctl - ask tegd, and tell it. See docs/man/tegctl.1.
 */
#include <curl/curl.h>

#include "enforcer/ctl/ctl.h"

int main(int argc, char **argv)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return EXIT_OURS;
	int rc = ctl_run(argc, argv);
	curl_global_cleanup();
	return rc;
}
