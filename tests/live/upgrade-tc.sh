#!/bin/bash
# The same where TC judges: the link of TCX gets the other version's anchor.
exec tests/live/upgrade.sh tc
