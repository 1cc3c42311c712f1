#!/usr/bin/env bash
# Puts the foreign peers where peers.py looks for them, apart from the project's own environment: they bring the MCP
# SDKs and a hundred packages that nothing here may come to lean on. What is there already is left as it is.
set -euo pipefail
cd "$(dirname "$0")"
peers=$(cd ../.. && pwd)/.peers
uv=$peers/uv/bin/uv

[ -x "$uv" ] || { python3 -m venv "$peers/uv" && "$peers/uv/bin/pip" install -q uv==0.13.8; }
for list in requirements/*.txt; do
  venv=$peers/$(basename "$list" .txt)
  [ -x "$venv/bin/python" ] || "$uv" venv -q --python python3 --no-python-downloads "$venv"
  "$uv" pip sync -q --system-certs --compile-bytecode --python "$venv/bin/python" "$list"
done

../conformance/install.sh # whose Node.js all others run on
# npm's own record of what it installed is newer than the lock file that it was made from.
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --loglevel=error
