#!/bin/bash
# Rollouts under load, engine generic: see tests/lib/rollout.bash.
ENGINE=generic
. tests/lib/rollout.bash
