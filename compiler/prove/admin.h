/*
 * admin - the ports that administer a host, over TCP: rows of admin.def.
 */
#ifndef TEG_PROVE_ADMIN_H
#define TEG_PROVE_ADMIN_H

#include "lang/base/ranges.h"

const struct ranges *admin_ports(void);

#endif
