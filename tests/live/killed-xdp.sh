#!/bin/bash
# The same with XDP before the driver.
exec "${BUILD:-build}/tests/live/killed" native
