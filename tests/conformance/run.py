"""What each revision requires of a client, tried on ours by the official suite: ``python -m tests.conformance.run``.

The suite decides. What it leaves open is decided here: a scenario that is not expected to fail has passed a check.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MODULES = HERE / "node_modules"
SUITE = MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
REVISIONS = ("2025-11-25", "2026-07-28")
PATIENCE = 120  # seconds for a client; the suite starts all of them at once


def run(revision: str, results: Path) -> tuple[int, str]:
    """Run the suite for a revision on that revision's wire; return its exit code and what it said."""
    command = [str(MODULES / ".bin" / "node"), str(SUITE), "client", "--requirements", revision]
    command += ["--command", f"{sys.executable} -m tests.conformance.client", "--timeout", str(PATIENCE * 1000)]
    command += ["--expected-failures", str(HERE / f"expected-failures.{revision}.yml"), "--output-dir", str(results)]
    path = f"{MODULES / '.bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PATH": path}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.returncode, done.stdout


def checks(results: Path) -> dict[str, Counter[str]]:
    """Return how the checks of each scenario came out."""
    found: dict[str, Counter[str]] = {}
    for file in sorted(results.rglob("checks.json")):
        scenario = re.sub(r"-[-0-9]+T[-0-9]+Z$", "", str(file.parent.relative_to(results)))
        found[scenario] = Counter(check["status"] for check in json.loads(file.read_text()))
    return found


def main() -> int:
    bad = False
    with tempfile.TemporaryDirectory() as directory:
        for revision in REVISIONS:
            results = Path(directory) / revision
            code, said = run(revision, results)
            found = {name: counts for name, counts in checks(results).items() if not name.startswith("auth/")}
            untried = [name for name, counts in found.items() if not counts["SUCCESS"]]
            sys.stdout.write(f"{revision}: the suite's verdict is {code}\n")
            for name, counts in found.items():
                sys.stdout.write(f"  {name}: {', '.join(f'{n} {status.lower()}' for status, n in counts.items())}\n")
            if code or untried or not found:
                sys.stdout.write(f"{said}\nnothing was seen of: {', '.join(untried) or 'none'}\n")
                bad = True
    return bad


if __name__ == "__main__":
    sys.exit(main())
