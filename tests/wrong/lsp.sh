#!/bin/bash
# tegc lsp, spoken to by what is no editor.
set -u
cd "$(dirname "$0")/../.." || exit 1
PYTHONDONTWRITEBYTECODE=1 exec python3 tests/lib/lsp_hostile.py "$PWD/${BUILD:-build}/tegc"
