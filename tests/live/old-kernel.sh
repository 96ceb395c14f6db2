#!/bin/bash
# A kernel older than those that programs were seen to run on: nft judges, and the status says why. It only says that it is one
# (personality(2), UNAME26).
. tests/lib/live.bash
servers 80
bundle $lab/edge.tegb
printf '#!/bin/sh\nexec setarch --uname-2.6 %s/tegd "$@"\n' "$BUILD" >$lab/old
chmod +x $lab/old
tegd=$lab/old

ok "tegd starts with a bundle" tegd_start --engine auto --bundle $lab/edge.tegb
is "$(status .engine)" nft "nft judges on arrival"
holds "$(status '.interfaces[0].reason')" "XDP and TC judge from Linux 6.1 on, and this is 2.6" "and it is told why"
is "$(reaches 80)" open "an admitted service is reached"
is "$(pings 10.9.0.1 -I 203.0.113.5)" silent "a blocked source is cut"
tegd_end TERM
rm -rf $lab/state

ok "with XDP asked for it starts as well" tegd_start --engine native
ok "but takes no policy" [ "$(ctl apply $lab/edge.tegb >$lab/said 2>&1; echo $?)" != 0 ]
holds "$(cat $lab/said)" "this is 2.6" "and says why"
done_testing
