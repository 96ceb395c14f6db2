#!/bin/bash
# Frames that contradict themselves, engine native: see tests/lib/hostile.bash.
ENGINE=native
. tests/lib/hostile.bash
