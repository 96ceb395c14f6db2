#!/bin/bash
# tegc lsp, asked over the wire as editors ask.
set -u
cd "$(dirname "$0")/../.." || exit 1
PYTHONDONTWRITEBYTECODE=1 exec python3 tests/lib/lsp_talk.py "$PWD/${BUILD:-build}/tegc"
