#!/bin/bash
# The same with TC before the stack: two slots are switched.
exec "${BUILD:-build}/tests/live/killed" tc
