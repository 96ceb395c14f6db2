#!/bin/bash
# The same by TC, where what a sender on this host wrote lies in pages beside its headers.
ENGINE=tc exec "${0%/*}/payload.sh"
