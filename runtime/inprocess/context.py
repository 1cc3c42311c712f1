"""What a function of a server can say to its client, and ask it, while it works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, final

from attrs import define, frozen

from .failures import AskFailed

if TYPE_CHECKING:
    from runtime.protocol import Era

    from .calls import Call

__all__ = ["Context", "Elicited"]

T = TypeVar("T")

Action = Literal["accept", "decline", "cancel"]


@final
@frozen
class Elicited(Generic[T]):
    """What a person did with a question; ``value`` is there if, and only if, it was accepted."""

    action: Action
    value: T | None = None

    def __bool__(self) -> bool:
        return self.action == "accept"


@final
@define(eq=False)
class Context:
    """A function that has a parameter of this type is given one for its request.

    `progress` and `log` never wait and may be called from the function's thread; they do nothing where the client
    does not want to hear. The questions wait for their answer, in both eras alike; where the client did not declare
    that it can be asked, they raise `MissingCapability` (`offers` tells before).
    """

    _call: Call

    @property
    def era(self) -> Era:
        return self._call.era

    @property
    def client_info(self) -> Mapping[str, Any]:
        """Who the client says it is, in wire names; for display only. Empty where it does not say."""
        return self._call.client_info

    @property
    def meta(self) -> Mapping[str, Any]:
        """The ``_meta`` of the request: the trace context, if any, and whatever else the client sent along."""
        meta: Mapping[str, Any] = self._call.params.get("_meta") or {}
        return meta

    def offers(self, capability: str) -> bool:
        """Whether the client can be asked: ``"elicitation"``, ``"sampling"`` or ``"roots"``."""
        return capability in self._call.declared

    def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Tell how far it is; the value must increase."""
        self._call.tell_progress(progress, total, message)

    def log(self, level: str, data: Any, logger: str | None = None) -> None:
        """Send a message to the client.

        Args:
            level: ``debug``, ``info``, ``notice``, ``warning``, ``error``, ``critical``, ``alert`` or ``emergency``.
            data: any JSON, often a string.
        """
        self._call.tell_log(level, data, logger)

    async def elicit(self, message: str, form: type[T]) -> Elicited[T]:
        """Ask the person at the client to fill in a form.

        Args:
            form: a dataclass, an attrs class, a TypedDict or a msgspec Struct; its fields are the form's: strings,
                numbers, booleans, Literals or Enums of strings, lists of these; ``| None`` need not be filled in.
        Raises:
            TypeError: the form has a field of another kind.
            AskFailed: the client could not ask, or answered what the form does not allow.
        """
        from .forms import answer_of, form_of

        params = {"mode": "form", "message": message, "requestedSchema": form_of(form)}
        answer = await self._call.ask("elicitation/create", params)
        action = _action(answer)
        if action != "accept":
            return Elicited(action)
        try:
            return Elicited(action, answer_of(form, answer.get("content") or {}))
        except ValueError as error:
            raise AskFailed(f"the form was not filled in as it asks: {error}") from None

    async def elicit_url(self, message: str, url: str) -> Action:
        """Ask the person at the client to visit a page; ``accept`` says that they agreed, not that they are done."""
        from uuid import uuid4

        params = {"mode": "url", "message": message, "url": url, "elicitationId": str(uuid4())}
        return _action(await self._call.ask("elicitation/create", params))

    async def sample(
        self,
        prompt: str | Sequence[Mapping[str, Any]],
        *,
        max_tokens: int = 1024,
        system: str | None = None,
        temperature: float | None = None,
        **more: Any,
    ) -> Mapping[str, Any]:
        """Ask the client's model.

        Args:
            prompt: what the user says, or SamplingMessages in wire names.
            more: further members of the request in wire names, such as ``modelPreferences`` or ``tools``.
        Returns:
            CreateMessageResult in wire names: ``role``, ``content``, ``model``, ``stopReason``.
        Raises:
            AskFailed: the client, or the person there, refused.
        """
        messages: Any = prompt
        if isinstance(prompt, str):
            messages = [{"role": "user", "content": {"type": "text", "text": prompt}}]
        params = {"messages": messages, "maxTokens": max_tokens, **more}
        if system is not None:
            params["systemPrompt"] = system
        if temperature is not None:
            params["temperature"] = temperature
        return await self._call.ask("sampling/createMessage", params)

    async def roots(self) -> list[Mapping[str, Any]]:
        """Ask for the client's roots: each has a ``uri`` and may have a ``name``."""
        roots = (await self._call.ask("roots/list", None)).get("roots")
        if not isinstance(roots, list):
            raise AskFailed("the client's answer has no roots")
        return roots


def _action(answer: Mapping[str, Any]) -> Action:
    action: Action | object = answer.get("action")
    match action:
        case "accept" | "decline" | "cancel":
            return action
        case other:
            raise AskFailed(f"the client answered neither accept, decline nor cancel: {other!r}")
