"""docs/interop.md is what comes of asking every peer everything, today."""

from . import matrix
from .conftest import need
from .peers import NAMES


def test_the_table_of_the_documents_is_what_comes_of_asking_every_peer(place):
    need(*(program for peer in matrix.peers(place).values() for program in peer.programs))
    rows = matrix.ask(NAMES)
    assert [f"{row.peer.name}, {column}: {trouble}" for row in rows for column, trouble in row.troubles.items()] == []
    assert matrix.page(rows) == matrix.DOCUMENT.read_text()
