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
STARTS = st.lists(st.sampled_from(["ok", "ok", "error", "error", "ignore"]), max_size=4)


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
        "strategy": draw(st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"])),
        "intensity": draw(st.integers(0, 5)),
        "period": draw(st.integers(1, 5)),
    }
    if draw(st.integers(0, 5)) == 0:
        return flags | {"strategy": "simple_one_for_one", "children": [{**draw(workers("t")), "dynamic": True}]}
    flags |= draw(some("auto_shutdown", st.sampled_from(["any_significant", "all_significant"])))
    auto = flags.get("auto_shutdown", "never")
    flags["children"] = []
    for name in IDS[: draw(st.integers(0, 3))]:
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
    now = 0
    for number in range(draw(st.integers(1, 8))):
        ops = ["exit", "exit", "exit", "plan", "signal"] if paths else []
        op = draw(st.sampled_from([*ops, *API, "stop_sup", "advance"]))
        step: Json = {"op": op}
        match op:
            case "exit" | "signal":
                step |= {"path": draw(st.sampled_from(paths)), "reason": draw(REASONS)}
            case "plan":
                step |= {"path": draw(st.sampled_from(paths)), "starts": draw(STARTS)}
            case "stop_sup":
                step |= {
                    "path": draw(st.sampled_from(list(known))),
                    "reason": draw(REASONS.filter(lambda reason: reason != "kill")),
                }
            case "advance":
                now += draw(st.integers(1, 5))
                step["to"] = now
            case _:
                step["sup"] = path = draw(st.sampled_from(list(known)))
                step |= draw(requests(known[path], op, number))
                if op == "start_child":
                    name = step["name"] if "name" in step else step["spec"]["id"]
                    paths.append(f"{path}/{name}")
        steps.append(step)
    return {"id": "drawn", "tags": [], "root": root, "plans": plans, "steps": steps}


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
