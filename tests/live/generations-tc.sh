#!/bin/bash
# The same with TC before the stack.
exec "${BUILD:-build}/tests/live/generations" tc
