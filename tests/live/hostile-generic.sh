#!/bin/bash
# Frames that contradict themselves, engine generic: see tests/lib/hostile.bash.
ENGINE=generic
. tests/lib/hostile.bash
