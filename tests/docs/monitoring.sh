#!/bin/bash
# Alert rules and dashboard: Prometheus takes them, and they name what the API gives.
set -u
cd "$(dirname "$0")/../.." || exit 1
rules=enforcer/monitoring/alerts.yml board=enforcer/monitoring/dashboard.json job=enforcer/monitoring/prometheus.yml
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0

# ok CLAIM OUTPUT-FILE: holds when the last command did.
ok() {
	local rc=$?
	n=$((n + 1))
	[ $rc = 0 ] && { echo "ok $n - $1"; return; }
	echo "not ok $n - $1"
	sed 's/^/# /' "${2:-/dev/null}"
}
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }

# Of two lists, what stands in the first alone; holds when nothing does.
only_in_first() {
	comm -23 <(sort -u "$1") <(sort -u "$2") > "$tmp/only"
	[ ! -s "$tmp/only" ]
}

expressions() {
	jq -r '[.. | objects | .expr? // empty] | unique[]' $board
}

if command -v promtool >/dev/null; then
	promtool check rules $rules > "$tmp/out" 2>&1
	ok "promtool takes the alert rules" "$tmp/out"
	sed "s|ALERTS\]|$PWD/$rules]|" tests/docs/alerts.test.yml > "$tmp/test.yml"
	promtool test rules "$tmp/test.yml" > "$tmp/out" 2>&1
	ok "a healthy host is quiet, and each trouble fires its alert" "$tmp/out"
	sed "s|/usr/share/tegumentar/monitoring|$PWD/enforcer/monitoring|; s|/etc/prometheus/tegumentar.token|/dev/null|" $job > "$tmp/job.yml"
	promtool check config "$tmp/job.yml" > "$tmp/out" 2>&1
	ok "promtool takes the scrape job" "$tmp/out"
	expressions | sed 's/\$__rate_interval/1m/g; s/\$instance/.*/g' |
		jq -R -s '{groups: [{name: "board", rules: [split("\n")[] | select(. != "") | {record: "a:b", expr: .}] |
			to_entries | map(.value + {record: "a:b\(.key)"})}]}' > "$tmp/board.yml"
	promtool check rules "$tmp/board.yml" > "$tmp/out" 2>&1 && grep -q 'SUCCESS: [1-9][0-9]* rules' "$tmp/out"
	ok "promtool takes every expression of the dashboard" "$tmp/out"
else
	skip "promtool takes the alert rules" "promtool is not installed"
fi

sed -n 's/^METRIC([A-Z_]*, *"\([a-z_]*\)".*/\1/p' enforcer/api/metric.def > "$tmp/known"
grep -ohE 'tegumentar_[a-z_]+' $rules $board > "$tmp/named"
[ -s "$tmp/known" ] && only_in_first "$tmp/named" "$tmp/known"
ok "every metric named is one that the API gives" "$tmp/only"
expressions | grep -oE 'tegumentar_[a-z_]+' > "$tmp/shown"
only_in_first "$tmp/known" "$tmp/shown"
ok "every metric that the API gives is shown by the dashboard" "$tmp/only"

# The labels that docs/metrics.md gives; job and instance are Prometheus' own.
{ sed -n 's/^| `tegumentar_[a-z_]*` | [a-z]* | \([^|]*\)|.*/\1/p' docs/metrics.md | grep -oE '`[a-z]+`' | tr -d '`'; echo job; echo instance; } > "$tmp/labels"
{ grep -ohE '[a-z_]+(=|=~|!=|!~)\\?"' $rules $board | grep -oE '^[a-z_]+'
  grep -ohE '(by|without) \([a-z, ]+\)' $rules $board | sed 's/.*(//; s/[),]/ /g' | tr -s ' ' '\n'; } | grep . > "$tmp/used"
only_in_first "$tmp/used" "$tmp/labels"
ok "every label named is one that docs/metrics.md gives" "$tmp/only"

sed -n 's/^ *- alert: //p' $rules | while read -r alert; do grep -q "^| \`$alert\` |" docs/monitoring.md || echo "$alert"; done > "$tmp/out"
[ ! -s "$tmp/out" ]
ok "docs/monitoring.md says what to do about each alert" "$tmp/out"
grep -q "TEG_BLOCKS_MAX 131072u" bpf-templates/abi.h && grep -q 'room for 131072' $rules
ok "there is room for as many blocks as the alert says" 
echo "1..$n"
