"""A server of FastMCP 4, both eras at once, with all that it offers: ``fastmcp4.py [stdio | http]``."""

import os
import sys

import anyio
import uvicorn
from fastmcp import Context, FastMCP
from mcp_types import (
    Completion,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    PromptReference,
)
from pydantic import BaseModel

server = FastMCP("fastmcp4", instructions="Ask it anything.")
cancelled = 0


class Person(BaseModel):
    name: str


@server.tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool
async def count(to: int, ctx: Context) -> str:
    """Count, and report each number."""
    for number in range(1, to + 1):
        await ctx.report_progress(number, to, f"at {number}")
    return f"counted to {to}"


@server.tool
async def wait() -> str:
    """Never answer."""
    global cancelled
    try:
        await anyio.sleep_forever()
    except anyio.get_cancelled_exc_class():
        cancelled += 1
        raise
    return "never"


@server.tool
def cancellations() -> int:
    """Tell how many waits were cancelled."""
    return cancelled


@server.tool
async def greet(ctx: Context) -> str | InputRequiredResult:
    """Greet whoever answers. Here it is the tool that must mind the era of its client."""
    if ctx.request_context.protocol_version < "2026":
        answer = await ctx.elicit("Who is there?", Person)
        return f"hello {answer.data.name}"
    if ctx.input_responses:
        return f"hello {ctx.input_responses['who'].content['name']}"
    asked = ElicitRequestFormParams(message="Who is there?", requested_schema=Person.model_json_schema())
    return InputRequiredResult(input_requests={"who": ElicitRequest(params=asked)})


@server.resource("note://static")
def note() -> str:
    return "a note"


@server.resource("note://of/{name}")
def note_of(name: str) -> str:
    return f"a note of {name}"


@server.prompt
def recite(poem: str) -> str:
    """Recite a poem."""
    return f"Recite {poem}."


@server.completion
async def complete(ref, argument, context):
    poems = ["ode", "odyssey", "sonnet"] if isinstance(ref, PromptReference) else ["one", "other"]
    return Completion(values=[poem for poem in poems if poem.startswith(argument.value)])


def serve(app) -> None:
    uvicorn.run(app, port=int(os.environ["PORT"]), log_level="error")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [] | ["stdio"]:
            server.run("stdio", show_banner=False, log_level="ERROR")
        case ["http"]:
            serve(server.http_app())
