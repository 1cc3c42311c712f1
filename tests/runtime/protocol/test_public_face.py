"""The package's face: every name is there, and none costs more than what it needs."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from runtime import protocol
from runtime.protocol import messages


def declared_in(module):
    """The names that a type checker sees imported from the module's own rooms."""
    tree = ast.parse(Path(module.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1]
    return {
        name
        for node in imports
        for alias in node.names
        for name in ([alias.name] if alias.name != "*" else import_module(f"{module.__name__}.{node.module}").__all__)
    } - {"__all__"}


@pytest.mark.parametrize("module", [protocol, messages])
def test_every_public_name_resolves_and_is_declared_for_type_checkers(module):
    assert declared_in(module) == set(module.__all__)
    assert len(module.__all__) == len(set(module.__all__))
    assert all(getattr(module, name) is not None for name in module.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Clinet'"):
        _ = protocol.Clinet


def test_a_server_needs_neither_the_clients_half_nor_cattrs():
    code = (
        "import sys; from runtime.protocol import ServerConnection\n"
        "others = {'cattrs', 'trio', 'runtime.protocol.client', 'runtime.protocol.messages.part'}\n"
        "print(sorted(others & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_a_message_is_made_when_a_value_needs_it():
    code = (
        "import sys; from runtime.protocol import CallToolResult, ListToolsResult, from_wire\n"
        """from_wire(ListToolsResult, b'{"tools":[{"name":"t","inputSchema":{}}]}')\n"""
        "print(sorted(each[26:] for each in sys.modules if each.startswith('runtime.protocol.messages.')))\n"
        """from_wire(CallToolResult, b'{"content":[{"type":"text","text":"a"}]}')\n"""
        "print('runtime.protocol.messages.content' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "['part', 'tools']\nTrue\n"
