#!/bin/bash
# tegd with engine native: see tests/lib/engine.bash.
ENGINE=native
. tests/lib/engine.bash
