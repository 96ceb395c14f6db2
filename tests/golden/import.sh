#!/bin/bash
# tegc import: what it writes is a policy in its one spelling; its exit codes.
set -u
tegc=${TEGC:-build/tegc}
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
n=0

ok() { # CLAIM, after a command
	local rc=$?

	n=$((n + 1))
	[ $rc -eq 0 ] && echo "ok $n - $1" || { echo "not ok $n - $1"; sed 's/^/# /' "$tmp/err" "$tmp/out" 2>/dev/null; }
}

run() { # EXIT ARGUMENT...
	local want=$1

	shift
	"$tegc" import "$@" > "$tmp/out" 2> "$tmp/err"
	local got=$?
	[ $got -eq "$want" ] || { echo "exit: want $want, got $got" >> "$tmp/err"; return 1; }
}

cat > "$tmp/whole" <<'END'
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:office - [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -i wan0 -p tcp -m multiport --dports 80,443 -j ACCEPT
-A INPUT -s 192.0.2.0/24 -j office
-A office -s 192.0.2.66/32 -j RETURN
-A office -p tcp -m tcp --dport 22 -m comment --comment "log in" -j ACCEPT
COMMIT
END
run 0 iptables-save "$tmp/whole" -o "$tmp/whole.teg" --report "json=$tmp/report"; ok "a ruleset is imported"
grep -q 'log_in: *allow tcp from .* port 22$' "$tmp/whole.teg"; ok "a comment is a label"
grep -q 'imported whole' "$tmp/err"; ok "and the report says that it is whole"
python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); sys.exit(r["result"] != "whole" or r["rules"] != 6)' "$tmp/report"
ok "in JSON too"
"$tegc" fmt --check "$tmp/whole.teg" > "$tmp/out"; ok "it is in its one spelling"
"$tegc" check --no-proofs "$tmp/whole.teg" > "$tmp/out" 2>&1; ok "it is a policy"

sed '/RELATED/d' "$tmp/whole" > "$tmp/each"
run 2 iptables-save "$tmp/each" -o "$tmp/each.teg"; ok "answers that may not pass there: refused"
[ ! -e "$tmp/each.teg" ]; ok "nothing is written"
run 0 --stateful iptables-save "$tmp/each" -o "$tmp/each.teg" && grep -q 'established recheck' "$tmp/each.teg"; ok "--stateful agrees"
{ printf '*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -s 192.0.2.1/32 -j DROP\nCOMMIT\n'; cat "$tmp/whole"; } > "$tmp/raw"
run 2 --stateful iptables-save "$tmp/raw"; ok "what another table drops: refused"
grep -q 'raw:3: admits-more: ' "$tmp/err"; ok "by its line"
echo 'hello' > "$tmp/not"
run 1 iptables-save "$tmp/not" && grep -q 'line 1: ' "$tmp/err"; ok "no ruleset"
run 66 iptables-save "$tmp/absent"; ok "no file"
run 64 pf "$tmp/whole"; ok "no such format"
run 64 iptables-save; ok "no file is named"
echo "1..$n"
