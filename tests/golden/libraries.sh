#!/bin/bash
# Where imports are looked for: beside, -I, TEG_PATH, what tegc carries, the host's own library.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1
cd "$dir" || exit 1
unset TEG_PATH

# The address of `site` that a policy means: each library has another.
means() { # address, command and options
	local want=$1
	shift
	"$@" -o main.tegb main.teg >out 2>&1 && tar xOf main.tegb policy/resolved.teg >>out && grep -qF "net site = [$want]" out
}

mkdir -p policy option first second host/std
printf 'import "sites/site.teg"\nposture P {\n    default drop\n    allow tcp from site to self port 22\n}\n' >policy/main.teg
for place in option first second host; do
	mkdir -p $place/sites
done
printf 'net site = 192.0.2.1\n' >option/sites/site.teg
printf 'net site = 192.0.2.2\n' >first/sites/site.teg
printf 'net site = 192.0.2.3\n' >second/sites/site.teg
printf 'net site = 192.0.2.4\n' >host/sites/site.teg
printf 'net other = 192.0.2.5\n' >host/std/bogons.teg
cd policy || exit 1

"$tegc" check main.teg >out 2>&1
[ $? = 1 ] && grep -q E0204 out
ok 'nowhere' out
means 192.0.2.2 env TEG_PATH="$dir/first:$dir/second" "$tegc" build
ok 'in the first directory of TEG_PATH that has it' out
means 192.0.2.3 env TEG_PATH=":$dir/nowhere::$dir/second:" "$tegc" build
ok 'empty and missing ones are passed over' out
means 192.0.2.1 env TEG_PATH="$dir/first" "$tegc" build -I ../option
ok '-I stands before it' out
sed 's|sites/site.teg|sites/*.teg|' main.teg >pattern.teg
TEG_PATH="$dir/second" "$tegc" check pattern.teg >out 2>&1
ok 'a pattern looks there too' out
TEG_PATH="$dir/option" "$tegc" check <main.teg - >out 2>&1
ok 'standard input does' out
TEG_PATH="$dir/nowhere" "$tegc" check main.teg >out 2>&1
grep -qF "looked for $dir/nowhere/sites/site.teg" out
ok 'what is not found says where it was looked for' out

if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
	# With another /etc, which this shell alone sees.
	with_library() { unshare --mount sh -c 'mount -t tmpfs tmpfs /etc && mkdir -p /etc/tegumentar && cp -r "$0" /etc/tegumentar/policies && exec "$@"' "$dir/host" "$@"; }
	means 192.0.2.4 with_library "$tegc" build
	ok "in the host's own library" out
	means 192.0.2.2 with_library env TEG_PATH="$dir/first" "$tegc" build
	ok 'TEG_PATH stands before it' out
	printf 'import "std/bogons.teg"\nnet own = other\n' >shadow.teg
	with_library "$tegc" check shadow.teg >out 2>&1
	[ $? = 1 ] && grep -q 'there is no net `other`' out
	ok 'nothing in it takes the place of what tegc carries' out
else
	skip "the host's own library" "mounting needs root"
fi
echo "1..$n"
