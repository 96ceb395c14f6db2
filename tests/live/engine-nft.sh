#!/bin/bash
# tegd with engine nft: see tests/lib/engine.bash.
ENGINE=nft
. tests/lib/engine.bash
