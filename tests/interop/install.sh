#!/usr/bin/env bash
# Puts the foreign servers where conftest.py looks for them, apart from the project's own environment:
# they bring the MCP SDK and some thirty packages that nothing here may come to lean on.
set -euo pipefail
cd "$(dirname "$0")"
python3 -m venv ../../.peers
../../.peers/bin/pip install -q -r requirements.txt
npm ci --loglevel=error
