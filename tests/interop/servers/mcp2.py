"""A server of the Python SDK 2, both eras at once, with all that it offers: ``mcp2.py [stdio | http | sse]``."""

import os
import sys
from typing import Annotated

import anyio
import uvicorn
from mcp.server.caching import CacheHint
from mcp.server.mcpserver import Context, Elicit, ListRoots, MCPServer, Resolve, Sample
from mcp_types import (
    Completion,
    CreateMessageResult,
    ListRootsResult,
    PromptReference,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel

LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read")
server = MCPServer(
    "mcp2",
    instructions="Ask it anything.",
    cache_hints={method: CacheHint(ttl_ms=60_000, scope="public") for method in LISTS},
    log_level="ERROR",
)
cancelled = 0


class Person(BaseModel):
    name: str


def who() -> Elicit[Person]:
    return Elicit("Who is there?", Person)


def thought() -> Sample:
    return Sample([SamplingMessage(role="user", content=TextContent(type="text", text="Say something."))], max_tokens=9)


def places() -> ListRoots:
    return ListRoots()


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
async def count(to: int, ctx: Context) -> str:
    """Count, and report each number."""
    for number in range(1, to + 1):
        await ctx.report_progress(number, to, f"at {number}")
    return f"counted to {to}"


@server.tool()
async def wait() -> str:
    """Never answer."""
    global cancelled
    try:
        await anyio.sleep_forever()
    except anyio.get_cancelled_exc_class():
        cancelled += 1
        raise
    return "never"


@server.tool()
def cancellations() -> int:
    """Tell how many waits were cancelled."""
    return cancelled


@server.tool()
def greet(person: Annotated[Person, Resolve(who)]) -> str:
    """Greet whoever answers."""
    return f"hello {person.name}"


@server.tool()
def think(answer: Annotated[CreateMessageResult, Resolve(thought)]) -> str:
    """Say what the client's model says."""
    return f"it says {answer.content.text}"


@server.tool()
def look(roots: Annotated[ListRootsResult, Resolve(places)]) -> str:
    """Name the client's roots."""
    return " ".join(str(root.uri) for root in roots.roots)


@server.tool()
async def touch(ctx: Context) -> str:
    """Say that the note and the list of tools are other ones now."""
    await ctx.notify_resource_updated("note://static")
    await ctx.notify_tools_changed()
    return "touched"


@server.resource("note://static")
def note() -> str:
    return "a note"


@server.resource("note://of/{name}")
def note_of(name: str) -> str:
    return f"a note of {name}"


@server.prompt()
def recite(poem: str) -> str:
    """Recite a poem."""
    return f"Recite {poem}."


@server.completion()
async def complete(ref, argument, context):
    poems = ["ode", "odyssey", "sonnet"] if isinstance(ref, PromptReference) else ["one", "other"]
    return Completion(values=[poem for poem in poems if poem.startswith(argument.value)])


def serve(app) -> None:
    uvicorn.run(app, port=int(os.environ["PORT"]), log_level="error")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [] | ["stdio"]:
            server.run("stdio")
        case ["http"]:
            serve(server.streamable_http_app())
        case ["sse"]:
            serve(server.sse_app())
