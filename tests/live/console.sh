#!/bin/bash
# The web console of a real tegd in a headless Chromium.
. tests/lib/live.bash

chromium=$(command -v chromium-headless-shell chromium | head -1)
[ "$chromium" ] || { echo "1..0 # SKIP no Chromium is installed (apt-get install chromium-headless-shell)"; exit 0; }
umask 077
"$BUILD/tegctl" token look viewer $lab/look.token > $lab/tokens
bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/; s/ping:/echo_in:/'
ok "tegd starts" tegd_start --engine "${ENGINE:-native}" --bundle $lab/one.tegb --listen 127.0.0.1:8765 --tokens $lab/tokens
outside ping -q -i 0.02 -W 0.1 -I 203.0.113.5 10.9.0.1 >/dev/null &
HOME=$lab XDG_RUNTIME_DIR=$lab timeout 300 python3 tests/lib/console.py "$chromium" $lab/run/api.sock http://127.0.0.1:8765 $lab/look.token $lab/chromium $lab/two.tegb \
	> $lab/claims 2> $lab/claims.err
is "$?: $(tail -1 $lab/claims.err)" "0: " "all of it was tried"
while IFS=$'\t' read -r claim wrong; do is "$wrong" "" "$claim"; done < $lab/claims
done_testing
