"""The package's face: every name is there, and none costs more than what it needs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from runtime import protocol


def test_every_public_name_resolves_and_is_declared_for_type_checkers():
    tree = ast.parse(Path(protocol.__file__).read_text())
    declared = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert declared == set(protocol.__all__)
    assert all(getattr(protocol, name) is not None for name in protocol.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Clinet'"):
        _ = protocol.Clinet


def test_a_server_needs_neither_the_clients_half_nor_cattrs():
    code = (
        "import sys; from runtime.protocol import ServerConnection\n"
        "print(sorted({'cattrs', 'trio', 'runtime.protocol.client', 'runtime.protocol.messages'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
