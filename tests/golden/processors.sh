#!/bin/bash
# A bundle is the same whatever the number of processors that made it.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/prompt.bash || exit 1

one=$(taskset -pc $$ | grep -o '[0-9]*$') # the last that this process may use

# long KIND: 3,000 rules, with ends of several widths
long() {
	awk -v kind="$1" '
	function net(bits) {
		bits = 8 * int(1 + rand() * 4)
		return sprintf("%d.%d.%d.%d/%d", 11 + rand() * 180, bits > 8 ? rand() * 256 : 0, bits > 16 ? rand() * 256 : 0,
			       bits > 24 ? rand() * 256 : 0, bits)
	}
	BEGIN {
		srand(7)
		print "zone wan = \"eth0\"\nposture P {\n    default " (kind == "reflexes" ? "allow" : "drop")
		for (i = 0; i < 3000; i++) {
			of = (rand() < 0.7 ? "tcp" : "udp") " from " net() " to " net() " port " 1 + int(rand() * 4000)
			if (kind == "reflexes")
				after = after "reflex r" i " {\n    match " of " on wan\n    do drop\n}\n"
			else
				print "    r" i ": " (i % 4 ? "allow" : "drop") " forward " of
		}
		print "}\ninitial posture P\n" after
	}'
}

# alike POLICY: built on all processors, and on one
alike() {
	exits 0 "${1##*/} is built on all processors" "$tegc" build --no-proofs "$1" -o all
	exits 0 "${1##*/} is built on one" taskset -c "$one" "$tegc" build --no-proofs "$1" -o one
	cmp "$dir/all" "$dir/one" >"$dir/said" 2>&1
	claim $? "${1##*/}: the bundles are one" <"$dir/said"
}

alike "$PWD/policies/examples/whole.teg"
for kind in rules reflexes; do
	long $kind >"$dir/$kind.teg"
	alike "$dir/$kind.teg"
done
echo "1..$n"
