#!/bin/bash
# Rollouts under load, engine nft: see tests/lib/rollout.bash.
ENGINE=nft
. tests/lib/rollout.bash
