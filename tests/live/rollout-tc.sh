#!/bin/bash
# Rollouts under load, engine tc: see tests/lib/rollout.bash.
ENGINE=tc
. tests/lib/rollout.bash
