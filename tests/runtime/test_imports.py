"""What the front doors of both packages load, and that what they offer says what it promises."""

import inspect
import subprocess
import sys

import pytest

import actors
import runtime

ON_THE_PATH_OF_A_CALL = ["import trio", "import attrs", "import msgspec", "import outcome"]

LOADED = """
import sys
{statements}
print(*sorted({{name.partition(".")[0] for name in sys.modules}} - sys.stdlib_module_names))
"""


def loaded_by(*statements: str) -> set[str]:
    """Return the top-level modules, the standard library left out, that a fresh interpreter has after these imports."""
    program = LOADED.format(statements="\n".join(statements))
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_importing_the_runtime_loads_no_library_but_those_on_the_path_of_a_call():
    """No HTTP client, no console library, no telemetry: nobody waits for what they do not use."""
    assert loaded_by("from runtime import *") - loaded_by(*ON_THE_PATH_OF_A_CALL) == {"actors", "runtime"}


def test_importing_the_actors_loads_trio_attrs_and_outcome_alone():
    assert loaded_by("import actors") - loaded_by("import trio", "import attrs", "import outcome") == {"actors"}


@pytest.mark.parametrize("module", [actors, runtime], ids=lambda module: module.__name__)
def test_every_public_name_promises_something(module):
    offered = {name: getattr(module, name) for name in module.__all__}
    documented = {name: vars(value).get("__doc__") for name, value in offered.items() if inspect.isclass(value)}
    documented |= {name: inspect.getdoc(value) for name, value in offered.items() if inspect.isfunction(value)}
    assert len(documented) > 0
    assert [name for name, doc in documented.items() if not doc] == []
