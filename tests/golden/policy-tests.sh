#!/bin/bash
# tegc test, coverage and mutants: docs/policy-tests.md shows what is said.
set -u
cd "$(dirname "$0")/../.." && . tests/lib/prompt.bash || exit 1

page=docs/policy-tests.md
awk '/^```teg$/ { on = 1; next } /^```/ { on = 0 } on' $page >"$dir/shop.teg"
awk '/^```console$/ { on = 1; next } /^```/ { on = 0 } on' $page >"$dir/console"
awk -v dir="$dir" '/^\$ tegc / { i++; sub(/^\$ tegc /, ""); print > (dir "/command." i); next } { print > (dir "/want." i) }' "$dir/console"
for i in 1 2 3; do
	read -ra words <"$dir/command.$i"
	(cd "$dir" && "$tegc" "${words[@]}" >out 2>&1)
	diff "$dir/want.$i" "$dir/out" >"$dir/differ"
	ok "the page shows what is said: tegc ${words[*]}" "$dir/differ"
done

exits 0 "coverage alone is no verdict" "$tegc" test --coverage shop.teg
says "4 of 8 rules decide packets of tests" "and counts"
says_nothing_of "WEB.dns " "and names only the rules that decided none"
exits 2 "a mutant that survives is 2" "$tegc" test --mutants shop.teg

# A test that fails comes first; a policy whose every rule is tested has no survivor.
sed 's/self:22 syn on wan  => drop/self:22 syn on wan  => allow/' "$dir/shop.teg" >"$dir/failing.teg"
exits 2 "a failing test is 2" "$tegc" test --mutants --coverage failing.teg
says_nothing_of mutants "and then nothing is mutated"
cat >"$dir/small.teg" <<'TEG'
posture ALL {
    default drop
    ssh: allow tcp to self port 22
}

test "all of it" {
    posture ALL
    tcp 192.0.2.1:1 -> self:22          => allow by ssh
    tcp 192.0.2.1:1 -> self:23          => drop
    udp 192.0.2.1:1 -> self:22          => drop
    tcp 192.0.2.1:1 -> 192.0.2.9:22     => drop
    tcp 192.0.2.1:1 -> 192.0.2.9:22 forward => drop
    tcp 192.0.2.9:1 -> 192.0.2.1:22 out => drop
}
TEG
exits 0 "a policy whose tests notice everything is 0" "$tegc" test --mutants small.teg
says "small.teg: 7 mutants: 7 noticed, 0 without effect, 0 not noticed" "and says so"
sed -i '/forward => drop/d' "$dir/small.teg"
exits 2 "one packet less" "$tegc" test --mutants small.teg
says "small.teg:2:5  ALL.default.forward  allow instead of drop" "and it is missed"

# The same rule before another posture's: reach is counted for the rule as it was written.
exits 0 "coverage of all rules" "$tegc" test --coverage --all shop.teg
says "shop.teg:13:5  WEB.web" "the rule of one posture"
says "shop.teg:19:5  HARDENED.web" "and the one that replaces it in another are two"

# --- what a test may say ----------------------------------------------------------------

cat >"$dir/base.teg" <<'TEG'
zone wan = "eth0"

lifeline {
    owner: tcp from 203.0.113.0/24 to self port 22
}

reflex flood {
    match tcp flags syn/syn+ack on wan
    when  rate per source > 10 per 1s
    do    drop source for 60s
}

posture WEB {
    default drop
    web:    allow tcp to self port [80, 443]
    telnet: reject tcp to self port 23
}
TEG
with() { # NAME: the policy, and the lines of standard input in a test of it
	{ cat "$dir/base.teg"; echo; echo 'test "one" {'; cat; echo '}'; } >"$dir/$1.teg"
}

with good <<'TEG'
    posture WEB
    forall tcp to self port [80, 443] => allow by web
    forall tcp from 198.51.100.0/24 to self port 22 => drop by default
    forall tcp from 203.0.113.0/24 to self port 22 => allow by lifeline
    forall tcp to self port 23 => reject by WEB.telnet
    forall forward ip => drop
    10 * (tcp 198.51.100.7:9 -> self:80 syn on wan) => allow by web
    after 100ms
    tcp 198.51.100.7:9 -> self:80 syn on wan        => allow by web
    tcp 198.51.100.7:9 -> self:80 syn on wan        => drop by flood
    after 59s
    tcp 198.51.100.7:9 -> self:80 syn on wan        => drop by blocked
    after 1s
    tcp 198.51.100.7:9 -> self:80 syn on wan        => allow by web
    table PROTO SRC:9 -> self:PORT on wan {
        PROTO SRC           PORT
        udp   198.51.100.8  80    => drop by default
        tcp   203.0.113.9   22    => allow by lifeline
        tcp   "2001:db8::7" 443   => allow by web
    }
