"""A Python function as something that a client may call: what it takes, as a schema, and how it is run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Protocol, get_args, get_origin, get_type_hints

import msgspec
import trio
from attrs import define, field

from .failures import InvalidArguments

if TYPE_CHECKING:
    from .context import Context

__all__ = ["Function", "Progress", "description_of", "docstring", "schema_of"]

_REF = "#/$defs/{name}"
_PLAIN = (str, int, float, bool)


class Progress(Protocol):
    """A function that has a parameter of this type can tell its caller how far it is.

    Never waits, may be called from the function's thread, and does nothing where the caller did not ask.
    """

    def __call__(self, progress: float, total: float | None = None, message: str | None = None) -> None: ...


@define(eq=False)
class Function:
    """What a function declares, and the function.

    Args:
        kind: what it is, such as ``tool``; with its name, this is how an error calls it.
        blocking: the function is plain and may take its time: it runs in a worker thread. False: it runs
            where it is, and everything waits for it. Of no meaning for ``async`` functions.
        strict: False where the arguments are strings by protocol, whatever type they stand for.
    Raises:
        TypeError: its signature cannot be told in JSON Schema.
    """

    kind: str
    name: str
    call: Callable[..., Any]
    blocking: bool = True
    strict: bool = True
    arguments: type[msgspec.Struct] = field(init=False)
    result: Any = field(init=False)
    is_async: bool = field(init=False)
    # the parameters that the server fills in
    _context: str | None = field(default=None, init=False)
    _progress: str | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        hints = get_type_hints(self.call, include_extras=True)
        fields: list[Any] = []
        for parameter in inspect.signature(self.call).parameters.values():
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                raise TypeError(f"{self.what}: parameter {parameter} has no name that a caller could use")
            hint = hints.get(parameter.name, Any)
            if hint is Progress:
                self._progress = parameter.name
            elif _is_context(hint):
                self._context = parameter.name
            elif parameter.default is parameter.empty:
                fields.append((parameter.name, _described(hint)))
            else:
                fields.append((parameter.name, _described(hint), parameter.default))
        self.arguments = msgspec.defstruct("Arguments", fields, kw_only=True, forbid_unknown_fields=True)
        if not all(_base(part[1]) in _PLAIN for part in fields):
            schema_of(self.arguments)  # what cannot be told is an error here, not when a client asks for it
        self.result = hints.get("return")
        self.is_async = inspect.iscoroutinefunction(self.call)

    @property
    def what(self) -> str:
        return f"{self.kind} {self.name!r}"

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that a caller fills in."""
        return self.arguments.__struct_fields__

    @property
    def at_once(self) -> bool:
        """Whether `run` never waits."""
        return not self.is_async and not self.blocking

    def bind(self, arguments: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """The function's keyword arguments, of the types that it declares.

        Raises:
            InvalidArguments: names the path of what does not fit.
        """
        try:
            values = msgspec.convert(arguments, self.arguments, strict=self.strict)
        except msgspec.ValidationError as error:
            raise InvalidArguments(_explain(self.what, str(error))) from None
        bound = {name: getattr(values, name) for name in self.arguments.__struct_fields__}
        if self._progress is not None:
            bound[self._progress] = context.progress
        if self._context is not None:
            bound[self._context] = context
        return bound

    async def run(self, bound: Mapping[str, Any]) -> Any:
        """Call it, in the way that suits it; raises what it raises."""
        if self.is_async:
            return await self.call(**bound)
        if self.blocking:
            return await trio.to_thread.run_sync(partial(self.call, **bound), abandon_on_cancel=True)
        return self.call(**bound)


def schema_of(tp: Any) -> dict[str, Any]:
    """The JSON Schema of a type, the types that it names in ``$defs``.

    Raises:
        TypeError: it cannot be told.
    """
    try:
        [root], components = msgspec.json.schema_components([tp], ref_template=_REF)
    except NameError as error:  # of an annotation inside a class of somebody's
        raise TypeError(f"{tp!r}: {error}") from None
    if "$ref" in root:
        root = components.pop(root["$ref"].removeprefix(_REF.format(name="")))
    schema = {key: value for key, value in root.items() if key != "title"}
    return {**schema, "$defs": components} if components else schema


def docstring(function: Callable[..., Any]) -> str | None:
    return inspect.getdoc(function)


def _is_context(hint: Any) -> bool:
    # by its name: who asks for a context has imported it
    return getattr(hint, "__name__", "") == "Context" and hint.__module__ == "runtime.inprocess.context"


def description_of(hint: Any) -> str | None:
    """What ``Annotated[int, "how many"]``, or a ``Doc`` there, says."""
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    texts = (text for note in notes if isinstance(text := getattr(note, "documentation", note), str))
    return next(texts, None)


def _base(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _described(hint: Any) -> Any:
    """A hint with its description as msgspec spells it."""
    if (text := description_of(hint)) is None:
        return hint
    base, *notes = get_args(hint)
    rest = [note for note in notes if isinstance(note, msgspec.Meta)]
    return Annotated[(base, *rest, msgspec.Meta(description=text))]


def _explain(what: str, problem: str) -> str:
    """msgspec's words (``Expected `int`, got `str` - at `$.a```) with a path that a caller knows."""
    reason, _, path = problem.partition(" - at ")
    where = "arguments" + path.strip("`").removeprefix("$") if path else "arguments"
    return f"Invalid arguments for {what}: {where}: {reason}"
