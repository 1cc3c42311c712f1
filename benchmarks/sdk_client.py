"""The same calls through the official SDK's client, for scale. A program: it runs where the SDK is installed.

Usage: sdk_client.py CLOCK CALLERS COUNT URL|COMMAND [ARGUMENT ...]; it prints microseconds for one call.
"""

import asyncio
import sys
import time

import mcp


async def main(clock_name: str, callers: str, count: str, server: str, *arguments: str) -> None:
    clock = getattr(time, clock_name)
    reach = server if "://" in server else mcp.StdioServerParameters(command=server, args=list(arguments))
    async with mcp.Client(reach) as client:

        async def caller() -> None:
            for _ in range(int(count) // int(callers)):
                await client.call_tool("echo", {"text": "hello"})

        await client.call_tool("echo", {"text": "hello"})
        started = clock()
        await asyncio.gather(*(caller() for _ in range(int(callers))))
        print((clock() - started) / int(count) * 1e6)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
