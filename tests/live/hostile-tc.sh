#!/bin/bash
# Frames that contradict themselves, engine tc: see tests/lib/hostile.bash.
ENGINE=tc
. tests/lib/hostile.bash
