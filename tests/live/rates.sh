#!/bin/bash
# What a rollout does to the buckets of a reflex, on every engine: kept while its rate is the same, begun anew where it changes.
. tests/lib/live.bash

# of COUNT PINGS: how many are answered
of() { outside ping -i 0.01 -W 2 -c "$1" -q 10.9.0.1 2>/dev/null | sed -n 's/.* \([0-9]*\) received.*/\1/p'; }

# rated OUT VERSION WHEN
rated() { bundle "$1" "s/version \"1\"/version \"$2\"/; \$a reflex pings {\n match icmp echo on wan\n when rate $3\n do drop\n}"; }
rated $lab/one.tegb 1 "per source > 3 per 1h"
rated $lab/two.tegb 2 "per source > 3 per 1h"
rated $lab/more.tegb 3 "per source > 5 per 1h"
rated $lab/slower.tegb 4 "per source > 5 per 2h"
rated $lab/nets.tegb 5 "per source\/24 > 5 per 2h"
rated $lab/to.tegb 6 "per destination\/24 > 5 per 2h"

declare -A named=([native]=xdp-native [generic]=xdp-generic [tc]=tc [nft]=nft)
for engine in native generic tc nft; do
	ok "$engine: tegd starts" tegd_start --engine $engine --bundle $lab/one.tegb
	is "$(status .engine)" ${named[$engine]} "$engine: judges"
	is "$(of 5)" 3 "$engine: three of an hour, and no more"
	ctl apply $lab/two.tegb >/dev/null
	is "$(of 2)" 0 "$engine: a rollout that leaves the rate as it is keeps the buckets"
	ctl apply $lab/more.tegb >/dev/null
	is "$(of 7)" 5 "$engine: of another rate they begin anew, full"
	ctl apply $lab/slower.tegb >/dev/null
	is "$(of 7)" 5 "$engine: so of another time"
	ctl apply $lab/nets.tegb >/dev/null
	is "$(of 7)" 5 "$engine: of sources cut shorter"
	ctl apply $lab/to.tegb >/dev/null
	is "$(of 7)" 5 "$engine: and of destinations in place of sources, who were others"
	tegd_end TERM
	forget
done
done_testing
