#!/bin/bash
# Posture changes under 250,000 packets a second lose none that both postures admit and judge none by a mixture, on every engine.
# Runs: tests/bench/enforcer
set -u
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }
. tests/lib/lab.sh
changes=40 n=0 bad=0

# What the wire did not take, since nobody had time to empty it: of no policy's doing.
by_link() { at outside ip -j -s link show dev out0 | sed 's/.*"tx":{[^}]*"dropped":\([0-9]*\).*/\1/'; }

changes() {
	"$BUILD/tests/bench/enforcer" "$LAB-outside" "$LAB-edge" $CLIENT4 $EDGE4 \
		"$LAB_DIR/run/api.sock" postures $changes FIRST SECOND 2>&1
}

lab_up
"$BUILD/tegc" build tests/bench/enforcer.teg -o "$LAB_DIR/enforcer.tegb" || exit 1
# From generic to native XDP is not one step, so nft stands between.
for engine in generic nft native; do
	n=$((n + 1))
	tegd_start --engine $engine && tegctl apply "$LAB_DIR/enforcer.tegb" >/dev/null || exit 1
	for turn in 1 2 3; do
		before=$(by_link)
		out=$(changes) && passed=yes || passed=no
		[ $passed = no ] && [ "$(by_link)" != "$before" ] || break
		echo "# $engine: the link itself was full, by $(($(by_link) - before)) packets, which says nothing of changes: once more"
	done
	if [ $passed = yes ]; then
		echo "ok $n - $engine: $(tail -n 1 <<<"$out")"
	else
		echo "not ok $n - $engine: $changes changes lose nothing"
		sed 's/^/# /' <<<"$out"
		bad=1
	fi
	tegd_kill
done
echo "1..$n"
exit $bad
