"""A server of ours with one of everything, for the clients of others."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict

import trio

from runtime.inprocess import Context, NotFound, ToolServer

server = ToolServer("ours", "1.0", "One of everything.")
cancelled: list[str] = []


class Sum(TypedDict):
    total: int


@dataclass
class Trip:
    city: Annotated[str, "where to"]
    nights: int = 1


@server.tool
def add(a: int, b: int = 2) -> Sum:
    """Two numbers as one."""
    return {"total": a + b}


@server.tool
def several() -> list[int]:
    return [1, 2]


@server.tool
async def steps(ctx: Context) -> str:
    for n in (1, 2, 3):
        ctx.progress(n, 3, f"step {n}")
        ctx.log("warning", f"at {n}")
        await trio.lowlevel.checkpoint()
    return "done"


@server.tool
async def hang() -> None:
    try:
        await trio.sleep_forever()
    finally:
        cancelled.append("hang")


@server.tool
def were_cancelled() -> str:
    return " ".join(cancelled)


@server.tool
async def book(ctx: Context) -> str:
    first = await ctx.elicit("Which trip?", Trip)
    second = await ctx.elicit("And then?", Trip)
    return f"{first.action} {first.value} {second.action} {second.value}"


@server.tool
async def think(ctx: Context) -> str:
    answer = await ctx.sample("Think", max_tokens=9)
    roots = await ctx.roots()
    return f"{answer['content']['text']} {roots[0]['uri']}"


@server.tool
def grow() -> str:
    server.tool(add, name="added")
    return "grown"


@server.resource("our://motto", mime_type="text/plain")
def motto() -> str:
    return "Break a leg"


@server.resource("our://pictures/{name}")
def picture(name: str) -> bytes:
    if name != "cat":
        raise NotFound(name)
    return b"\x89PNG"


@server.prompt
def greet(name: str, style: Literal["warm", "cool"] = "warm") -> str:
    """A greeting."""
    return f"Greet {name}, {style}."


if __name__ == "__main__":
    server.run_stdio()
