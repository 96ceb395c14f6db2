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
check "a missing program is a failure" 'exec /no/such/program' '0 passed, 1 failed, 0 skipped' 1
echo "1..$n"
