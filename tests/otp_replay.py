"""Real OTP as the judge: replay what Erlang's own supervisor was seen to do, and compare event by event.

    python -m tests.otp_replay FILE...

Each line of a FILE is one record: a scenario, and the trace that `supervisor` left of it. Here the scenario runs on
`actors`, under a virtual clock, in each of the `MANNERS` in which our users may write a worker or end a system. Prints
each mismatch as a diff (- as OTP did it, + as we do), and how many records passed; the exit code is 0 if all did.

Everything that names things differently here and there is in this file, and nowhere else: reasons and errors as Erlang
terms (`term`, `refusal`), where a supervisor begins (`Stage.attempt`: with its first child), a worker that answers its
stop with a reason of its own (`Stage.said`), pids of dynamic children (their names).
"""

from __future__ import annotations

import difflib
import itertools
import json
import math
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import trio
from attrs import define, field, frozen
from trio.testing import wait_all_tasks_blocked

import actors
from actors import ChildRefused, Crashed, ExitReason, Killed, Normal, Shutdown, SpecError, StartFailed
from actors.testing import Stalled, run

TRACES = Path(__file__).parent / "actors" / "data" / "otp-traces.jsonl"

Json = Any  # what the scenarios and traces are made of


@frozen
class Manner:
    """A way to write the workers that need no clean-up, and a way to end the system."""

    worker: str
    cancelled: bool


MANNERS = tuple(itertools.starmap(Manner, itertools.product(("managed", "plain", "with helpers"), (False, True))))

# -- Erlang terms


class Atom(Exception):
    """A crash, by its name in Erlang."""


def term(reason: object) -> Json:
    """Return a reason as Erlang says it."""
    match reason:
        case Normal():
            return "normal"
        case Shutdown(detail):
            return "shutdown" if detail is None else ["shutdown", detail]
        case Killed():
            return "killed"
        case Crashed(Atom() as atom):
            return atom.args[0]
        case StartFailed(inner, child):
            return term(inner) if child is None else ["shutdown", ["failed_to_start_child", child, term(inner)]]
    return repr(reason)


def reason_of(said: Json) -> ExitReason:
    """Return what Erlang calls that, as a reason."""
    match said:
        case "normal":
            return Normal()
        case "shutdown":
            return Shutdown()
        case ["shutdown", detail]:
            return Shutdown(detail)
    return Crashed(Atom(said))


def milliseconds(time: object) -> Json:
    if isinstance(time, float):
        return "infinity" if time == math.inf else round(time * 1000)
    return "brutal_kill"


# -- workers


@frozen
class Leave(actors.Tell):
    """End by yourself."""

    reason: ExitReason


@define
class Worker:
    leaves: bool = False

    def receive(self, message: Leave | actors.Exit) -> None:
        match message:
            case Leave(Crashed(atom)):
                self.leaves = True
                raise atom
            case Leave(reason):
                self.leaves = True
                actors.context().ref.stop(reason, now=True)
            case actors.Exit():
                pass  # it traps exits, and ignores those of others


