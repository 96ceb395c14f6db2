/*
 * confine - what the warden gives up once its sockets are open, for good; what it starts inherits that.
 *
 * Capabilities: those of docs/install.md stay, and to read what only its owner may (a bundle in a home directory,
 * when started by hand). No program that it executes can gain one. System calls: those of proc/allow.def, so that the
 * privileged process has no network but netlink and local sockets, and none of what an enforcer has no use for.
 */
#ifndef TEG_WARDEN_CONFINE_H
#define TEG_WARDEN_CONFINE_H

#include "lang/base/err.h"

int warden_confine(struct err *why);

#endif