TEG
sed -i 's/"2001:db8::7" 443  /2001:db8::7   443  /' "$dir/good.teg"
exits 0 "claims, time and tables hold" "$tegc" test good.teg
says "good.teg: 1 passed, 0 failed" "as one test"
exits 0 "and build" "$tegc" build good.teg -o good.tegb
tar xOf "$dir/good.tegb" policy/resolved.teg >"$dir/resolved.teg"
exits 0 "the resolved policy has them too" "$tegc" test resolved.teg
says "resolved.teg: 1 passed, 0 failed" "and they hold"

with some <<'TEG'
    posture WEB
    forall tcp to self port 22 => drop
TEG
exits 2 "a claim that is not so is 2" "$tegc" test some.teg
says 'expected every one of these packets to be dropped, and some are not' "says what was claimed"
says 'for example: tcp 203.0.113.9:50000 -> self:22 syn on wan: allow by `owner`' "and shows a packet"
with reject <<'TEG'
    posture WEB
    forall tcp to self port 23 => drop
TEG
exits 2 "a packet that is rejected is not dropped" "$tegc" test reject.teg
with by <<'TEG'
    posture WEB
    forall tcp to self port [80, 443] => allow by telnet
TEG
exits 2 "nor allowed by another rule" "$tegc" test by.teg
with blocked <<'TEG'
    posture WEB
    forall tcp to self port 80 => drop
TEG
exits 2 "that a source may be blocked makes no drop" "$tegc" test blocked.teg
with late <<'TEG'
    posture WEB
    11 * (tcp 198.51.100.7:9 -> self:80 syn on wan) => last drop by flood
    after 59999ms
    tcp 198.51.100.7:9 -> self:80 syn on wan        => allow
TEG
exits 2 "time passes as it is said" "$tegc" test late.teg
says 'got drop by `blocked`' "and no more"
with row <<'TEG'
    posture WEB
    table tcp 198.51.100.7:9 -> self:PORT on wan {
        PORT
        80   => allow
        81   => allow
    }
TEG
exits 2 "a row that does not hold is 2" "$tegc" test row.teg
says "row.teg:24:9" "and has a place of its own"

with mistakes <<'TEG'
    refuses E0201 { block nowhere }
    refuses E0202 { zone wan = "eth7" }
    refuses E0710 {
        posture NIGHT {
            default drop
            a: allow tcp
            a: allow udp
        }
    }
TEG
exits 0 "mistakes that are expected" "$tegc" test mistakes.teg
with right <<'TEG'
    refuses E0202 { zone lan = "eth7" }
TEG
exits 2 "what is no mistake is 2" "$tegc" test right.teg
says 'expected E0202, but this is no mistake' "and told"
with other <<'TEG'
    refuses E0202 { block nowhere }
TEG
exits 2 "another mistake is 2" "$tegc" test other.teg
says 'expected E0202, got E0201' "and told"
exits 0 "and nothing of it is a mistake of the policy" "$tegc" check --no-proofs other.teg

with todo <<'TEG'
    todo "with the new mail host"
    posture WEB
    forall tcp to self port 25 => allow
TEG
exits 0 "a test that is to come may fail" "$tegc" test todo.teg
says "todo.teg: 0 passed, 0 failed, 1 to do" "and is counted apart"
sed -i 's/port 25/port 80/' "$dir/todo.teg"
exits 0 "when it holds" "$tegc" test todo.teg
says "warning[E0814]" "it is told of"

with claims <<'TEG'
    posture WEB
    forall tcp to self port [80, 443] => allow by web
    forall tcp to self port 23 => reject by telnet
    forall tcp from 203.0.113.0/24 to self port 22 => allow by lifeline
    forall tcp from 198.51.100.0/24 to self port 22 => drop by default
    forall forward ip => drop
TEG
exits 2 "claims notice mutants" "$tegc" test --mutants claims.teg
says_nothing_of ", deleted" "as packets do"
says_nothing_of "default.forward" "all of them"
says "WEB.default.out" "but what nothing is said of"

cat >>"$dir/claims.teg" <<'TEG'

invariant nothing_leaves {
    in every posture: out udp is dropped
}
TEG
exits 2 "an invariant beside the tests" "$tegc" test --mutants claims.teg
says_nothing_of "WEB.default.out" "notices mutants too"

echo "1..$n"
