#!/bin/bash
# make install puts everything where it belongs, and systemd takes the unit.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${BUILD:=build}"
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
ok() {
	local rc=$?
	n=$((n + 1))
	[ $rc = 0 ] && { echo "ok $n - $1"; return; }
	echo "not ok $n - $1"
	sed 's/^/# /' "${2:-/dev/null}"
}
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }

make -s install BUILD="$BUILD" DESTDIR="$tmp/root" > "$tmp/out" 2>&1
ok "make install ends well" "$tmp/out"
(cd "$tmp/root" && find . -type f | sed 's/^\.//' | sort) > "$tmp/there"
{
	printf '/usr/bin/%s\n' tegc tegctl
	echo /usr/sbin/tegd
	printf '/usr/lib/systemd/system/tegd.%s\n' service socket
	printf '/usr/lib/%s.d/tegumentar.conf\n' sysusers tmpfiles
	for page in docs/man/*; do echo "/usr/share/man/man${page##*.}/${page##*/}"; done
	printf '/usr/share/bash-completion/completions/%s\n' tegc tegctl
	for file in policies/std/*; do echo "/usr/share/tegumentar/$file"; done
	for file in docs/errors/*; do echo "/usr/share/doc/tegumentar/errors/${file##*/}"; done
	for file in enforcer/monitoring/*; do echo "/usr/share/tegumentar/monitoring/${file##*/}"; done
} | sort > "$tmp/wanted"
diff "$tmp/wanted" "$tmp/there" > "$tmp/out"
ok "every file is there, and no other" "$tmp/out"
find "$tmp/root" -type f -perm /022 > "$tmp/out"
[ ! -s "$tmp/out" ]
ok "nobody but root may write them" "$tmp/out"
[ "$("$tmp/root/usr/bin/tegc" --version)" = "$("$BUILD/tegc" --version)" ]
ok "what was installed runs"

make -s install BUILD="$BUILD" DESTDIR="$tmp/other" PREFIX=/opt/teg > "$tmp/out" 2>&1 &&
	grep -q '^ExecStart=/opt/teg/sbin/tegd' "$tmp/other/opt/teg/lib/systemd/system/tegd.service"
ok "with another PREFIX the unit starts that one" "$tmp/out"

if command -v systemd-analyze >/dev/null; then
	# Its program and its manual pages are looked for on this host: the unit is given what was built.
	sed "s|^ExecStart=[^ ]*|ExecStart=$tmp/root/usr/sbin/tegd|; /^Documentation=/d" enforcer/systemd/tegd.service > "$tmp/tegd.service"
	systemd-analyze verify --recursive-errors=no "$tmp/tegd.service" > "$tmp/out" 2>&1 && [ ! -s "$tmp/out" ]
	ok "systemd-analyze verify has no complaint" "$tmp/out"
	systemd-analyze security --offline=yes --threshold=45 "$tmp/tegd.service" > "$tmp/out" 2>&1
	ok "and finds the service's exposure below 4.5 of 10" "$tmp/out"
else
	skip "systemd-analyze verify has no complaint" "systemd is not installed"
fi
echo "1..$n"
