#!/bin/bash
# tegd with engine tc: see tests/lib/engine.bash.
ENGINE=tc
. tests/lib/engine.bash
