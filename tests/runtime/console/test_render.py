"""How values look."""

import io

from rich.console import Console

from runtime.console.render import renderable
from tests.fakes import Fleet, good


async def test_a_living_thing_is_one_line_and_not_all_that_it_leads_to(autojump_clock):
    console = Console(file=io.StringIO(), width=200)
    async with Fleet({"a": good}).open() as host:
        for living in (host, host._house.system, host._house.registry):
            with console.capture() as capture:
                console.print(renderable(living))
            assert capture.get() == f"{living!r}\n"
