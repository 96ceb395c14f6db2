#!/bin/bash
# What a host may keep from tegd: said by its name where it is missed, and never half-way.
. tests/lib/live.bash
bundle $lab/edge.tegb

# A program can be loaded and attached without it, and then never be replaced.
without() { # without CAPABILITY COMMAND...: whoever starts it
	printf '#!/bin/sh\nexec setpriv --bounding-set=-%s --inh-caps=-%s %s/tegd "$@"\n' $1 $1 "$BUILD" >$lab/tegd
	chmod +x $lab/tegd
	tegd=$lab/tegd
}
without sys_admin
ok "without CAP_SYS_ADMIN tegd starts" tegd_start --bundle $lab/edge.tegb
is "$(status .engine)" nft "nft judges"
holds "$(status '.interfaces[0].reason')" CAP_SYS_ADMIN "and the reason names what is lacking"
ok "another policy follows" ctl apply $lab/edge.tegb
is "$(status '[.generation, .intact] | tostring')" "[2,true]" "whole"
tegd_end TERM
forget
for engine in native tc; do
	holds "$(timeout 10 $tegd --state-dir $lab/state --run-dir $lab/run --pin-dir $lab/bpf/teg --engine $engine 2>&1)" CAP_SYS_ADMIN "$engine, asked for outright, is refused with that name"
	forget
done
tegd=

# A bundle is larger than a file may be.
printf '#!/bin/sh\nulimit -f 64\nexec %s/tegd "$@"\n' "$BUILD" >$lab/tegd
tegd=$lab/tegd
ok "where files may have 64 KiB tegd starts" tegd_start
holds "$(ctl apply $lab/edge.tegb 2>&1)" "File too large" "a bundle that cannot be kept is refused, and it is said why"
ok "and it goes on" kill -0 $tegd_pid
is "$(status .generation)" 0 "with nothing in force"
tegd_end TERM

# Too few open files for the api, whose descriptors have numbers of their own. Nobody is asked then, who would wait for an answer.
(ulimit -n 40 && exec "$BUILD/tegd" --state-dir $lab/state --run-dir $lab/run --pin-dir $lab/bpf/teg --bundle $lab/edge.tegb) >$lab/few 2>&1 &
few=$!
says() { grep -o -m1 "$1" $lab/few; }
ok "where the api may have too few files that is said" soon "the api cannot be started: it may not have enough open files" says "the api cannot be started: it may not have enough open files"
ok "and the policy is in force all the same" soon "generation 1 is in force" says "generation 1 is in force"
kill $few
wait $few
done_testing
