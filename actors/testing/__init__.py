"""Testing what is built with `actors`: runs that repeat, actors that fail as scripted, trees that are checked.

The strategies for Hypothesis are in `actors.testing.strategies`, which needs it installed; nothing else here does.
"""

from actors.testing.plan import (
    Action,
    Asking,
    End,
    Killing,
    Knock,
    Nudge,
    Outcome,
    Pausing,
    Stopping,
    Telling,
    carry_out,
)
from actors.testing.probe import Probe, Unexpected
from actors.testing.schedule import repeatable, run
from actors.testing.script import (
    Answer,
    Boom,
    Crash,
    Defer,
    Drop,
    Ignore,
    Overrun,
    Refuse,
    Script,
    Stall,
    StartStep,
    Step,
    Swallow,
)
from actors.testing.settled import Unsettled, assert_settled, no_task_left
from actors.testing.stall import Stalled

__all__ = [
    "Action",
    "Answer",
    "Asking",
    "Boom",
    "Crash",
    "Defer",
    "Drop",
    "End",
    "Ignore",
    "Killing",
    "Knock",
    "Nudge",
    "Outcome",
    "Overrun",
    "Pausing",
    "Probe",
    "Refuse",
    "Script",
    "Stall",
    "Stalled",
    "StartStep",
    "Step",
    "Stopping",
    "Swallow",
    "Telling",
    "Unexpected",
    "Unsettled",
    "assert_settled",
    "carry_out",
    "no_task_left",
    "repeatable",
    "run",
]
