"""What a server asks of its user, asked at the prompt: a form field by field, or a page to open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from runtime.console.terminal import Cleared, EndOfInput

if TYPE_CHECKING:
    from runtime.protocol import ElicitParams, ElicitResult
    from runtime.protocol.messages import FieldSchema, FormSchema

Read = Callable[[str], Awaitable[str | Cleared | EndOfInput]]

_YES, _NO = ("y", "yes", "true"), ("n", "no", "false")
_HOW = "Enter takes what stands in brackets, Ctrl-D declines, Ctrl-C leaves it open"


class Unfit(Exception):
    """What was typed is no value of that field; the message says what would be."""


class _Ended(Exception):
    """The user has declined, or left it open: ``action``."""

    def __init__(self, action: Any) -> None:
        super().__init__(action)
        self.action = action


async def ask(server: str, params: ElicitParams, read: Read, say: Callable[[str], object]) -> ElicitResult:
    """Put one question; ``read`` shows a label and gives the line that is typed."""
    from runtime.protocol import ElicitResult, ElicitUrlParams

    say(f"{server} asks: {params.message}")
    try:
        if isinstance(params, ElicitUrlParams):
            say(f"  {params.url}")
            await _line("  open this page, then press Enter (Ctrl-D declines): ", read)
            return ElicitResult(action="accept")
        return ElicitResult(action="accept", content=await _filled_in(params.requested_schema, read, say))
    except _Ended as ended:
        return ElicitResult(action=ended.action)


async def _filled_in(form: FormSchema, read: Read, say: Callable[[str], object]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    say(f"  ({_HOW})")
    for name, schema in form.properties.items():
        needed = name in (form.required or ())
        if about := getattr(schema, "description", None):
            say(f"  {about}")
        for value, title in getattr(schema, "choices", None) or ():
            say(f"    {value}" + (f"  {title}" if title != value else ""))
        while True:
            try:
                found = parsed(schema, await _line(label(name, schema, needed=needed), read))
            except Unfit as unfit:
                say(f"  {unfit}")
                continue
            if found is not None:
                content[name] = found
            elif needed:
                say("  this one is needed")
                continue
            break
    return content


async def _line(label: str, read: Read) -> str:
    match await read(label):
        case Cleared():
            raise _Ended("cancel")
        case EndOfInput():
            raise _Ended("decline")
        case text:
            return text


def label(name: str, schema: FieldSchema, *, needed: bool) -> str:
    """Write what stands before the cursor: the field, whether it may be left out, and what Enter alone gives."""
    default = getattr(schema, "default", None)
    shown = "" if default is None else f" [{', '.join(default) if isinstance(default, tuple) else default}]"
    kind = {"boolean": " (y/n)", "array": " (several, with commas)"}.get(schema.type, "")
    optional = "" if needed or default is not None else ", or nothing"
    return f"  {getattr(schema, 'title', None) or name}{kind}{optional}{shown}: "


def parsed(schema: FieldSchema, text: str) -> Any:
    """Read the value of a field; None is none. Raises `Unfit`."""
    from runtime.protocol.messages import BooleanSchema, MultiSelectSchema, NumberSchema, StringSchema

    typed = text.strip()
    if not typed:
        default = getattr(schema, "default", None)
        return list(default) if isinstance(default, tuple) else default
    match schema:
        case StringSchema(choices=choices) if choices is not None:
            return _chosen(typed, choices)
        case StringSchema(min_length=least, max_length=most):
            return _within(text, len(text), least, most, "characters")
        case NumberSchema(type=kind, minimum=least, maximum=most):
            try:
                number = int(typed) if kind == "integer" else float(typed)
            except ValueError:
                raise Unfit("a whole number, please" if kind == "integer" else "a number, please") from None
            return _within(number, number, least, most, "")
        case BooleanSchema():
            if typed.lower() not in _YES + _NO:
                raise Unfit("y or n, please")
            return typed.lower() in _YES
        case MultiSelectSchema(choices=choices, min_items=least, max_items=most):
            several = [_chosen(each.strip(), choices) for each in typed.split(",") if each.strip()]
            return _within(several, len(several), least, most, "of them")
    return text


def _chosen(typed: str, choices: tuple[tuple[str, str], ...]) -> str:
    for value, title in choices:
        if typed in (value, title):
            return value
    raise Unfit(f"one of {', '.join(value for value, _ in choices)}, please")


def _within(value: Any, size: float, least: float | None, most: float | None, unit: str) -> Any:
    if least is not None and size < least:
        raise Unfit(f"at least {least:g} {unit}".rstrip() + ", please")
    if most is not None and size > most:
        raise Unfit(f"at most {most:g} {unit}".rstrip() + ", please")
    return value
