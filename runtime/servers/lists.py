"""What a server lists, page by page."""

from __future__ import annotations

import trio

from runtime.protocol import ListToolsResult, Tool, WireError, result_from_wire
from runtime.servers.conversation import Conversation

PAGES = 1000  # of one list; a server that has more is not listing but looping


async def fetch_tools(conversation: Conversation) -> dict[str, Tool]:
    """Fetch all pages. Raises `HandshakeRefused`."""
    conversation.tools_changed = trio.Event()
    tools: dict[str, Tool] = {}
    cursor: str | None = None
    for _ in range(PAGES):
        answer = await conversation.ask("tools/list", {} if cursor is None else {"cursor": cursor})
        try:
            page = result_from_wire(ListToolsResult, answer)
        except WireError as error:
            raise conversation.refused(f"tools/list: {error}") from error
        tools.update((tool.name, tool) for tool in page.tools)
        cursor = page.next_cursor
        if cursor is None:
            return tools
    raise conversation.refused(f"tools/list has more than {PAGES} pages")
