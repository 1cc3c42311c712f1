"""Variables in the strings of a configuration: ``${VAR}`` and its relatives.

==============================  =========================================================================
``${VAR}``, ``${env:VAR}``      the environment variable; a mistake if it is not set
``${VAR:-default}``             the same, or ``default`` if it is not set or empty
``${input:ID}``                 the user's answer to the input ``ID`` of the file; if nobody can be asked, the
                                environment variable ``ID`` (or as ``MY_ID`` for ``my-id``); else its default
``${workspaceFolder}``          the directory of the file
``${workspaceFolderBasename}``  its last part
``${userHome}``                 the home directory
``${pathSeparator}``, ``${/}``  the separator of a path
``$${``                         ``${`` itself
==============================  =========================================================================
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import define, field

from .mistakes import Place, Unreadable, Unsaid, did_you_mean
from .secret import Secret, Text, reveal
from .spec import Input

AskInput = Callable[[Input], str | None]
"""Asks the user for an input; None: no answer."""

_VARIABLE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_ENVIRONMENT = re.compile(r"(?:env:)?([A-Za-z_]\w*)(?::-(.*))?", re.ASCII | re.DOTALL)
_KINDS = "${VAR}, ${VAR:-default}, ${env:VAR}, ${input:ID} or ${workspaceFolder}"


@define
class Variables:
    """What the variables of one configuration stand for.

    Nobody is asked for an input while the file may still be refused: with ``asking`` false, a string that needs one
    is passed over without a mistake, and ``waiting`` tells that another reading is due."""

    environ: Mapping[str, str]
    directory: Path
    inputs: Mapping[str, Input | None]  # None: wrongly declared, and named so
    ask: AskInput | None
    asking: bool
    waiting: bool = field(default=False, init=False)
    _answers: dict[str, Secret] = field(factory=dict, init=False)

    def expand(self, template: str, place: Place) -> Text:
        """The string that ``template`` stands for; a :class:`Secret` if an environment variable or an input went
        into it."""
        parts: list[Text] = []
        end = 0
        for found in _VARIABLE.finditer(template):
            parts.append(template[end : found.start()])
            end = found.end()
            if found[0] == "$${":
                parts.append("${")
            elif found[1] is None:
                place.wrong(Unsaid(), "a } after each ${, and none within another", "$${ is a plain ${")
            else:
                parts.append(self._value(found[1], place))
        parts.append(template[end:])
        whole = "".join(map(reveal, parts))
        return Secret(whole) if any(isinstance(part, Secret) for part in parts) else whole

    def _value(self, name: str, place: Place) -> Text:
        match name:
            case "workspaceFolder":
                return str(self.directory)
            case "workspaceFolderBasename":
                return self.directory.name
            case "pathSeparator" | "/":
                return os.sep
            case "userHome":
                return reveal(self._variable("HOME", None, place))
        if name.startswith("input:"):
            return self._input(name.removeprefix("input:"), place)
        known = _ENVIRONMENT.fullmatch(name)
        if known is None:
            place.wrong(Unsaid(), f"one of {_KINDS}", "$${ is a plain ${")
        return self._variable(known[1], known[2], place)

    def _variable(self, name: str, default: str | None, place: Place) -> Secret:
        value = self.environ.get(name)
        if value is None and default is None:
            hint = f"set it, or give a default: ${{{name}:-...}}"
            place.wrong(Unsaid(), f"the environment variable {name} to be set", hint)
        return Secret(value or default or "")

    def _input(self, identity: str, place: Place) -> Secret:
        if identity in self._answers:
            return self._answers[identity]
        if identity not in self.inputs:
            hint = did_you_mean(identity, self.inputs) or 'declare it in "inputs"'
            place.wrong(Unsaid(), f'an input "{identity}" to be declared', hint)
        if (declared := self.inputs[identity]) is None:
            raise Unreadable
        if self.ask is not None and not self.asking:
            self.waiting = True
            raise Unreadable
        name = re.sub(r"\W", "_", identity, flags=re.ASCII).upper()
        answer = self.ask(declared) if self.ask is not None else None
        for variable in (identity, name):
            answer = self.environ.get(variable) if answer is None else answer
        if answer is None and declared.default is not None:
            answer = declared.default.reveal()
        if answer is None:
            place.wrong(Unsaid(), f'an answer to the input "{identity}"', f"nobody to ask here: set {name}")
        return self._answers.setdefault(identity, Secret(answer))
