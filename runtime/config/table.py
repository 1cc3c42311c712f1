"""The keys as Markdown tables, made from the classes that read them: ``python -m runtime.config.table``.

``docs/configuration.md`` holds these tables between markers; a test compares them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from .keys import keys_of
from .reach import Way
from .spec import Client, Group, Input, RuntimeConfig, ServerSpec

TABLES: dict[str, type] = {
    "way": Way,
    "server": ServerSpec,
    "host": RuntimeConfig,
    "group": Group,
    "client": Client,
    "input": Input,
}


def table(cls: type) -> str:
    """One row for each key; a key whose value is an object has its own keys below it."""
    rows = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    return "\n".join([*rows, *_rows(cls, "", later=False)])


def _rows(cls: type, prefix: str, *, later: bool) -> Iterator[str]:
    defaults = {attribute.name: attribute.default for attribute in attrs.fields(cls)}
    for name, key in keys_of(cls).items():
        effect = "" if later or not key.later else " *(no effect yet)*"
        takes = key.check.expected.removeprefix("an object: ").replace("|", "\\|")
        nested = key.check.keys if key.check.keys not in TABLES.values() else None
        default = "" if nested and defaults[key.attribute] is not None else _default(defaults[key.attribute])
        yield f"| `{prefix}{name}` | {takes} | {default} | {key.doc}{effect} |"
        if nested is not None:
            yield from _rows(nested, f"{prefix}{name}.", later=later or key.later)


def _default(value: Any) -> str:
    if value is attrs.NOTHING:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, Mapping | tuple):
        return "`{}`" if isinstance(value, Mapping) else "`[]`"
    return f"`{json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)}`"


if __name__ == "__main__":
    print(*(f"<!-- keys: {name} -->\n{table(cls)}\n<!-- end -->\n" for name, cls in TABLES.items()), sep="\n")  # noqa: T201
