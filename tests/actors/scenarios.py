"""Scenarios that nobody recorded: random trees, random faults, random requests, in the format of the recorded ones.

Left out is where we differ on purpose: two living children of one name, and supervisors that are killed (R94); and what
no clock decides: a clean-up that takes exactly as long as it may.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from hypothesis import strategies as st

Json: TypeAlias = Any

IDS = ("a", "b", "c")
RESTARTS = st.sampled_from(["permanent", "permanent", "transient", "temporary"])
REASONS = st.sampled_from(["normal", "shutdown", ["shutdown", "x"], "crash", "crash", "kill"])
STARTS = st.lists(st.sampled_from(["ok", "error", "error", "ignore"]), min_size=1, max_size=4)


def some(key: str, values: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Set a key, or leave it to its default."""
    return st.just({}) | st.builds(lambda value: {key: value}, values)


@st.composite
def workers(draw: st.DrawFn, name: str, auto: str = "never", *, wrong: bool = False) -> Json:
    """Draw the spec of a worker: one that its supervisor takes, unless it may be ``wrong``."""
    spec: Json = {"id": name, "restart": draw(RESTARTS)}
    mode = draw(st.sampled_from(["plain", "plain", "plain", "trap", "ignore"]))
    times: list[Json] = [60, 200, "brutal_kill"]
    match mode:
        case "plain":
            times += [0, 5000, "infinity"]
        case "trap":
            times += ["infinity"]
            reason = draw(some("reason", st.sampled_from(["normal", ["shutdown", "x"], "cleanup_failed"])))
            spec["stop"] = {"mode": "trap", "delay_ms": draw(st.sampled_from([0, 30, 100])), **reason}
        case "ignore":
            spec["stop"] = {"mode": "ignore"}
    if mode != "plain" or draw(st.booleans()):
        spec["shutdown"] = draw(st.sampled_from(times))
    if wrong or (auto != "never" and spec["restart"] != "permanent"):
        spec |= draw(some("significant", st.just(True)))
    if wrong and draw(st.integers(0, 5)) == 0:
        spec |= draw(st.sampled_from([{"shutdown": -10}, {"restart": "sometimes"}]))
    return spec


@st.composite
def supervisors(draw: st.DrawFn, depth: int = 2) -> Json:
    """Draw the flags of a supervisor, and all below it."""
    flags: Json = {
        "strategy": draw(st.sampled_from(["one_for_all", "rest_for_one", "one_for_one"])),
        "intensity": draw(st.sampled_from([0, 1, 1, 2, 2, 3])),
        "period": draw(st.sampled_from([1, 2, 5])),
    }
    if draw(st.integers(0, 5)) == 0:
        return flags | {"strategy": "simple_one_for_one", "children": [{**draw(workers("t")), "dynamic": True}]}
    flags |= draw(some("auto_shutdown", st.sampled_from(["any_significant", "all_significant"])))
    auto = flags.get("auto_shutdown", "never")
    flags["children"] = []
    for name in IDS[: draw(st.sampled_from([3, 2, 1, 0]))]:
        if depth > 1 and draw(st.integers(0, 2)) == 0:
            child = {"id": f"s{name}", "type": "supervisor", "restart": draw(RESTARTS)}
            child["sup"] = draw(supervisors(depth - 1))
            if auto != "never" and child["restart"] != "permanent":
                child |= draw(some("significant", st.just(True)))
        else:
            child = draw(workers(name, auto))
        flags["children"].append(child)
    return flags


def below(path: str, sup: Json) -> Iterator[tuple[str, Json]]:
    """Yield a supervisor, and those below it, each with its path."""
    yield path, sup
    for child in sup["children"]:
        if "sup" in child:
            yield from below(f"{path}/{child['id']}", child["sup"])


def is_worker(child: Json) -> bool:
    return "sup" not in child and "dynamic" not in child


@st.composite
def scenarios(draw: st.DrawFn) -> Json:
    """Draw a scenario."""
    root = draw(supervisors())
    known = dict(below("root", root))
    paths = [f"{path}/{child['id']}" for path, sup in known.items() for child in sup["children"] if is_worker(child)]
    planned = st.dictionaries(st.sampled_from(paths or ["root"]), STARTS, max_size=2)
    plans = draw(planned) if draw(st.booleans()) else {}
    steps: list[Json] = []
    kinds = st.sampled_from([*(["storm", "storm", "signal"] if paths else []), "request", "request", "stop_sup"])
    for number in range(draw(st.integers(2, 6))):
        match draw(kinds):
            case "storm":
                path = draw(st.sampled_from(paths))
                if draw(st.booleans()):
                    above = path.rpartition("/")[0]
                    near = [other for other in paths if other.rpartition("/")[0] == above]
                    steps.append({"op": "plan", "path": draw(st.sampled_from(near)), "starts": draw(STARTS)})
                steps += draw(storms(path))
            case "signal":
                steps.append({"op": "signal", "path": draw(st.sampled_from(paths)), "reason": draw(REASONS)})
            case "request":
                op, path = draw(st.sampled_from(API)), draw(st.sampled_from(list(known)))
                steps.append({"op": op, "sup": path, **draw(requests(known[path], op, number))})
                if op == "start_child":
                    paths.append(f"{path}/{steps[-1].get('name') or steps[-1]['spec']['id']}")
            case "stop_sup":
                reason = draw(REASONS.filter(lambda reason: reason != "kill"))
                steps.append({"op": "stop_sup", "path": draw(st.sampled_from(list(known))), "reason": reason})
    return {"id": "drawn", "tags": [], "root": root, "plans": plans, "steps": timed(steps)}


@st.composite
def storms(draw: st.DrawFn, path: str) -> list[Json]:
    """Draw exits of one worker, at once or some seconds apart: as many as windows have room for, or a few more."""
    steps: list[Json] = []
    for gap in draw(st.lists(st.sampled_from([0, 0, 0, 1, 2, 5, 6]), min_size=1, max_size=4)):
        steps += [{"op": "advance", "to": gap}] if gap else []
        steps.append({"op": "exit", "path": path, "reason": draw(st.just("crash") | REASONS)})
    return steps


def timed(steps: list[Json]) -> list[Json]:
    """Make absolute times of the seconds between."""
    now = 0
    for step in steps:
        if step["op"] == "advance":
            now += step["to"]
            step["to"] = now
    return steps


API = ("start_child", "terminate_child", "restart_child", "delete_child", "get_childspec")


@st.composite
def requests(draw: st.DrawFn, sup: Json, op: str, number: int) -> Json:
    """Draw what a request is about."""
    simple = sup["strategy"] == "simple_one_for_one"
    match op:
        case "start_child" if simple:
            return {"name": f"d{number}"}
        case "start_child":
            auto = sup.get("auto_shutdown", "never")
            return {"spec": draw(workers(draw(st.sampled_from(["a", "n", "o"])), auto, wrong=True))}
        case "terminate_child" if simple and draw(st.booleans()):
            return {"name": f"d{draw(st.integers(0, 7))}"}
        case "get_childspec" if simple:
            return {"id": "nobody"}
    return {"id": draw(st.sampled_from(["a", "b", "c", "sa", "sb", "n", "zz"]))}
