#!/bin/bash
# make install puts everything where it belongs, and systemd takes the unit.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1

make -s install BUILD="$BUILD" DESTDIR="$dir/root" > "$dir/out" 2>&1
ok "make install ends well" "$dir/out"
(cd "$dir/root" && find . -type f | sed 's/^\.//' | sort) > "$dir/there"
{
	printf '/usr/bin/%s\n' tegc tegctl
	echo /usr/sbin/tegd
	echo /usr/libexec/tegumentar/tegc-git
	printf '/usr/lib/systemd/system/tegd.%s\n' service socket
	printf '/usr/lib/%s.d/tegumentar.conf\n' sysusers tmpfiles
	for page in docs/man/*; do echo "/usr/share/man/man${page##*.}/${page##*/}"; done
	printf '/usr/share/bash-completion/completions/%s\n' tegc tegctl
	for file in policies/std/*; do echo "/usr/share/tegumentar/$file"; done
	for file in docs/errors/*; do echo "/usr/share/doc/tegumentar/errors/${file##*/}"; done
	for file in enforcer/monitoring/*; do echo "/usr/share/tegumentar/monitoring/${file##*/}"; done
} | sort > "$dir/wanted"
diff "$dir/wanted" "$dir/there" > "$dir/out"
ok "every file is there, and no other" "$dir/out"
find "$dir/root" -type f -perm /022 > "$dir/out"
[ ! -s "$dir/out" ]
ok "nobody but root may write them" "$dir/out"
[ "$("$dir/root/usr/bin/tegc" --version)" = "$("$BUILD/tegc" --version)" ]
ok "what was installed runs"
revision() { (cd "$dir/repository" && "$dir/root/usr/bin/tegc" diff HEAD:edge.teg edge.teg); }
mkdir "$dir/repository" && git init -q "$dir/repository" && printf 'posture OPEN {\n    default drop\n}\n' > "$dir/repository/edge.teg" &&
	git -C "$dir/repository" add . && git -C "$dir/repository" -c user.name=a -c user.email=a@example.org commit -qm one
revision > "$dir/out" 2>&1
ok "and reads git's revisions" "$dir/out"
rm "$dir/root/usr/libexec/tegumentar/tegc-git"
revision > "$dir/out" 2>&1
[ $? = 66 ] && grep -q 'cannot open HEAD:edge.teg: git.s revisions are read by tegc-git, which is neither beside tegc nor in ../libexec/tegumentar' "$dir/out"
ok "without tegc-git it says what is missing" "$dir/out"
cp "$dir/repository/edge.teg" "$dir/old.teg"
(cd "$dir/repository" && "$dir/root/usr/bin/tegc" diff --at edge.teg "$dir/old.teg" edge.teg) > "$dir/out" 2>&1
[ $? = 66 ] && grep -q 'cannot open .*/old.teg: git.s revisions are read by tegc-git' "$dir/out"
ok "also where it is to be found out in which revision a text was" "$dir/out"
echo '# more' >> "$dir/repository/edge.teg"
(cd "$dir/repository" && git -c diff.external="$dir/root/usr/bin/tegc diff --git" diff) > "$dir/out" 2>&1
grep -q 'git.s revisions are read by tegc-git' "$dir/out"
ok "and where git shows differences by it" "$dir/out"
cp "$BUILD/tegc-git" "$dir/root/usr/bin/tegc-git" && revision > "$dir/out" 2>&1
ok "where it stands beside tegc it is found" "$dir/out"
# As one of another build: a digit of its digest is another one.
digest=$(LC_ALL=C grep -aobE 'tegc.{4}[0-9a-f]{63}' "$BUILD/tegc-git" | head -n 1 | cut -d: -f1)
[ -n "$digest" ] && printf x | dd of="$dir/root/usr/bin/tegc-git" bs=1 seek=$((digest + 8)) conv=notrunc status=none
revision > "$dir/out" 2>&1
[ $? = 66 ] && grep -q "read by tegc-git, and .*/usr/bin/tegc-git is not of one build with this tegc: install both from the same one" "$dir/out"
ok "one of another build is not run, and that is said" "$dir/out"
(cd "$dir/repository" && git -c diff.external="$dir/root/usr/bin/tegc diff --git" diff) > "$dir/out" 2>&1
grep -q 'is not of one build with this tegc' "$dir/out"
ok "also where git shows differences by it" "$dir/out"
if [ "$(id -u)" = 0 ]; then
	chown 65534 "$dir/root/usr/bin/tegc-git"
	revision > "$dir/out" 2>&1
	[ $? = 66 ] && grep -q 'or belongs to somebody else' "$dir/out"
	ok "one that is neither root's nor of tegc's owner is not run" "$dir/out"
else
	skip "one that is neither root's nor of tegc's owner is not run" "needs root"
fi
rm "$dir/root/usr/bin/tegc-git"
"$dir/root/usr/bin/tegc" diff "$dir/repository/edge.teg" "$dir/repository/edge.teg" > "$dir/out" 2>&1
ok "and files are compared as ever" "$dir/out"
readelf -d "$BUILD/tegc" > "$dir/out" && grep -q NEEDED "$dir/out" && ! grep -q git "$dir/out"
ok "tegc does not load libgit2" "$dir/out"

make -s install BUILD="$BUILD" DESTDIR="$dir/other" PREFIX=/opt/teg > "$dir/out" 2>&1 &&
	grep -q '^ExecStart=/opt/teg/sbin/tegd' "$dir/other/opt/teg/lib/systemd/system/tegd.service"
ok "with another PREFIX the unit starts that one" "$dir/out"


mkdir -p "$dir/other/opt/teg/etc" && touch "$dir/other/opt/teg/share/tegumentar/policies/own.teg" "$dir/other/opt/teg/bin/mine"
make -s uninstall BUILD="$BUILD" DESTDIR="$dir/other" PREFIX=/opt/teg > "$dir/out" 2>&1
ok "make uninstall ends well" "$dir/out"
(cd "$dir/other/opt/teg" && find . -type f | sort | xargs) > "$dir/out"
[ "$(cat "$dir/out")" = "./bin/mine ./share/tegumentar/policies/own.teg" ]
ok "nothing of what was installed is left, and nothing else is gone" "$dir/out"
make -s uninstall BUILD="$BUILD" DESTDIR="$dir/root" > "$dir/out" 2>&1
find "$dir/root" -name '*teg*' > "$dir/out"
[ ! -s "$dir/out" ]
ok "nor is a folder of its own, where nobody has put anything" "$dir/out"

if command -v systemd-analyze >/dev/null; then
	# Its program and its manual pages are looked for on this host: the unit is given what was built.
	sed "s|^ExecStart=[^ ]*|ExecStart=$BUILD/tegd|; /^Documentation=/d" enforcer/systemd/tegd.service > "$dir/tegd.service"
	systemd-analyze verify --recursive-errors=no "$dir/tegd.service" > "$dir/out" 2>&1 && [ ! -s "$dir/out" ]
	ok "systemd-analyze verify has no complaint" "$dir/out"
	systemd-analyze security --offline=yes --threshold=45 "$dir/tegd.service" > "$dir/out" 2>&1
	ok "and finds the service's exposure below 4.5 of 10" "$dir/out"
else
	skip "systemd-analyze verify has no complaint" "systemd is not installed"
fi
echo "1..$n"
