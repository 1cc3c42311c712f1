"""Decoding by method: each revision's own classes, and what may stand in a result's place."""

import json
from collections import Counter

import pytest

from runtime.protocol import (
    LEGACY_VERSIONS,
    METHODS,
    MODERN_VERSION,
    CallToolParams,
    CallToolResult,
    CreateTaskResult,
    DetailedTask,
    ElicitUrlParams,
    GetPromptResult,
    InputRequiredResult,
    Params,
    Result,
    Task,
    UnexpectedResultType,
    UnknownMethod,
    WireError,
    client_results,
    messages,
    method_of,
    params_of,
    result_of,
    server_shape,
    server_state,
    versions,
)

TASK = {"taskId": "t", "status": "working", "createdAt": "2025", "lastUpdatedAt": "2025"}
OLD_TASK, NEW_TASK = {**TASK, "ttl": None}, {**TASK, "ttlMs": None, "resultType": "task"}


def test_no_method_is_there_twice_in_one_revision():
    told = Counter((method.name, version) for method in METHODS for version in method.versions)
    assert set(told.values()) == {1}


def test_every_type_in_the_table_is_one_of_the_messages():
    named = {method.params for method in METHODS} | {method.result for method in METHODS if method.result}
    assert named <= set(messages.__all__)


@pytest.mark.parametrize(
    ("name", "params", "version", "read"),
    [
        ("tools/call", {"name": "t"}, MODERN_VERSION, CallToolParams(name="t")),
        (
            "tools/call",
            {"name": "t", "arguments": {"a": 1}},
            "2024-11-05",
            CallToolParams(name="t", arguments={"a": 1}),
        ),
        ("ping", None, "2025-11-25", Params()),
        (
            "elicitation/create",
            {"mode": "url", "message": "m", "url": "u", "elicitationId": "e"},
            "2025-11-25",
            ElicitUrlParams(message="m", url="u", elicitation_id="e"),
        ),
        ("notifications/initialized", {"x": 1}, "2025-11-25", Params(extra={"x": 1})),
    ],
)
def test_params_are_read_by_method_and_revision(name, params, version, read):
    assert params_of(name, None if params is None else json.dumps(params).encode(), version) == read
    assert params_of(name, params, version) == read


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize(
    ("name", "result", "version", "cl"),
    [
        ("tools/call", {"content": []}, MODERN_VERSION, CallToolResult),
        ("tools/call", {"content": [], "task": {}}, "2025-06-18", CallToolResult),
        ("tools/call", {"task": OLD_TASK}, "2025-11-25", CreateTaskResult),
        ("sampling/createMessage", {"task": OLD_TASK}, "2025-11-25", CreateTaskResult),
        ("tools/call", NEW_TASK, MODERN_VERSION, DetailedTask),
        ("tools/call", {"resultType": "input_required", "requestState": "s"}, MODERN_VERSION, InputRequiredResult),
        ("prompts/get", {"messages": []}, "2024-11-05", GetPromptResult),
        ("prompts/get", {"resultType": "input_required", "inputRequests": {}}, MODERN_VERSION, InputRequiredResult),
        ("tasks/get", OLD_TASK, "2025-11-25", Task),
        ("tasks/get", {**NEW_TASK, "resultType": "complete"}, MODERN_VERSION, DetailedTask),
        ("tasks/cancel", OLD_TASK, "2025-11-25", Task),
        ("tasks/cancel", {}, MODERN_VERSION, Result),
    ],
)
def test_a_result_is_read_by_method_and_revision_and_by_what_stands_in_its_place(name, result, version, cl, as_text):
    assert type(result_of(name, json.dumps(result).encode() if as_text else result, version)) is cl


@pytest.mark.parametrize(
    ("name", "kind", "version"),
    [
        ("tools/list", "input_required", MODERN_VERSION),
        ("prompts/get", "task", MODERN_VERSION),
        ("tools/call", "x-new", MODERN_VERSION),
        ("tools/call", "input_required", "2025-11-25"),
    ],
)
def test_a_kind_of_result_that_the_method_cannot_have_is_refused(name, kind, version):
    result = {"tools": [], "messages": [], "content": [], "resultType": kind}
    with pytest.raises(UnexpectedResultType) as refused:
        result_of(name, result, version)
    assert (refused.value.result_type, refused.value.path) == (kind, "result.resultType")


@pytest.mark.parametrize(
    ("read", "name", "data", "path"),
    [
        (params_of, "tools/call", {"name": "t", "arguments": 1}, "params.arguments"),
        (params_of, "tools/call", None, "params.name"),
        (params_of, "ping", [], "params"),
        (params_of, "ping", b"[", "params"),
        (result_of, "tools/list", {"tools": [{}]}, "result.tools[0].name"),
        (result_of, "ping", b"5", "result"),
        (result_of, "tools/call", b"\xff", "result"),
    ],
)
def test_an_error_names_the_place_in_the_message(read, name, data, path):
    with pytest.raises(WireError) as refused:
        read(name, data, "2025-11-25")
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("initialize", MODERN_VERSION),
        ("server/discover", "2025-11-25"),
        ("elicitation/create", "2025-03-26"),
        ("x", "x"),
    ],
)
def test_a_method_that_a_revision_lacks_is_unknown(name, version):
    assert method_of(name, version) is None
    for read in (params_of, result_of):
        with pytest.raises(UnknownMethod, match=f"MCP {version} has no method '{name}'"):
            read(name, {}, version)


def test_nothing_answers_a_notification():
    with pytest.raises(UnknownMethod):
        result_of("notifications/progress", {}, LEGACY_VERSIONS[0])


def test_what_the_connections_know_by_heart_is_what_the_table_says():
    asked = {(each.name, version): each for each in METHODS if each.is_request for version in each.client}
    modern = {name: each for (name, version), each in asked.items() if version == MODERN_VERSION and not each.extension}
    legacy = {name for name, version in asked if version in LEGACY_VERSIONS and not name.startswith("tasks/")}
    assert {name for name, each in modern.items() if each.rounds} == versions.MAY_ASK_BACK
    assert {name for name, each in modern.items() if each.tasks} == client_results.MAY_BECOME_TASKS
    assert {name for name, each in modern.items() if each.cacheable} == server_shape.CACHEABLE.keys()
    assert legacy - modern.keys() == server_state.LEGACY_ONLY
    assert modern.keys() - legacy == server_state.MODERN_ONLY
