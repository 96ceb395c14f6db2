#!/bin/bash
# Rollouts under load, engine native: see tests/lib/rollout.bash.
ENGINE=native
. tests/lib/rollout.bash
