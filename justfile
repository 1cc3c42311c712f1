# Each recipe is one line over a command that the README or CONTRIBUTING.md gives.

# Open the console on the built-in fleet
run *ARGS:
    python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/python -m runtime {{ ARGS }}

# Run the tests
test *ARGS:
    python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && .venv/bin/pytest {{ ARGS }}

# Lint, formatting, types, imports
check:
    .venv/bin/ruff check && .venv/bin/ruff format --check && .venv/bin/mypy && .venv/bin/lint-imports

# Run the kernel's tests; list the branches of `actors` that none of them takes, and fail if there is one
cover:
    .venv/bin/coverage run -m pytest tests/actors && .venv/bin/coverage report

# Plant each known bug and see that a property finds it
mutants:
    .venv/bin/python -m tests.actors.bites

# Give both connections broken lines for so many seconds
fuzz SECONDS='60':
    .venv/bin/python -m tests.runtime.protocol.fuzz {{ SECONDS }}

# What Erlang's supervisor was recorded to do, replayed on ours
otp *FILES='tests/actors/data/otp-traces.jsonl':
    .venv/bin/python -m tests.otp_replay {{ FILES }}

# Measure against the floors
bench:
    for file in kernel codec stdio http_client startup; do .venv/bin/python benchmarks/$file.py; done

# A hundred rounds of start, call, kill, call, leave; a thousand restarts; a fleet left alone for a minute; a million messages to failing actors
soak:
    .venv/bin/python -m tests.rounds 100 && .venv/bin/python -m tests.restarts 1000 && .venv/bin/python -m tests.idle 60 && .venv/bin/python -m tests.actors.soak

# Install the foreign servers, then test against them
interop *ARGS:
    tests/interop/install.sh && GREENROOM_REQUIRE_PEERS=1 .venv/bin/pytest tests/interop -n 2 {{ ARGS }}

# Ask every foreign server everything, and write down what comes of it: docs/interop.md
matrix *ARGS:
    tests/interop/install.sh && .venv/bin/python -m tests.interop.matrix {{ ARGS }}

# The official conformance suite, in the client's role
conformance:
    tests/conformance/install.sh && .venv/bin/python -m tests.conformance.run
