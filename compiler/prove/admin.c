#include "compiler/prove/admin.h"

const struct ranges *admin_ports(void)
{
	static struct range at[] = {
#define ADMIN_PORT(port, what) { port, port },
#include "compiler/prove/admin.def"
#undef ADMIN_PORT
	};
	static const struct ranges all = { at, sizeof at / sizeof *at };

	return &all;
}
