#!/usr/bin/env bash
# Puts the official conformance suite, and the Node.js that it needs, into node_modules here. What is there stays.
set -euo pipefail
cd "$(dirname "$0")"
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --loglevel=error
