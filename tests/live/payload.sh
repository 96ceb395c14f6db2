#!/bin/bash
# Reflexes look into what really comes: a request with a bad path ends, a good one is served; rates and blocks of sources; and where XDP does not judge, the policy is refused.
. tests/lib/live.bash

get() { outside curl -s -o /dev/null -w '%{http_code}' --max-time "$TEST_PATIENCE" "${@:2}" "http://${host-10.9.0.1}/$1"; } # get PATH [CURL-ARGUMENT...]
reflexes='reflex traversal { match tcp to self port 80 payload /\\\/\\.\\.(\\\/|%2f)/i within 900 on wan\n do drop }\
reflex sqli { match tcp to self port 80 payload /union(\\s|\\+|%20)+select/i on wan\n do drop source for 1h }\
reflex probes { match udp to self port 53 payload /^\\x00\\x01/ on wan\n when rate per source > 2 per 1h\n do drop }'
bundle $lab/one.tegb "s/web:  .*/&\n    dns: allow udp to self port 53/; \$a $reflexes"

cat > $lab/nginx.conf <<END
daemon off; pid $lab/nginx.pid; error_log $lab/nginx.log; worker_processes 1;
events {}
http { access_log off; merge_slashes off; client_body_temp_path $lab; proxy_temp_path $lab; fastcgi_temp_path $lab; uwsgi_temp_path $lab; scgi_temp_path $lab;
server { listen 80; listen [::]:80; location / { return 200 "here\n"; } } }
END
nginx -c $lab/nginx.conf 2>>$lab/log &
until ss -Hltn "sport = 80" | grep -q . ; do sleep 0.02; done
nc -4 -ukl 53 > $lab/heard 2>/dev/null &

ok "tegd starts with a policy that looks into payloads" tegd_start --engine "${ENGINE:-native}" --bundle $lab/one.tegb
is "$(get index.html)" 200 "a good request is served"
is "$(get a%2Fb?q=union+of+selects)" 200 "so is one that has the words, but not in a row"
is "$(get --path-as-is)" 200 "and one that only looks odd"
is "$(get cgi/../../etc/passwd --path-as-is)" 000 "a bad path gets no answer"
ok "it is counted as the reflex's" [ "$(counter reflex.traversal)" -ge 1 ]
is "$(get x/..%2Fetc --path-as-is)" 000 "in any case of letters"
is "$(host='[fd00:9::1]' get a/../b --path-as-is -g)" 000 "over IPv6 too"
is "$(get "" -A "$(printf 'x%.0s' {1..1000})" -H 'X: /../y')" 200 "what comes later than it looks is served"
for i in 1 2 3 4; do outside bash -c "printf '\0\1tell$i' > /dev/udp/10.9.0.1/53"; done
ok "of four from a source two are over, and counted" soon 2 counter reflex.probes
told() { tr -d '\0\1' <$lab/heard; }
ok "the two before them were let by" soon tell1tell2 told
is "$(get "?q=1%20UNION%20%20SELECT")" 000 "what a source is blocked for is dropped"
is "$(get index.html)" 000 "and then whatever it asks"
holds "$(ctl block 2>&1)" "10.9.0.2" "the source is listed"
is "$(ctl metrics | sed -n 's/^tegumentar_.*payload.* //p' | sort -u | head -1)" 0 "nothing was unread"
tegd_end TERM

rm -rf $lab/state
ok "with nft alone tegd starts without it" tegd_start --engine nft --pin-dir $lab/bpf/other --bundle $lab/one.tegb
holds "$(cat $lab/log)" "do not judge (nft was asked for)" "and says why"
holds "$(cat $lab/log)" "patterns in payloads (reflex." "and for which rule"
done_testing
