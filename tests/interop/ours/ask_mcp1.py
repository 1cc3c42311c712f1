"""The official SDK's client of 1.x asks a server all there is to ask. A program: it runs where that SDK is installed.

Usage: ask_mcp1.py COMMAND [ARGUMENT ...]; it prints what it was answered, as JSON.
"""

import asyncio
import json
import sys

from mcp import ClientSession, McpError, StdioServerParameters, types
from mcp.client.stdio import stdio_client


async def main(command: str, *arguments: str) -> None:
    asked, logs, steps, changed = [], [], [], asyncio.Event()

    async def elicit(context, params):
        asked.append(params.message)
        return types.ElicitResult(action="accept", content={"city": params.message})

    async def sample(context, params):
        return types.CreateMessageResult(
            role="assistant", model="m", content=types.TextContent(type="text", text=f"thought of {params.maxTokens}")
        )

    async def roots(context):
        return types.ListRootsResult(roots=[types.Root(uri="file:///stage")])

    async def log(params):
        logs.append(f"{params.level} {params.data}")

    async def message(message):
        if isinstance(getattr(message, "root", None), types.ToolListChangedNotification):
            changed.set()

    async def step(progress, total, message):
        steps.append([progress, total, message])

    async def error_of(awaitable):
        try:
            return (await awaitable).isError
        except McpError as error:
            return error.error.code

    reach = StdioServerParameters(command=command, args=list(arguments))
    async with (
        stdio_client(reach) as streams,
        ClientSession(
            *streams,
            elicitation_callback=elicit,
            sampling_callback=sample,
            list_roots_callback=roots,
            logging_callback=log,
            message_handler=message,
        ) as client,
    ):
        hello = await client.initialize()
        told = {"version": hello.protocolVersion, "instructions": hello.instructions}
        await client.send_ping()
        await client.set_logging_level("warning")
        told["tools"] = sorted(tool.name for tool in (await client.list_tools()).tools)
        told["resources"] = [str(each.uri) for each in (await client.list_resources()).resources]
        told["templates"] = [each.uriTemplate for each in (await client.list_resource_templates()).resourceTemplates]
        told["prompts"] = [each.name for each in (await client.list_prompts()).prompts]
        told["call"] = (await client.call_tool("add", {"a": 1})).structuredContent
        told["several"] = (await client.call_tool("several")).structuredContent
        told["wrong"] = await error_of(client.call_tool("add", {"a": "one"}))
        told["unknown"] = await error_of(client.call_tool("nothing"))
        told["steps"] = (await client.call_tool("steps", progress_callback=step)).content[0].text
        hanging = client._request_id  # this SDK does not say "cancelled" by itself
        task = asyncio.create_task(client.call_tool("hang"))
        await asyncio.sleep(0.1)
        params = types.CancelledNotificationParams(requestId=hanging)
        await client.send_notification(types.ClientNotification(types.CancelledNotification(params=params)))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for _ in range(50):
            told["cancelled"] = (await client.call_tool("were_cancelled")).content[0].text
            if told["cancelled"]:
                break
            await asyncio.sleep(0.1)
        told["book"] = (await client.call_tool("book")).content[0].text
        told["think"] = (await client.call_tool("think")).content[0].text
        told["motto"] = (await client.read_resource("our://motto")).contents[0].text
        told["picture"] = (await client.read_resource("our://pictures/cat")).contents[0].blob
        told["missing"] = await error_of(client.read_resource("our://pictures/dog"))
        told["prompt"] = (await client.get_prompt("greet", {"name": "Ada"})).messages[0].content.text
        ref = types.PromptReference(type="ref/prompt", name="greet")
        told["completion"] = (await client.complete(ref, {"name": "style", "value": "w"})).completion.values
        await client.call_tool("grow")
        await asyncio.wait_for(changed.wait(), 10)
        told["grown"] = "added" in [tool.name for tool in (await client.list_tools()).tools]
    told |= {"asked": asked, "logs": logs, "progress": steps}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
