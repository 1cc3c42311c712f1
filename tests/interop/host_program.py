"""A host that opens one server behind npx, says so, and waits to be killed."""

# ruff: noqa: T201
import json
import sys

import trio

import runtime


async def main() -> None:
    async with runtime.open_runtime(json.loads(sys.argv[1])) as host:
        print(await host.call("behind", "get-sum", {"a": 2, "b": 3}), flush=True)
        await trio.sleep_forever()


trio.run(main)
