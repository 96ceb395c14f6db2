#!/bin/bash
# What the build links, tests/deps installs, and it says why.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1

# -lfoo is of the package that owns libfoo.so.
linked=$(sed -n 's/^LIBS_[a-z]* *:= *//p; s/.*LIBS_all += //p' Makefile | grep -o -- '-l[a-z0-9-]*' | sort -u | grep -vx -e -lm -e -lpthread)
empty "the Makefile says what is linked" "$([ "$(wc -w <<<"$linked")" -ge 8 ] || echo "found only: $linked")"
unlisted=$(for library in $linked; do
	owner=$(dpkg -S "*/lib${library#-l}.so" 2>/dev/null | sed 's/:.*//' | sort -u)
	[ -n "$owner" ] || { echo "$library is of no package"; continue; }
	tests/deps --list | awk '{ print $1 }' | grep -qxF "$owner" || echo "$owner, for $library"
done)
empty "tests/deps lists the package of every library that is linked" "$unlisted"
empty "each package has its reason" "$(tests/deps --list | awk 'NF < 2')"
echo "1..$n"
