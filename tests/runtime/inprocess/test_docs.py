"""docs/python-servers.md: what it shows runs, and does what it says."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from runtime.inprocess import Context
from tests.caller import served

PAGE = (Path(__file__).parents[3] / "docs" / "python-servers.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


@pytest.fixture
def shop(monkeypatch) -> Any:
    """Return the module that all examples make together."""
    import sys

    module = ModuleType("shop")
    monkeypatch.setitem(sys.modules, "shop", module)
    for example in EXAMPLES:
        exec(compile(example, "python-servers.md", "exec"), vars(module))  # its asserts are part of it
    return module


def test_the_examples_run_and_a_decorated_function_stays_one(shop):
    assert len(EXAMPLES) == 5
    assert shop.price(2) == 3600


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_the_shop_does_what_the_page_says(shop, era):
    async with served(shop.server, era, {"elicitation": {}}) as caller:
        assert (await caller.call("price", {"seats": 1, "reduced": True})).text == "1200"
        assert "seats" in (await caller.call("price", {"seats": "one"})).text
        seat = {"block": "stalls", "row": 3}
        ticket = await caller.call("buy", {"seat": seat})
        assert ticket.structured_content == {"seat": "stalls 3", "cents": 1800}
        assert (await caller.call("buy", {"seat": seat})).text == "stalls 3 is sold"
        assert (await caller.call("buy", {"seat": {"block": "stalls", "row": 31}})).is_error
        assert (await caller.ask("resources/read", {"uri": "shop://sold"}))["contents"][0]["text"] == "stalls 3"
        read = await caller.ask("resources/read", {"uri": "shop://plays/1601/Hamlet"})
        assert read["contents"][0]["mimeType"] == "application/json"
        assert (await caller.ask("resources/read", {"uri": "shop://plays/1601/Cats"})).error.data
        prompt = await caller.ask("prompts/get", {"name": "review", "arguments": {"play": "Medea"}})
        assert prompt["messages"][0]["content"]["text"] == "Write a honest review of Medea."
        for argument, begun, values in (("play", "M", ["Medea"]), ("tone", "k", ["kind"])):
            told = {"ref": {"type": "ref/prompt", "name": "review"}, "argument": {"name": argument, "value": begun}}
            assert (await caller.ask("completion/complete", told))["completion"]["values"] == values
        for answer, text in (
            ({"action": "accept", "content": {"name": "Ada"}}, "reserved for Ada"),
            ({"action": "decline"}, "not reserved: decline"),
        ):
            caller.answers = lambda *_, answer=answer: answer
            assert (await caller.call_beside("reserve", {"seats": 2})).text == text
        shop.server.remove("tools", "buy")
        assert "buy" not in [tool["name"] for tool in (await caller.ask("tools/list"))["tools"]]


def test_what_the_page_says_of_a_context_is_all_there_is_to_ask():
    told = set(re.findall(r"^\| `(?:await )?ctx\.(\w+)\(", PAGE, re.M))
    offered = {name for name in vars(Context) if not name.startswith("_") and callable(getattr(Context, name))}
    assert told == offered