@define
class Stage:
    """What one run of a scenario sees and remembers."""

    manner: Manner
    plans: dict[str, list[str]]
    auto: dict[str, str] = field(factory=dict)  # auto_shutdown of each supervisor
    dynamic: set[str] = field(factory=set)  # those that are simple_one_for_one
    events: list[Json] = field(factory=list)
    incs: Counter[str] = field(factory=Counter)  # successful starts
    alive: set[str] = field(factory=set)
    said: dict[str, Json] = field(factory=dict)  # orderly reasons, in answer to a stop

    def begin(self, path: str) -> None:
        """Begin a process, and before it the supervisors above it that have not begun."""
        if path and path not in self.alive:
            self.begin(path.rpartition("/")[0])
            self.incs[path] += 1
            self.alive.add(path)
            self.events.append(["start", path, self.incs[path]])

    def attempt(self, path: str) -> str:
        """Say how the next start of a worker goes."""
        self.begin(path.rpartition("/")[0])
        outcome = self.plans[path].pop(0) if self.plans.get(path) else "ok"
        if outcome != "ok":
            self.events.append([f"start_{outcome}", path])
        return outcome

    def observe(self, event: actors.TreeEvent) -> None:
        if isinstance(event, actors.ChildStarted):
            self.begin(event.path)
        elif isinstance(event, actors.ChildExited | actors.ChildStopped) and event.path in self.alive:
            self.alive.remove(event.path)
            said = self.said.pop(event.path, "shutdown")
            reason = said if event.reason == Shutdown() else term(event.reason)
            self.events.append(["exit", event.path, self.incs[event.path], reason])

    def start(self, spec: Json, sup: str, name: str) -> Any:
        path = f"{sup}/{name}"
        match self.attempt(path):
            case "error":
                raise Atom("boom")
            case "ignore":
                return actors.IGNORE
        stop = spec.get("stop", {"mode": "plain"})
        plain = stop["mode"] == "plain" and self.manner.worker != "managed"
        return Worker() if plain else self.managed(path, stop)

    @asynccontextmanager
    async def managed(self, path: str, stop: Json) -> AsyncIterator[Worker]:
        worker = Worker()
        yield worker
        if not worker.leaves:
            match stop["mode"]:
                case "ignore":
                    await trio.sleep_forever()
                case "trap":
                    await trio.sleep(stop.get("delay_ms", 0) / 1000)
                    said = stop.get("reason", "shutdown")
                    if isinstance(reason := reason_of(said), Crashed):
                        raise reason.exception
                    self.said[path] = said

    # -- specs

    def spec(self, child: Json, sup: str) -> actors.Spec:
        word = child.get("restart", "permanent")
        common: dict[str, Any] = {
            "restart": actors.Restart(word) if word in {each.value for each in actors.Restart} else word,
            "significant": child.get("significant", False),
        }
        match child.get("shutdown"):
            case int(time):
                common["shutdown"] = time / 1000
            case "infinity":
                common["shutdown"] = math.inf
            case "brutal_kill":
                common["shutdown"] = actors.BRUTAL_KILL
        if child.get("type") == "supervisor":
            return self.supervisor(child["id"], child["sup"], f"{sup}/{child['id']}", **common)
        start = partial(self.start, child, sup)
        return actors.ChildSpec(
            child["id"],
            start if child.get("dynamic") else partial(start, child["id"]),
            trap_exits=child.get("stop", {}).get("mode") in ("trap", "ignore"),
            nursery=self.manner.worker == "with helpers",
            **common,
        )

    def supervisor(self, name: str, sup: Json, path: str, **common: Any) -> actors.SupervisorSpec:
        self.auto[path] = sup.get("auto_shutdown", "never")
        simple = sup["strategy"] == "simple_one_for_one"
        if simple:
            self.dynamic.add(path)
        children = tuple(self.spec(child, path) for child in sup["children"])
        return actors.SupervisorSpec(
            name,
            () if simple else children,
            template=children[0] if simple else None,  # type: ignore[arg-type]
            strategy=actors.Strategy.ONE_FOR_ONE if simple else actors.Strategy(sup["strategy"]),
            window=actors.RestartWindow(sup["intensity"], sup["period"]),
            auto_shutdown=actors.AutoShutdown(self.auto[path]),
            **common,
        )


# -- steps


