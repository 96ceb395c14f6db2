#!/bin/bash
# Frames that contradict themselves, engine nft: see tests/lib/hostile.bash.
ENGINE=nft
. tests/lib/hostile.bash
