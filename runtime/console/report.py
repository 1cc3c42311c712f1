"""What the console prints of an exception: the lines that the user typed and the error's own words."""

import traceback
from collections.abc import Iterator
from pathlib import PurePath

# Every statement is compiled under a file name that begins so.
USER_FILE = "<console"

# The errors of these packages name what happened, where, and what to do.
_SAY_ENOUGH = ("actors", "runtime")


def report(error: BaseException) -> str:
    """Give a short traceback. The runtime's own frames are left out: they tell its author something, not its user.
    For any other error, the place where it was raised is named; ``traceback.print_last()`` tells it all."""
    frames = traceback.extract_tb(error.__traceback__)
    typed = [frame for frame in frames if frame.filename.startswith(USER_FILE)]
    lines = traceback.format_list(typed) if len(typed) > 1 or any(frame.lineno != 1 for frame in typed) else []
    origin = frames[-1] if frames else None
    where = ""
    if origin is not None and origin not in typed and not _is_named(error):
        where = f"\n(raised in {PurePath(origin.filename).name}, line {origin.lineno}, {origin.name})"
    return "".join(lines) + words(error) + where


def words(error: BaseException) -> str:
    """Give the error's name and its message; of a group, those of every error inside it."""
    if isinstance(error, BaseExceptionGroup):
        leaves = [words(leaf).replace("\n", "\n    ") for leaf in _leaves(error)]
        return f"{error.message} ({len(leaves)}):" + "".join(f"\n  - {leaf}" for leaf in leaves)
    if isinstance(error, SyntaxError):  # its words point into the source
        return "".join(traceback.format_exception_only(error)).rstrip()
    message = str(error)
    notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
    return (f"{type(error).__name__}: {message}" if message else type(error).__name__) + notes


def _is_named(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_named, _leaves(error)))
    return isinstance(error, SyntaxError) or type(error).__module__.partition(".")[0] in _SAY_ENOUGH


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
