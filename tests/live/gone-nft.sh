#!/bin/bash
# The same where nft judges.
exec "${BUILD:-build}/tests/live/gone" nft
