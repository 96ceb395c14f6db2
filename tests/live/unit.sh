#!/bin/bash
# tegd does its work with the capabilities that its systemd unit leaves it.
. tests/lib/live.bash

bundle $lab/one.tegb
bundle $lab/two.tegb 's/version "1"/version "2"/'
only=$(sed -n 's/^CapabilityBoundingSet=//p' enforcer/systemd/tegd.service | tr A-Z a-z | sed 's/cap_/+/g')
bits() { # bits HEX: how many are set
	local n=0 left=$((16#$1))
	while [ $left != 0 ]; do n=$((n + (left & 1))) left=$((left >> 1)); done
	echo $n
}
mkdir $lab/bin
cp "$BUILD/tegctl" "$BUILD/tegc" $lab/bin/
cat > $lab/bin/tegd <<END
#!/bin/sh
exec setpriv --bounding-set "-all,${only// /,}" --inh-caps=-all --no-new-privs "$BUILD/tegd" "\$@"
END
chmod +x $lab/bin/tegd
BUILD=$lab/bin

for engine in nft native; do
	ok "$engine: tegd starts" tegd_start --engine $engine --bundle $lab/one.tegb
	is "$(bits "$(sed -n 's/^CapBnd:\t//p' /proc/$tegd_pid/status)")" "$(wc -w <<<"$only")" "$engine: with nothing beside"
	ok "$engine: a policy is applied" ctl apply $lab/two.tegb
	ok "$engine: a posture is switched" ctl posture LOCKDOWN
	is "$(status '.intact, .posture' | xargs)" "true LOCKDOWN" "$engine: and all of it stands"
	tegd_end KILL
	ok "$engine: tegd starts again" tegd_start --engine $engine
	is "$(status '.adopted, .intact' | xargs)" "adopted true" "$engine: and adopts what it finds"
	tegd_end TERM
	rm -rf $lab/state $lab/bpf/teg
	nft flush ruleset
done
done_testing
