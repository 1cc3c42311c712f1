"""What a function of a server may raise to say how its request failed, and what may be raised to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from runtime.protocol import JsonRpcError

__all__ = ["AskFailed", "InvalidArguments", "NotFound", "ToolError"]


@final
class ToolError(Exception):
    """Raised by a function to fail with exactly this text. Any other exception is shown with its type's name."""


@final
class NotFound(Exception):
    """Raised by the function of a resource template: there is no such resource."""


@final
class InvalidArguments(Exception):
    """The arguments do not fit what the function declares; says where and why."""


@final
class AskFailed(Exception):
    """The client answered a question with an error, or with what is no answer to it; ``error`` is what it said.

    A person who declines is no failure: that is an answer.
    """

    def __init__(self, message: str, error: JsonRpcError | None = None) -> None:
        super().__init__(message)
        self.error = error
