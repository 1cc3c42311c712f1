"""The file that tells a server of ours whom it serves, named by a variable in its environment.

It holds one JSON object: ``host``, ``server``, ``incarnation``, ``url``, ``port``, a random ``session``, and what else
the starter has to say. Only its user can read it. It lies beside its host's lock, so that whoever forgets a dead host
forgets it, too.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, final

import msgspec
from attrs import define, field

from .environment import Marker
from .lock import SUFFIX
from .logged import LoggedProcess

SESSION_VARIABLE: Final = "GREENROOM_SESSION"


@final
@define(eq=False)
class SessionFile:
    """`path` is None where there is no place for it. Once it has a `reader`, it stays until that is reaped."""

    path: str | None
    reader: LoggedProcess | None = field(default=None, init=False)


@contextmanager
def session_file(told: Mapping[str, object], marker: Marker | None) -> Iterator[SessionFile]:
    """Makes the file, for as long as the block and its reader live."""
    file = SessionFile(None if marker is None or not marker.lock else _write(told, marker))
    try:
        yield file
    finally:
        if file.path is not None and (file.reader is None or file.reader.reaped):
            with suppress(OSError):
                os.unlink(file.path)


def _write(told: Mapping[str, object], marker: Marker) -> str | None:
    session = os.urandom(16).hex()
    whom = {"host": marker.host_id, "server": marker.server, "incarnation": marker.incarnation, "session": session}
    path = f"{marker.lock.removesuffix(SUFFIX)}-{os.urandom(8).hex()}.session"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    with open(descriptor, "wb") as file:
        file.write(msgspec.json.encode(whom | dict(told)))
    return path
