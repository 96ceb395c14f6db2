#!/bin/bash
# The same where TC judges: the link of TCX gets the other version's anchor.
# Runs: later/tegc later/tegd other/tegc other/tegd
exec tests/live/upgrade.sh tc
