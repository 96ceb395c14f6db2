#!/bin/bash
# tegd with engine generic: see tests/lib/engine.bash.
ENGINE=generic
. tests/lib/engine.bash
