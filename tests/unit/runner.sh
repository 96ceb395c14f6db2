#!/bin/bash
# The runner sees every way in which a test can fail to pass.
cd "$(dirname "$0")/../.." || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0

# claim, the test's text, the last line wanted, the code wanted
check() {
	local claim=$1 text=$2 want=$3 code=$4 got rc
	printf '#!/bin/bash\n%s\n' "$text" > "$dir/test"
	chmod +x "$dir/test"
	got=$(TEST_LIST="$dir/test" TEST_SECONDS=1 tests/run 2>&1)
	rc=$?
	n=$((n + 1))
	if [ "$(tail -n 1 <<<"$got")" = "$want" ] && [ $rc = "$code" ]; then
		echo "ok $n - $claim"
	else
		echo "not ok $n - $claim"
		echo "# want: $want, code $code"
		sed 's/^/# got:  /' <<<"$got"
	fi
}

check "what holds passes"           'echo "ok 1 - a"; echo "ok 2 - b"; echo 1..2' '2 passed, 0 failed, 0 skipped' 0
check "a failure is counted"        'echo "ok 1 - a"; echo "not ok 2 - b"; echo 1..2; exit 1' '1 passed, 1 failed, 0 skipped' 1
check "a skip is counted"           'echo "ok 1 - a # SKIP no such device"; echo 1..1' '0 passed, 0 failed, 1 skipped' 0
check "dying is a failure"          'echo "ok 1 - a"; echo 1..1; kill -SEGV $$' '1 passed, 1 failed, 0 skipped' 1
check "no plan is a failure"        'echo "ok 1 - a"' '1 passed, 1 failed, 0 skipped' 1
check "a short run is a failure"    'echo 1..3; echo "ok 1 - a"' '1 passed, 1 failed, 0 skipped' 1
check "not ending is a failure"     'echo "ok 1 - a"; echo 1..1; exec sleep 60' '1 passed, 1 failed, 0 skipped' 1
check "silence is a failure"        'exit 0' '0 passed, 1 failed, 0 skipped' 1
check "all skipped is one skip"     'echo "1..0 # SKIP no such device"' '0 passed, 0 failed, 1 skipped' 0
check "a missing program is a failure" 'exec /no/such/program' '0 passed, 1 failed, 0 skipped' 1

# Root's tests have namespaces of their own, so what one leaves running ends with it.
left="sleep 61.$$" # a name of its own: other runs may be under way
check "what a test leaves is no failure" "$left & echo 'ok 1 - a'; echo 1..1" '1 passed, 0 failed, 0 skipped' 0
for tries in 1 2 3 4 5 6 7 8 9 10; do
	pgrep -fx "$left" >/dev/null || break
	sleep 0.2
done
n=$((n + 1))
if [ "$(id -u)" != 0 ] || ! unshare --pid --fork true 2>/dev/null; then
	echo "ok $n - it ends with the test # SKIP needs root"
elif pgrep -fx "$left" >/dev/null; then
	echo "not ok $n - it ends with the test"
else
	echo "ok $n - it ends with the test"
fi

# What a test takes of the processors is told beside what it takes by the clock, and the slowest again.
printf '#!/bin/bash\necho "ok 1 - a"; echo 1..1\n' > "$dir/quick"
printf '#!/bin/bash\nsleep 0.5\necho "ok 1 - a"; echo 1..1\n' > "$dir/waits"
printf '#!/bin/bash\nfor ((i = 0; i < 400000; i++)); do :; done & wait\necho "ok 1 - a"; echo 1..1\n' > "$dir/works"
chmod +x "$dir/quick" "$dir/waits" "$dir/works"
slow=$(TEST_LIST="$(printf "$dir/quick %.0s" {1..9}) $dir/waits $dir/works" tests/run)
told=$(sed '1,/^The slowest/d' <<<"$slow" | awk -v d="$dir/" '
	{ n++ } $3 == d "works" && $2 > 0.2 { w++ } $3 == d "waits" && $1 >= 0.5 && $2 < 0.2 { w++ } END { print n, w }')
n=$((n + 1))
if [ "$told" = "11 2" ]; then
	echo "ok $n - what took time, and what only waited, is told"
else
	echo "not ok $n - what took time, and what only waited, is told"
	sed 's/^/# got:  /' <<<"$slow"
fi

# What is not made is told once, before any test.
unmade() { # unmade CLAIM SAID
	local got rc

	got=$(unset TEST_MADE; BUILD=$dir/build tests/run -n same/xdp 2>&1)
	rc=$?
	n=$((n + 1))
	if [ "$got" = "tests/run: $2: make BUILD=$dir/build all $dir/build/tests/same/xdp" ] && [ $rc = 2 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# got:  /' <<<"code $rc, $got"
	fi
}
unmade "missing programs are named, with what makes them" "$dir/build/tegc is not there, nor are 4 others"
mkdir -p "$dir/build/tests/same"
touch "$dir"/build/{tegc,tegd,tegctl}
unmade "two of them both" "$dir/build/tegc-git is not there, nor is $dir/build/tests/same/xdp"
touch "$dir"/build/tegc-git
unmade "also one alone" "$dir/build/tests/same/xdp is not there"
touch "$dir/build/tests/same/xdp"
unmade "and those that are older than their sources" "what these tests run is older than its sources"

# Several at once are told in the order of the list.
for i in 1 2 3; do
	printf '#!/bin/bash\nsleep 0.%d\necho "not ok 1 - %d"\necho 1..1\n' $((6 - 2 * i)) $i > "$dir/at$i"
	chmod +x "$dir/at$i"
done
told_in() { # told_in ORDER CLAIM: what was told in $dir/told
	local got

	got=$(sed -n 's/^  not ok 1 - //p' "$dir/told" | xargs)
	n=$((n + 1))
	if [ "$got" = "$1" ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		echo "# want: $1"
		echo "# got:  $got"
	fi
}
TEST_TELL= JOBS=3 TEST_LIST="$dir/at1 $dir/at2 $dir/at3" tests/run >"$dir/told"
told_in "1 2 3" "several at once are told in order"

# Or as they end: each waits until the one behind it in the list is told.
for i in 1 2; do
	printf '#!/bin/bash\nuntil grep -q "not ok 1 - %d" %q; do sleep 0.05; done\necho "not ok 1 - %d"\necho 1..1\n' \
		$((i + 1)) "$dir/told" $i > "$dir/at$i"
done
: >"$dir/told"
TEST_SECONDS=60 TEST_TELL=ended JOBS=3 TEST_LIST="$dir/at1 $dir/at2 $dir/at3" tests/run >"$dir/told"
told_in "3 2 1" "or as they end, where that is asked"
echo "1..$n"