@define
class Player:
    """Carries out the steps of a scenario, one by one."""

    stage: Stage
    system: actors.System

    async def do(self, step: Json) -> Json:
        """Carry one out, and return its result."""
        match step:
            case {"op": "plan", "path": path, "starts": starts}:
                self.stage.plans[path] = list(starts)
            case {"op": "advance", "to": seconds}:
                await trio.sleep_until(seconds)
            case {"path": path} if path not in self.stage.alive:
                return "noproc"
            case {"op": "exit" | "signal", "path": path, "reason": "kill"}:
                self.system[path].kill()
            case {"op": "exit", "path": path, "reason": reason}:
                self.system[path].tell(Leave(reason_of(reason)))
            case {"op": "signal", "path": path, "reason": reason}:
                self.system[path]._child.signal(reason_of(reason), self.system.root.ref)
            case {"op": "stop_sup", "path": path, "reason": reason}:
                self.system[path].stop(reason_of(reason), now=True)
            case {"sup": path} if path not in self.stage.alive:
                return "noproc"
            case {"op": "terminate_child", "sup": path, "id": _} if path in self.stage.dynamic:
                return ["error", "simple_one_for_one"]  # their names here are OTP's pids; ids they have none (R101)
            case {"sup": path}:
                try:
                    return await self.request(self.system.supervisor(path), step)
                except (ChildRefused, SpecError) as error:
                    return self.refusal(step, error)
        return "ok"

    async def request(self, supervisor: actors.SupervisorRef, step: Json) -> Json:
        name = step.get("id", step.get("name"))
        match step["op"]:
            case "start_child" if "name" in step:
                return self.started(await supervisor.start_from_template(name, name=name))
            case "start_child":
                return self.started(await supervisor.start_child(self.stage.spec(step["spec"], step["sup"])))
            case "restart_child":
                return self.started(await supervisor.restart_child(name))
            case "terminate_child":
                await supervisor.terminate_child(name)
            case "delete_child":
                await supervisor.delete_child(name)
            case "get_childspec":
                spec = await supervisor.get_childspec(name)
                return [
                    "ok",
                    {
                        "id": spec.name,
                        "restart": spec.restart.value,
                        "shutdown": milliseconds(spec.shutdown),
                        "type": "worker" if isinstance(spec, actors.ChildSpec) else "supervisor",
                        "significant": spec.significant,
                    },
                ]
        return "ok"

    def started(self, ref: actors.Ref | None) -> Json:
        return ["ok", "undefined" if ref is None else self.pid(ref.path)]

    def pid(self, path: str) -> str:
        return f"<{path}:{self.stage.incs[path]}>"

    def refusal(self, step: Json, error: ChildRefused | SpecError) -> Json:
        """Return a refusal as OTP's error value."""
        if isinstance(error, ChildRefused) and isinstance(error.reason, SpecError):
            error = error.reason
        match error:
            case SpecError(field="significant", value=True):
                never = self.stage.auto[step["sup"]] == "never"
                why = ["auto_shutdown", "never"] if never else ["restart", "permanent"]
                return ["error", ["bad_combination", [why, ["significant", True]]]]
            case SpecError(field="restart", value=value):
                return ["error", ["invalid_restart_type", value]]
            case SpecError(field="shutdown", value=value):
                return ["error", ["invalid_shutdown", milliseconds(value)]]
            case ChildRefused(why="not_found") if f"{step['sup']}/{step.get('name')}" in self.stage.incs:
                return "ok"  # terminate_child by the pid of a dynamic child that is dead (R101)
            case ChildRefused(why="dynamic"):
                return ["error", "simple_one_for_one"]
            case ChildRefused(why="already_started", child=child):
                return ["error", ["already_started", self.pid(f"{step['sup']}/{child}")]]
            case ChildRefused(why="start_failed", reason=reason) if "spec" in step:
                return ["error", [term(reason), "<child>"]]
            case ChildRefused(why="start_failed", reason=reason):
                return ["error", term(reason)]
        assert isinstance(error, ChildRefused)
        return ["error", error.why]

    # -- looking

    async def settle(self) -> Json:
        """Let the tree come to rest, and return what it then looks like."""
        while True:
            seen = len(self.stage.events)
            await wait_all_tasks_blocked()
            tree: dict[str, Json] = {}
            with suppress(actors.ActorStopped, KeyError):
                if "root" in self.stage.alive:
                    await self.look("root", tree)
                if len(self.stage.events) == seen:
                    return tree

    async def look(self, path: str, tree: dict[str, Json]) -> None:
        supervisor = self.system.supervisor(path)
        nodes = await supervisor.which_children()
        count = await supervisor.count_children()
        if path in self.stage.dynamic:
            nodes = tuple(sorted(nodes, key=lambda node: node.name))
        tree[path] = {
            "children": [[node.name, self.state(f"{path}/{node.name}", node), node.kind] for node in nodes],
            "count": [count.specs, count.active, count.supervisors, count.workers],
        }
        for node in nodes:
            if node.kind == "supervisor" and node.status == "running":
                await self.look(f"{path}/{node.name}", tree)

    def state(self, path: str, node: actors.Node) -> Json:
        return {"stopped": "undefined", "restarting": "restarting"}.get(node.status, self.stage.incs[path])


