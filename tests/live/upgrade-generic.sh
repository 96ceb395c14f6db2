#!/bin/bash
# The same where XDP judges in generic mode, behind the making of a socket buffer.
# Runs: later/tegc later/tegd other/tegc other/tegd
exec tests/live/upgrade.sh generic
