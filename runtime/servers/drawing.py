"""The supervisor tree with servers in it: a node says what its server does; the kernel only knows that it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import evolve

from actors import Node
from runtime.errors import counted, in_short
from runtime.servers.island import shown_name
from runtime.servers.record import Record, ServerStatus, State


def with_servers(root: Node, records: Iterable[Record]) -> Node:
    """Return the tree with each server's own state, era, tools and process, and with what it fails of."""
    servers = {record.ref.path: record for record in records if record.ref is not None}
    return evolve(root, children=tuple(_drawn(child, child.name, servers) for child in root.children))


def _drawn(node: Node, path: str, servers: Mapping[str, Record]) -> Node:
    children = (_drawn(child, f"{path}/{child.name}", servers) for child in node.children)
    drawn = evolve(node, name=shown_name(node.name), children=tuple(children))
    record = servers.get(path)
    if record is None and node.kind == "supervisor" and not node.children:
        # An island that is down has nobody below it any more; what is to be told is told in its place.
        record = next((record for at, record in servers.items() if at.startswith(f"{path}/")), None)
    if record is None:
        return drawn
    status = record.status()
    return evolve(drawn, status=status.state.value, detail=", ".join(_details(status)), last_exit=None)


def _details(status: ServerStatus) -> Iterable[str]:
    if status.state in (State.READY, State.DRAINING):
        if status.era is not None:
            yield status.era.name.lower()
        yield counted(status.tools, "tool")
    if status.pid is not None:
        yield f"pid {status.pid}"
    if status.in_flight:
        yield f"{status.in_flight} in flight"
    if status.state in (State.BACKING_OFF, State.EJECTED) and status.last_error is not None:
        yield in_short(status.last_error)
