#!/bin/bash
# The same where XDP judges in generic mode, behind the making of a socket buffer.
exec tests/live/upgrade.sh generic
