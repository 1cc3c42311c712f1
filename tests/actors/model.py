"""The rules of supervision once more, in the plainest words: no task, no mailbox, one thing after another.

What it says of a scenario is compared with what Erlang's supervisor did (so that we may believe it), and then, for
scenarios that nobody recorded, with what `actors` does. It is written from the rules, and shares no code with ours.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, TypeAlias

from attrs import define, field

Json: TypeAlias = Any

UNDEFINED, RESTARTING = "undefined", "restarting"
ORDERLY = ("normal", "shutdown")


@define
class Process:
    """A worker that runs."""

    path: str
    inc: int
    stop: Json


@define(eq=False)
class Record:
    """What a supervisor knows of a child. ``pid`` is a process, a supervisor, or one of the two words."""

    spec: Json
    id: str
    pid: Process | Supervisor | str = UNDEFINED

    @property
    def is_alive(self) -> bool:
        return not isinstance(self.pid, str)

    @property
    def restart(self) -> str:
        return str(self.spec.get("restart", "permanent"))

    @property
    def kind(self) -> str:
        return str(self.spec.get("type", "worker"))

    @property
    def shutdown(self) -> Json:
        return self.spec.get("shutdown", 5000 if self.kind == "worker" else "infinity")

    @property
    def significant(self) -> bool:
        return bool(self.spec.get("significant", False))


@define(eq=False)
class Supervisor:
    path: str
    flags: Json
    inc: int
    parent: Supervisor | None
    children: list[Record] = field(factory=list)  # in start order
    restarts: list[float] = field(factory=list)

    @property
    def is_simple(self) -> bool:
        return bool(self.flags["strategy"] == "simple_one_for_one")

    def find(self, name: str) -> Record | None:
        return next((child for child in self.children if child.id == name), None)


class GaveUp(Exception):
    """The window is spent, or a significant child has ended."""


@define
class World:
    """All supervisors and workers of one scenario, and the clock."""

    plans: dict[str, list[str]]
    now: float = 0.0
    events: list[Json] = field(factory=list)
    incs: Counter[str] = field(factory=Counter)
    live: dict[str, Process | Supervisor] = field(factory=dict)

    # -- start

    def begin(self, path: str) -> int:
        self.incs[path] += 1
        self.events.append(["start", path, self.incs[path]])
        return self.incs[path]

    def ended(self, what: Process | Supervisor, reason: Json) -> None:
        del self.live[what.path]
        self.events.append(["exit", what.path, what.inc, reason])

    def start(self, sup: Supervisor, child: Record) -> Json:
        """Start a child: None, or why it did not start. One that says ignore stays undefined (R11)."""
        path = f"{sup.path}/{child.id}"
        if child.kind == "supervisor":
            started = self.start_supervisor(path, child.spec["sup"], sup)
            if not isinstance(started, Supervisor):
                return started
            child.pid = started
            return None
        outcome = self.plans[path].pop(0) if self.plans.get(path) else "ok"
        if outcome == "error":
            self.events.append(["start_error", path])
            return "boom"
        if outcome == "ignore":
            self.events.append(["start_ignore", path])
            child.pid = UNDEFINED
            if child.restart == "temporary" or sup.is_simple:  # R11, R100, R104
                sup.children.remove(child)
            return None
        child.pid = self.live[path] = Process(path, self.begin(path), child.spec.get("stop", {"mode": "plain"}))
        return None

    def start_supervisor(self, path: str, flags: Json, parent: Supervisor | None) -> Supervisor | Json:
        sup = self.live[path] = Supervisor(path, flags, self.begin(path), parent)
        if not sup.is_simple:
            sup.children = [Record(spec, spec["id"]) for spec in flags["children"]]
        for child in list(sup.children):
            if (reason := self.start(sup, child)) is not None:  # R12
                why = ["shutdown", ["failed_to_start_child", child.id, reason]]
                self.stop_children(sup)
                self.ended(sup, why)
                return why
        return sup

    # -- stop

    def stop(self, child: Record) -> None:
        """Stop a child as its spec says (R40-R43)."""
        if isinstance(child.pid, Supervisor):
            self.stop_children(child.pid)
            self.ended(child.pid, "shutdown")
        elif isinstance(child.pid, Process):
            took, reason = dying(child.pid.stop, child.shutdown)
            self.now += took
            self.ended(child.pid, reason)
        child.pid = UNDEFINED

    def stop_children(self, sup: Supervisor) -> None:
        if sup.is_simple:  # all at once, by one timer (R105)
            before, latest = self.now, self.now
            for child in sup.children:
                self.now = before
                self.stop(child)
                latest = max(latest, self.now)
            self.now = latest
        else:
            for child in reversed(sup.children):  # R44
                self.stop(child)

    def leave(self, sup: Supervisor, reason: Json) -> None:
        """End a supervisor, and let its parent deal with that (R53, R93)."""
        self.stop_children(sup)
        self.ended(sup, reason)
        if sup.parent is not None:
            self.exited(sup.parent, sup, reason)

    # -- exits

    def exited(self, sup: Supervisor, what: Process | Supervisor, reason: Json) -> None:
        child = next(child for child in sup.children if child.pid is what)
        try:
            orderly = reason in ORDERLY or (isinstance(reason, list) and len(reason) == 2 and reason[0] == "shutdown")
            if child.restart == "permanent" or (child.restart == "transient" and not orderly):  # R21, R22
                self.restart(sup, child)
            else:
                self.stays_down(sup, child)
        except GaveUp:
            self.leave(sup, "shutdown")

    def stays_down(self, sup: Supervisor, child: Record) -> None:
        child.pid = UNDEFINED
        if child.restart == "temporary" or sup.is_simple:  # R24
            sup.children.remove(child)
        when = sup.flags.get("auto_shutdown", "never")
        if child.significant and when != "never":  # R60
            others = any(other.significant and other.pid != UNDEFINED for other in sup.children)
            if when == "any_significant" or not others:  # R61, R62
                raise GaveUp

    def restart(self, sup: Supervisor, child: Record) -> None:
        while True:
            sup.restarts = [self.now, *(at for at in sup.restarts if self.now - at <= sup.flags["period"])]  # R51
            if len(sup.restarts) > sup.flags["intensity"]:  # R50
                child.pid = UNDEFINED
                raise GaveUp
            child.pid = UNDEFINED
            at = sup.children.index(child)
            strategy = sup.flags["strategy"]
            group = {"one_for_all": sup.children, "rest_for_one": sup.children[at:]}.get(strategy, [child])
            for member in reversed(group):
                self.stop(member)
            for member in [each for each in group if each.restart == "temporary"]:  # R33
                sup.children.remove(member)
            failed = next(
                (each for each in list(group) if each in sup.children and self.start(sup, each) is not None), None
            )
            if failed is None:
                return
            failed.pid = RESTARTING  # R35; nobody is there to come in between, so it is tried again at once (R36)
            child = failed

    # -- steps

    def do(self, step: Json) -> Json:
        match step:
            case {"op": "plan", "path": path, "starts": starts}:
                self.plans[path] = list(starts)
            case {"op": "advance", "to": seconds}:
                self.now = max(self.now, seconds)
            case {"path": path} if path not in self.live:
                return "noproc"
            case {"op": "exit" | "signal" as op, "path": path, "reason": reason}:
                self.die(self.live[path], reason, by_itself=op == "exit")
            case {"op": "stop_sup", "path": path, "reason": reason}:
                sup = self.live[path]
                assert isinstance(sup, Supervisor)
                self.leave(sup, reason)
            case {"sup": path} if path not in self.live:
                return "noproc"
            case {"sup": path}:
                sup = self.live[path]
                assert isinstance(sup, Supervisor)
                return self.request(sup, step)
        return "ok"

    def die(self, process: Process | Supervisor, reason: Json, *, by_itself: bool) -> None:
        assert isinstance(process, Process)
        if reason != "kill" and not by_itself and (process.stop["mode"] != "plain" or reason == "normal"):
            return  # R110, R112
        reason = "killed" if reason == "kill" else reason
        self.ended(process, reason)
        sup = self.live[process.path.rpartition("/")[0]]
        assert isinstance(sup, Supervisor)
        self.exited(sup, process, reason)

    def request(self, sup: Supervisor, step: Json) -> Json:
        name = step.get("name", step.get("id"))
        if sup.is_simple:
            return self.simple_request(sup, step["op"], name, "name" in step)
        if step["op"] == "start_child":
            return self.start_child(sup, step["spec"])
        child = sup.find(name)
        if child is None:
            return ["error", "not_found"]
        match step["op"]:
            case "terminate_child":  # R71
                self.stop(child)
                if child.restart == "temporary":
                    sup.children.remove(child)
                return "ok"
            case "get_childspec":
                spec = {"id": child.id, "restart": child.restart, "shutdown": child.shutdown}
                return ["ok", {**spec, "type": child.kind, "significant": child.significant}]
            case _ if child.pid != UNDEFINED:
                return ["error", "running" if child.is_alive else "restarting"]
            case "delete_child":  # R73
                sup.children.remove(child)
                return "ok"
        reason = self.start(sup, child)  # R72
        return ["error", reason] if reason is not None else ["ok", self.pid(child)]

    def start_child(self, sup: Supervisor, spec: Json) -> Json:  # R70
        never = sup.flags.get("auto_shutdown", "never") == "never"
        child = Record(spec, spec["id"])
        if child.restart not in ("permanent", "transient", "temporary"):
            return ["error", ["invalid_restart_type", child.restart]]
        if not isinstance(child.shutdown, str) and child.shutdown < 0:
            return ["error", ["invalid_shutdown", child.shutdown]]
        if child.significant and (never or child.restart == "permanent"):
            why = ["auto_shutdown", "never"] if never else ["restart", "permanent"]
            return ["error", ["bad_combination", [why, ["significant", True]]]]
        if (known := sup.find(child.id)) is not None:
            return ["error", ["already_started", self.pid(known)] if known.is_alive else "already_present"]
        sup.children.append(child)
        if (reason := self.start(sup, child)) is not None:
            sup.children.remove(child)
            return ["error", [reason, "<child>"]]
        return ["ok", self.pid(child)]

    def simple_request(self, sup: Supervisor, op: str, name: str, by_name: bool) -> Json:  # R100-R106
        if op in ("restart_child", "delete_child") or (op == "terminate_child" and not by_name):
            return ["error", "simple_one_for_one"]
        child = sup.find(name)
        if op == "get_childspec":
            return ["error", "not_found"]  # asked for by an id
        if op == "terminate_child":
            if child is not None:
                self.stop(child)
                sup.children.remove(child)
            return "ok" if f"{sup.path}/{name}" in self.incs else ["error", "not_found"]
        child = Record(sup.flags["children"][0], name)
        sup.children.append(child)
        if (reason := self.start(sup, child)) is not None:
            sup.children.remove(child)
            return ["error", reason]
        return ["ok", self.pid(child)]

    def pid(self, child: Record) -> str:
        assert not isinstance(child.pid, str) or child.pid == UNDEFINED
        return child.pid if isinstance(child.pid, str) else f"<{child.pid.path}:{child.pid.inc}>"

    # -- looking

    def tree(self) -> Json:
        return {path: seen(sup) for path, sup in self.live.items() if isinstance(sup, Supervisor)}


def seen(sup: Supervisor) -> Json:
    newest_first = sorted(sup.children, key=lambda child: child.id) if sup.is_simple else sup.children[::-1]
    supervisors = sum(child.kind == "supervisor" for child in sup.children)
    return {
        "children": [
            [child.id, child.pid if isinstance(child.pid, str) else child.pid.inc, child.kind] for child in newest_first
        ],
        "count": [
            1 if sup.is_simple else len(sup.children),
            sum(child.is_alive for child in sup.children),
            supervisors,
            len(sup.children) - supervisors,
        ],
    }


def dying(stop: Json, shutdown: Json) -> tuple[float, Json]:
    """Return in how many seconds a worker dies of an ordered stop, and of what."""
    if shutdown == "brutal_kill":
        return 0.0, "killed"
    patience = math.inf if shutdown == "infinity" else shutdown / 1000
    match stop:
        case {"mode": "plain"}:
            return 0.0, "shutdown"
        case {"mode": "trap"} if stop.get("delay_ms", 0) / 1000 <= patience:
            return stop.get("delay_ms", 0) / 1000, stop.get("reason", "shutdown")
    return patience, "killed"


def foretell(scenario: Json) -> Json:
    """Return the trace that the rules give a scenario."""
    world = World({path: list(starts) for path, starts in scenario["plans"].items()})
    records: list[Json] = []

    def record(op: str) -> Json:
        world.events = []
        records.append({"n": len(records), "op": op, "result": "ok", "events": world.events, "tree": {}})
        return records[-1]

    boot = record("boot")
    root = world.start_supervisor("root", scenario["root"], None)
    if not isinstance(root, Supervisor):
        boot["result"] = ["error", root]
        return {"steps": records, "root_exit": None}
    boot["tree"] = world.tree()
    for step in scenario["steps"]:
        if "root" in world.live:
            entry = record(step["op"])
            entry["result"] = world.do(step)
            entry["tree"] = world.tree()
    if "root" in world.live:
        record("stop")
        world.leave(root, "shutdown")
    return {"steps": records, "root_exit": records[-1]["events"][-1][3]}
