#!/bin/bash
# The same with XDP before it.
exec "${BUILD:-build}/tests/live/interrupted" native
