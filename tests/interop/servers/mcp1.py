"""A server of the Python SDK 1, which speaks the legacy era alone: ``mcp1.py [stdio | http | sse | ws]``."""

import os
import sys
import warnings

import anyio
import uvicorn
from mcp.server.fastmcp import Context, FastMCP
from mcp.types import Completion, PromptReference, SamplingMessage, TextContent
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

server = FastMCP("mcp1", instructions="Ask it anything.", log_level="ERROR")
cancelled = 0


class Person(BaseModel):
    name: str


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
async def greet(ctx: Context) -> str:
    """Greet whoever answers."""
    answer = await ctx.elicit("Who is there?", Person)
    return f"hello {answer.data.name}" if answer.action == "accept" else answer.action


@server.tool()
async def think(ctx: Context) -> str:
    """Say what the client's model says."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text="Say something."))
    answer = await ctx.session.create_message([message], max_tokens=9, related_request_id=ctx.request_id)
    return f"it says {answer.content.text}"


@server.tool()
async def look(ctx: Context) -> str:
    """Name the client's roots."""
    answer = await ctx.session.list_roots()
    return " ".join(str(root.uri) for root in answer.roots)


@server.tool()
async def touch(ctx: Context) -> str:
    """Say that the note and the list of tools are other ones now."""
    await ctx.session.send_resource_updated("note://static")
    await ctx.session.send_tool_list_changed()
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


async def over_websocket(websocket) -> None:
    with warnings.catch_warnings(action="ignore"):
        from mcp.server.websocket import websocket_server

        async with websocket_server(websocket.scope, websocket.receive, websocket.send) as (reads, writes):
            inner = server._mcp_server
            await inner.run(reads, writes, inner.create_initialization_options())


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
        case ["ws"]:
            serve(Starlette(routes=[WebSocketRoute("/ws", over_websocket)]))
