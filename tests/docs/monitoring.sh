#!/bin/bash
# Alert rules and dashboard: Prometheus takes them, and they name what the API gives.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/tap.bash || exit 1
rules=enforcer/monitoring/alerts.yml board=enforcer/monitoring/dashboard.json job=enforcer/monitoring/prometheus.yml

# Of two lists, what stands in the first alone; holds when nothing does.
only_in_first() {
	comm -23 <(sort -u "$1") <(sort -u "$2") > "$dir/only"
	[ ! -s "$dir/only" ]
}

expressions() {
	jq -r '[.. | objects | .expr? // empty] | unique[]' $board
}

if command -v promtool >/dev/null; then
	promtool check rules $rules > "$dir/out" 2>&1
	ok "promtool takes the alert rules" "$dir/out"
	sed "s|ALERTS\]|$PWD/$rules]|" tests/docs/alerts.test.yml > "$dir/test.yml"
	promtool test rules "$dir/test.yml" > "$dir/out" 2>&1
	ok "a healthy host is quiet, and each trouble fires its alert" "$dir/out"
	sed "s|/usr/share/tegumentar/monitoring|$PWD/enforcer/monitoring|; s|/etc/prometheus/tegumentar.token|/dev/null|" $job > "$dir/job.yml"
	promtool check config "$dir/job.yml" > "$dir/out" 2>&1
	ok "promtool takes the scrape job" "$dir/out"
	expressions | sed 's/\$__rate_interval/1m/g; s/\$instance/.*/g' |
		jq -R -s '{groups: [{name: "board", rules: [split("\n")[] | select(. != "") | {record: "a:b", expr: .}] |
			to_entries | map(.value + {record: "a:b\(.key)"})}]}' > "$dir/board.yml"
	promtool check rules "$dir/board.yml" > "$dir/out" 2>&1 && grep -q 'SUCCESS: [1-9][0-9]* rules' "$dir/out"
	ok "promtool takes every expression of the dashboard" "$dir/out"
else
	skip "promtool takes the alert rules" "promtool is not installed"
fi

sed -n 's/^METRIC([A-Z_]*, *"\([a-z_]*\)".*/\1/p' enforcer/api/routes/metric.def > "$dir/known"
grep -ohE 'tegumentar_[a-z_]+' $rules $board > "$dir/named"
[ -s "$dir/known" ] && only_in_first "$dir/named" "$dir/known"
ok "every metric named is one that the API gives" "$dir/only"
expressions | grep -oE 'tegumentar_[a-z_]+' > "$dir/shown"
only_in_first "$dir/known" "$dir/shown"
ok "every metric that the API gives is shown by the dashboard" "$dir/only"

# The labels that docs/metrics.md gives; job and instance are Prometheus' own.
{ sed -n 's/^| `tegumentar_[a-z_]*` | [a-z]* | \([^|]*\)|.*/\1/p' docs/metrics.md | grep -oE '`[a-z]+`' | tr -d '`'; echo job; echo instance; } > "$dir/labels"
{ grep -ohE '[a-z_]+(=|=~|!=|!~)\\?"' $rules $board | grep -oE '^[a-z_]+'
  grep -ohE '(by|without) \([a-z, ]+\)' $rules $board | sed 's/.*(//; s/[),]/ /g' | tr -s ' ' '\n'; } | grep . > "$dir/used"
only_in_first "$dir/used" "$dir/labels"
ok "every label named is one that docs/metrics.md gives" "$dir/only"

sed -n 's/^ *- alert: //p' $rules | while read -r alert; do grep -q "^| \`$alert\` |" docs/monitoring.md || echo "$alert"; done > "$dir/out"
[ ! -s "$dir/out" ]
ok "docs/monitoring.md says what to do about each alert" "$dir/out"
grep -q "TEG_BLOCKS_MAX 1048576u" bpf-templates/abi.h && grep -q 'room for 1048576' $rules
ok "there is room for as many blocks as the alert says" 
echo "1..$n"
