"""Our client before the official conformance suite, which starts it: ``python -m tests.conformance.client URL``.

The suite names the scenario, the wire and what else there is to know in the environment; it looks at what is sent.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

SCENARIO = os.environ["MCP_CONFORMANCE_SCENARIO"]
WIRE = os.environ["MCP_CONFORMANCE_PROTOCOL_VERSION"]
CONTEXT = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")

if SCENARIO.startswith("auth/"):
    sys.exit("there is no OAuth here yet")  # at once: the suite starts all its clients together

import trio  # noqa: E402

import runtime  # noqa: E402
import runtime.protocol as protocol  # noqa: E402

NAME = "suite"


async def fill_in(server: str, asked: protocol.ElicitParams) -> protocol.ElicitResult:
    """Accept a form as it is, and say yes to what has no default."""
    fields = asked.requested_schema.properties
    content = {name: True if each.default is None else each.default for name, each in fields.items()}
    return protocol.ElicitResult(action="accept", content=content)


async def main(url: str) -> None:
    era = "modern" if WIRE >= "2026" else "legacy"
    server = {"url": url, "type": "http", "era": era}
    config = {"mcpServers": {NAME: server}, "journal": False}
    async with runtime.open_runtime(config, elicitation=fill_in) as host:
        status = host.status(NAME)[NAME]
        if status.state is not runtime.State.READY:
            raise status.last_error or RuntimeError(f"it is {status.state.value}")
        await play(host)


async def play(host: runtime.Runtime) -> None:
    """Do what the scenario waits for; for some it is enough to be connected and to have listed."""
    match SCENARIO:
        case "tools_call":
            await call(host, "add_numbers", {"a": 5, "b": 3})
        case "elicitation-sep1034-client-defaults":
            await call(host, "test_client_elicitation_defaults")
        case "sse-retry":
            await call(host, "test_reconnection")
        case "sep-2322-client-request-state":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(call, host, "test_mrtr_echo_state")
                nursery.start_soon(call, host, "test_mrtr_unrelated")
            await call(host, "test_mrtr_no_state")
            await call(host, "test_mrtr_no_result_type")
        case "http-standard-headers":
            for entry in host.tools():
                await call(host, entry.name)
            for entry in host.resources():
                await host.read_resource(NAME, entry.uri)
            for entry in host.prompts():
                await host.get_prompt(NAME, entry.name)
        case "http-custom-headers":
            for each in CONTEXT["toolCalls"]:
                await call(host, each["name"], each["arguments"])
        case "http-invalid-tool-headers":
            for entry in host.tools():
                await call(host, entry.name, {"region": "north"})
        case "json-schema-2020-12-preservation":
            focal = next(entry.tool for entry in host.tools() if entry.name != "json_schema_echo")
            await call(host, "json_schema_echo", {"schema": focal.input_schema})


async def call(host: runtime.Runtime, tool: str, arguments: Mapping[str, Any] | None = None) -> None:
    await host.call(NAME, tool, arguments)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
