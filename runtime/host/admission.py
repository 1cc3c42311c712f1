"""The rules at the doors of the house: to call, to see and to spawn; and what its callers have spent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar, final

import trio
from attrs import define, field

from runtime.call import Call
from runtime.errors import CallRefused, Sent, SpawnRefused
from runtime.journal import Feed, Refused
from runtime.policy import Act, Decision, Denied, Ledger, Rules, Wish, decide, tools_of
from runtime.registry import PromptEntry, ResourceEntry, ResourceTemplateEntry, ToolEntry
from runtime.servers import Record

Entry = TypeVar("Entry", ToolEntry, ResourceEntry, ResourceTemplateEntry, PromptEntry)

TOOL_CALL = "tools/call"


@final
@define(eq=False, repr=False)
class Admission:
    """Decides by the names that servers have and go by among themselves, and by their specs as they are now.

    ``caller`` is everywhere the name of a client, or None for the program itself.
    """

    _rules: Rules
    _ledger: Ledger
    _records: Mapping[str, Record]
    _feed: Feed
    _spent: set[str] = field(factory=set, init=False)  # callers of whose spent budgets was told

    def admit(self, record: Record, call: Call) -> None:
        """Let a call through, and charge it to its caller, before any work for it. Raises `CallRefused`."""
        caller = call.caller
        if self._is_free(record, caller):
            return
        tool = call.name if call.method == TOOL_CALL else None
        decision = self._decide(Act.CALL, record, tool, caller)
        if isinstance(decision, Denied):
            self._tell(decision, call.server, call.verb, tool, caller)
        elif caller is not None:
            decision = self._charge(caller, call, tool)
        if isinstance(decision, Denied):
            raise CallRefused(call.server, call.name, Sent.NOT_SENT, decision.reason, verb=call.verb)

    def admit_server(self, server: str) -> None:
        """Let a server be spawned by the program. Raises `SpawnRefused`."""
        decision = decide(self._rules, Wish(Act.SPAWN, server))
        if isinstance(decision, Denied):
            self._tell(decision, server, "spawn", None, None)
            raise SpawnRefused(server, decision.reason)

    def seen(self, entries: Iterable[Entry], caller: str | None) -> tuple[Entry, ...]:
        """Leave out of a list, without a word, what its reader may not see."""
        return tuple(
            entry
            for entry in entries
            if (record := self._records.get(entry.server)) is not None
            and (
                self._is_free(record, caller)
                or self._decide(Act.DISCOVER, record, entry.name if isinstance(entry, ToolEntry) else None, caller)
            )
        )

    def servers(self, caller: str | None) -> tuple[str, ...]:
        """Name the servers that a caller may see; to the program itself, all of them."""
        if caller is None:
            return tuple(self._records)
        return tuple(name for name in self._records if decide(self._rules, Wish(Act.DISCOVER, name, None, caller)))

    def tools(self, record: Record, caller: str | None) -> tuple[str, ...]:
        """Name the tools of a server that a caller may see."""
        return tuple(tool for tool in record.tools if self._decide(Act.DISCOVER, record, tool, caller))

    def _is_free(self, record: Record, caller: str | None) -> bool:
        """Say whether no rule is about it: so it is nearly always, and then it costs nearly nothing."""
        spec = record.spec
        return caller is None and spec.allow is None and not spec.deny and self._rules.guard is None

    def _decide(self, act: Act, record: Record, tool: str | None, caller: str | None) -> Decision:
        return decide(self._rules, Wish(act, record.name, tool, caller), tools_of(record.spec))

    def _charge(self, caller: str, call: Call, tool: str | None) -> Decision:
        decision = self._ledger.charge(caller, trio.current_time())
        if not isinstance(decision, Denied):
            self._spent.discard(caller)
        elif caller not in self._spent:
            self._spent.add(caller)
            self._tell(decision, call.server, call.verb, tool, caller)
        return decision

    def _tell(self, denied: Denied, server: str, verb: str, tool: str | None, caller: str | None) -> None:
        self._feed.publish(Refused(self._feed.now(), server, verb, tool, caller, denied.reason))