async def play(scenario: Json, manner: Manner) -> Json:
    """Run a scenario, and return its trace."""
    stage = Stage(manner, {path: list(starts) for path, starts in scenario["plans"].items()})
    root = stage.supervisor("root", scenario["root"], "root", restart=actors.Restart.TEMPORARY)
    records: list[Json] = []

    def record(op: str) -> Json:
        records.append({"n": len(records), "op": op, "result": "ok", "events": [], "tree": {}})
        stage.events = records[-1]["events"]
        return records[-1]

    boot = record("boot")
    with trio.CancelScope() as outside:
        try:
            # The scenario's root has a parent, as in the recording: it starts it, and at the end it stops it.
            async with actors.open_system(root, name="parent", observe=stage.observe) as system:
                player = Player(stage, system)
                boot["tree"] = await player.settle()
                for step in scenario["steps"]:
                    if "root" in stage.alive:
                        entry = record(step["op"])
                        entry["result"] = await player.do(step)
                        entry["tree"] = await player.settle()
                if "root" in stage.alive:
                    record("stop")
                    if manner.cancelled:
                        outside.cancel()
                        await trio.lowlevel.checkpoint()
        except actors.SupervisorExit as failed:
            boot["result"] = ["error", term(failed.reason)[1][2]]
    started = boot["result"] == "ok"
    return {"steps": records, "root_exit": records[-1]["events"][-1][3] if started else None}


# -- comparing


def normalized(scenario: Json, trace: Json) -> Json:
    """Sort what OTP leaves open: in which order the children of one dynamic supervisor are ended together."""
    simple = set(_simple("root", scenario["root"]))
    steps = [{}, *scenario["steps"], {}]
    for step, entry in zip(steps, trace["steps"], strict=False):

        def is_apart(event: Json, step: Json = step) -> bool:
            return bool(event[0] != "exit" or event[1] == step.get("path"))

        def family(event: Json) -> str | None:
            above = str(Path(event[1]).parent)
            return above if above in simple and not is_apart(event) else None

        runs = [(above, list(run)) for above, run in itertools.groupby(entry["events"], family)]
        entry["events"] = [event for above, run in runs for event in (sorted(run) if above else run)]
    return trace


def _simple(path: str, sup: Json) -> Iterator[str]:
    if sup["strategy"] == "simple_one_for_one":
        yield path
    for child in sup["children"]:
        if "sup" in child:
            yield from _simple(f"{path}/{child['id']}", child["sup"])


def lines(trace: Json) -> list[str]:
    """Return a trace as text, one event a line."""
    said = []
    for entry in trace["steps"]:
        said.append(f"{entry['n']} {entry['op']}: {json.dumps(entry['result'], sort_keys=True)}")
        said += [f"    {' '.join(map(str, event))}" for event in entry["events"]]
        for path, seen in sorted(entry["tree"].items()):
            children = ", ".join(f"{name} {state} ({kind})" for name, state, kind in seen["children"])
            said.append(f"  {path} {seen['count']}: {children}")
    return [*said, f"root exit: {json.dumps(trace['root_exit'])}"]


def mismatch(record: Json, manner: Manner, seed: int = 0) -> str:
    """Replay one record, the order of tasks drawn from ``seed``; return how we differ from OTP, or nothing."""
    stop = "its stop is a cancellation" if manner.cancelled else "its stop is ordered"
    name = f"{record['scenario']['id']}, workers {manner.worker}, {stop}"
    try:
        ours = run(play, record["scenario"], manner, seed=seed)
    except Stalled as stalled:
        return f"+++ {name}\n{stalled}"
    ours = lines(normalized(record["scenario"], ours))
    otp = lines(normalized(record["scenario"], record["trace"]))
    return "\n".join(difflib.unified_diff(otp, ours, "OTP", name, lineterm="", n=1000))


def recorded(*files: Path) -> list[Json]:
    """Return the records in these files."""
    return [json.loads(line) for file in files for line in file.read_text().splitlines() if line.strip()]


def main(arguments: list[str]) -> int:
    """Replay the files named; return the exit code."""
    if not arguments:
        sys.stderr.write("usage: python -m tests.otp_replay FILE...\n")
        return 2
    passed = failed = 0
    for record in recorded(*map(Path, arguments)):
        found = [text for manner in MANNERS if (text := mismatch(record, manner))]
        failed += bool(found)
        passed += not found
        sys.stdout.writelines(f"{text}\n\n" for text in found[:1])
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
