#!/bin/bash
# Each line that tests/demo/run marks is a claim here.
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }
NO_COLOR=1 tests/demo/run 2>&1 | awk '
	/^── /     { engine = $2 == "nft" ? "nft" : "XDP" }
	/^  ✓ /    { sub(/^  ✓ /, ""); print "ok " ++n " - " (engine ? engine ": " : "") $0; next }
	/^  ✗ /    { sub(/^  ✗ /, ""); print "not ok " ++n " - " (engine ? engine ": " : "") $0; bad = 1; next }
	/^All of it held/ { held = 1 }
	           { print "# " $0 }
	END        { print (held ? "" : "not ") "ok " ++n " - the demo came to its end and all of it held"; print "1.." n; exit bad || !held }'
