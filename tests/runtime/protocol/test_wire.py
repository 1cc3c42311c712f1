"""Types and wire: one mapping, nothing lost, nothing converted, errors that name the wire's own path."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime import protocol
from runtime.protocol import (
    CallToolResult,
    DiscoverResult,
    ImageContent,
    InitializeResult,
    ListToolsResult,
    Progress,
    TextContent,
    Tool,
    UnexpectedResultType,
    UnknownContent,
    WireError,
    from_wire,
    items_from_wire,
    result_from_wire,
    to_wire,
)
from runtime.protocol.wire import _text_result

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
EXTRA = st.dictionaries(st.text(min_size=1).map("x-{}".format), JSON, max_size=2)


def objects(required, optional):
    known = st.fixed_dictionaries(required, optional=optional)
    return st.builds(lambda extra, known: {**extra, **known}, EXTRA, known)


META = {"_meta": st.dictionaries(st.text(), JSON, max_size=2)}
TEXT = objects({"type": st.just("text"), "text": st.text()}, META)
IMAGE = objects({"type": st.just("image"), "data": st.text(), "mimeType": st.text()}, META)
STRANGE = objects({"type": st.text(min_size=1).map("x-{}".format)}, META)
RESULT = objects(
    {"content": st.lists(TEXT | IMAGE | STRANGE, max_size=3)},
    {"structuredContent": JSON.filter(lambda v: v is not None), "isError": st.booleans(), **META},
)
ANNOTATIONS = objects({}, {"title": st.text(), "readOnlyHint": st.booleans(), "openWorldHint": st.booleans()})
TOOL = objects(
    {"name": st.text(), "inputSchema": st.dictionaries(st.text(), JSON, max_size=2)},
    {"title": st.text(), "description": st.text(), "annotations": ANNOTATIONS, **META},
)
TOOLS = objects({"tools": st.lists(TOOL, max_size=3)}, {"nextCursor": st.text(), "ttlMs": st.integers(0)})


@given(RESULT)
def test_a_result_survives_the_way_in_and_out(wire):
    assert to_wire(from_wire(CallToolResult, wire)) == wire


# What is nearly a result of plain text: each member right, wrong or missing.
NEARLY_TEXT = st.fixed_dictionaries(
    {},
    optional={"type": st.sampled_from(["text", "text", "text", "image", None, 1]), "text": st.text() | JSON, "x": JSON},
)
NEARLY_PLAIN = st.fixed_dictionaries(
    {},
    optional={
        "content": st.lists(NEARLY_TEXT | TEXT | JSON, max_size=2) | JSON,
        "structuredContent": JSON,
        "isError": st.none() | st.booleans() | JSON,
        "resultType": st.sampled_from(["complete", None, 1]),
        "_meta": JSON,
        "x": JSON,
    },
)


def read_by(read, data):
    try:
        return read(CallToolResult, data)
    except WireError as error:
        return str(error)


@given(RESULT | NEARLY_PLAIN | JSON)
@example({"content": [{"text": "a"}]})
@example({"content": [{"type": "text"}]})
def test_plain_text_is_read_by_a_shorter_way_to_the_same_end(wire):
    data = json.dumps(wire).encode()
    assert read_by(result_from_wire, data) == read_by(from_wire, data)


def test_plain_text_takes_the_shorter_way():
    """Or the property above would compare the longer way with itself."""
    data = (
        b'{"resultType":"complete","content":[{"type":"text","text":"a"}],"structuredContent":{"a":1},"isError":false}'
    )
    assert _text_result(data) == from_wire(CallToolResult, data)
    assert _text_result(b'{"content":[{"type":"text","text":"a","_meta":{}}]}') is None


@given(TOOLS)
def test_a_list_survives_the_way_in_and_out(wire):
    assert to_wire(from_wire(ListToolsResult, json.dumps(wire).encode())) == wire


def test_names_are_pythons_inside_and_the_wires_outside():
    tool = Tool(name="t", input_schema={"type": "object"}, meta={"a": 1}, output_schema={"$defs": {}})
    assert to_wire(tool) == {
        "name": "t",
        "inputSchema": {"type": "object"},
        "_meta": {"a": 1},
        "outputSchema": {"$defs": {}},
    }


def test_unknown_content_is_kept_whole():
    [block] = from_wire(CallToolResult, {"content": [{"type": "hologram", "shape": [1]}]}).content
    assert block == UnknownContent(type="hologram", extra={"shape": [1]})


@pytest.mark.parametrize("data", [b'{"content":[],"structuredContent":null}', b'{"content":[]}'])
def test_a_structured_content_of_null_is_told_from_none(data):
    result = result_from_wire(CallToolResult, data)
    assert result.structured_content is None
    assert ("structuredContent" in result.extra) == (b"null" in data)
    assert to_wire(result) == json.loads(data)


def test_null_for_an_optional_means_absent():
    wire = {"name": "t", "inputSchema": {}, "title": None, "annotations": None, "_meta": None}
    assert to_wire(from_wire(Tool, wire)) == {"name": "t", "inputSchema": {}}


def test_text_joins_the_text_blocks():
    blocks = (TextContent(text="a"), ImageContent(data="", mime_type="image/png"), TextContent(text="b"))
    assert CallToolResult(content=blocks).text == "a\nb"
    assert str(CallToolResult(content=blocks)) == "a\n[image]\nb", "and for people every other block is named"


@pytest.mark.parametrize(
    ("cl", "wire", "path", "reason"),
    [
        (CallToolResult, [], "", "must be an object, not an array"),
        (CallToolResult, {"content": "text"}, "content", "must be an array, not a string"),
        (CallToolResult, {"content": ["text"]}, "content[0]", "must be an object, not a string"),
        (CallToolResult, {"content": [{"text": "a"}]}, "content[0].type", "is missing"),
        (CallToolResult, {"content": [{"type": ["text"]}]}, "content[0].type", "must be a string, not an array"),
        (CallToolResult, {"content": [{"type": "text", "text": 5}]}, "content[0].text", "must be a string"),
        (CallToolResult, {"content": [], "isError": 0}, "isError", "must be true or false, not an integer"),
        (CallToolResult, {"content": [], "_meta": 1}, "_meta", "must be an object"),
        (ListToolsResult, {}, "tools", "is missing"),
        (ListToolsResult, {"tools": None}, "tools", "must be an array, not null"),
        (ListToolsResult, {"tools": {"name": "t"}}, "tools", "must be an array, not an object"),
        (ListToolsResult, {"tools": [{"name": "t"}]}, "tools[0].inputSchema", "is missing"),
        (ListToolsResult, {"tools": [], "ttlMs": 1.0}, "ttlMs", "must be an integer, not a number"),
        (ListToolsResult, {"tools": [], "ttlMs": True}, "ttlMs", "must be an integer, not a boolean"),
        (DiscoverResult, {"supportedVersions": "x", "capabilities": {}}, "supportedVersions", "must be an array"),
        (
            InitializeResult,
            {"protocolVersion": "x", "capabilities": {"tools": {"listChanged": 1}}, "serverInfo": {}},
            "capabilities.tools.listChanged",
            "must be true or false",
        ),
        (
            InitializeResult,
            {"protocolVersion": "x", "capabilities": {}, "serverInfo": {"name": "n"}},
            "serverInfo.version",
            "is missing",
        ),
        (TextContent, {"text": "a"}, "type", "is missing"),
        (TextContent, {"type": "image", "text": "a"}, "type", "must be 'text'"),
        (protocol.PromptMessage, {"role": "x", "content": {}}, "role", "must be 'user' or 'assistant', not 'x'"),
        (protocol.PromptMessage, {"role": 1, "content": {}}, "role", "must be a string"),
        (protocol.SetLevelParams, {"level": "loud"}, "level", "must be one of 'debug', 'info'"),
        (
            protocol.GetPromptParams,
            {"name": "p", "arguments": {"a": "x", "b": 1}},
            "arguments.b",
            "must be a string, not an integer",
        ),
        (protocol.CompleteParams, {"ref": {"type": "ref/x"}}, "ref.type", "must be 'ref/prompt' or 'ref/resource'"),
        (
            protocol.SamplingMessage,
            {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text"}]},
            "content[1].text",
            "is missing",
        ),
        (
            protocol.ElicitFormParams,
            {
                "message": "",
                "requestedSchema": {
                    "type": "object",
                    "properties": {"a": {"type": "array", "items": {"anyOf": [{"const": "x", "title": 1}]}}},
                },
            },
            "requestedSchema.properties.a.items.anyOf[0].title",
            "must be a string",
        ),
        (protocol.Task, {"taskId": "", "status": "working", "createdAt": "", "lastUpdatedAt": ""}, "ttl", "is missing"),
        (Progress, {"progressToken": 1.5, "progress": 1}, "progressToken", "must be a string or an integer"),
        (Progress, {"progressToken": 1, "progress": True}, "progress", "must be a number, not a boolean"),
        (Progress, {"progressToken": 1, "progress": "half"}, "progress", "must be a number, not a string"),
    ],
)
def test_a_wrong_value_is_refused_and_its_place_named(cl, wire, path, reason):
    with pytest.raises(WireError) as refused:
        from_wire(cl, wire)
    assert (refused.value.type, refused.value.path) == (cl.__name__, path)
    assert refused.value.reason.startswith(reason)


@pytest.mark.parametrize("data", [b"{", b"\xff", b'{"content": "\xff"}', b"[" * 9999])
def test_what_is_no_json_is_a_wire_error_too(data):
    with pytest.raises(WireError, match="is not JSON"):
        from_wire(CallToolResult, data)


@pytest.mark.parametrize("kind", [{}, {"resultType": "complete"}, {"resultType": None}])
def test_a_complete_result_is_taken(kind):
    assert result_from_wire(CallToolResult, {"content": [], **kind}).content == ()


@pytest.mark.parametrize("kind", ["input_required", "task", "x-new"])
def test_a_result_of_a_kind_that_was_not_offered_is_refused(kind):
    with pytest.raises(UnexpectedResultType) as refused:
        result_from_wire(CallToolResult, {"resultType": kind})
    assert (refused.value.result_type, refused.value.path) == (kind, "resultType")


def test_warming_up_changes_nothing():
    protocol.warm_up()
    assert from_wire(CallToolResult, b'{"content":[]}') == CallToolResult()


def test_a_list_is_read_item_by_item_and_the_bad_ones_are_named():
    good = {"name": "good", "inputSchema": {}}
    wire = {
        "tools": [good, {"name": "bare"}, 7, {**good, "annotations": {"title": 1}}, good],
        "nextCursor": "c",
        "x": 1,
    }
    page, faults = items_from_wire(ListToolsResult, json.dumps(wire).encode())
    assert [tool.name for tool in page.tools] == ["good", "good"]
    assert (page.next_cursor, page.extra) == ("c", {"x": 1})
    assert [(fault.path, fault.reason) for fault in faults] == [
        ("tools[1].inputSchema", "is missing"),
        ("tools[2]", "must be an object, not an integer"),
        ("tools[3].annotations.title", "must be a string, not an integer"),
    ]


@settings(max_examples=25)
@given(TOOLS)
def test_a_list_without_bad_items_is_read_as_any_result(wire):
    assert items_from_wire(ListToolsResult, wire) == (from_wire(ListToolsResult, wire), ())


@pytest.mark.parametrize(
    ("wire", "path"),
    [({"tools": 1}, "tools"), ({}, "tools"), ([], ""), ({"tools": [1], "nextCursor": 1}, "nextCursor")],
)
def test_a_page_that_is_wrong_itself_is_refused(wire, path):
    with pytest.raises(WireError) as refused:
        items_from_wire(ListToolsResult, wire)
    assert refused.value.path == path


def test_a_union_is_read_by_what_tells_its_members_apart():
    asked = from_wire(protocol.ElicitParams, {"mode": "url", "message": "m", "url": "u"})
    assert asked == protocol.ElicitUrlParams(message="m", url="u")
    with pytest.raises(WireError, match="invalid ElicitFormParams or ElicitUrlParams: requestedSchema is missing"):
        from_wire(protocol.ElicitParams, {"message": "m"})


def test_a_value_is_told_by_what_is_particular_about_it_and_is_not_to_be_hashed():
    tool = Tool(name="t", input_schema={})
    assert repr(tool) == "Tool(name='t', input_schema={})"
    assert tool == Tool(name="t", input_schema={})
    assert tool != Tool(name="t", input_schema={}, extra={"a": 1})
    assert tool != from_wire(protocol.Prompt, {"name": "t"})
    with pytest.raises(TypeError, match="unhashable"):
        hash(tool)
    with pytest.raises(AttributeError):
        tool.name = "u"


@pytest.mark.parametrize(
    ("schema", "choices"),
    [
        ({"type": "string"}, None),
        ({"type": "string", "enum": ["a", "b"]}, (("a", "a"), ("b", "b"))),
        ({"type": "string", "enum": ["a", "b"], "enumNames": ["A"]}, (("a", "A"), ("b", "b"))),
        ({"type": "string", "oneOf": [{"const": "a", "title": "A"}]}, (("a", "A"),)),
        ({"type": "array", "items": {"type": "string", "enum": ["a"]}}, (("a", "a"),)),
        ({"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}]}}, (("a", "A"),)),
    ],
)
def test_what_may_be_chosen_is_told_alike_however_it_is_spelled(schema, choices):
    assert from_wire(protocol.FieldSchema, schema).choices == choices


TASK = {
    "taskId": "t",
    "status": "working",
    "createdAt": "2026-11-20T10:00:00Z",
    "lastUpdatedAt": "2026-11-20T10:00:00Z",
}
ASKED = {"a": {"method": "roots/list"}, "b": {"method": "x/new", "params": {"y": 1}}}


@pytest.mark.parametrize(
    ("cl", "wire"),
    [
        (protocol.DetailedTask, {**TASK, "resultType": "task", "ttlMs": None}),
        (
            protocol.DetailedTask,
            {**TASK, "resultType": "complete", "ttlMs": 5, "pollIntervalMs": 1, "statusMessage": ""},
        ),
        (protocol.DetailedTask, {**TASK, "ttlMs": 0, "status": "input_required", "inputRequests": ASKED}),
        (protocol.DetailedTask, {**TASK, "ttlMs": 0, "status": "completed", "result": {"content": [], "x": None}}),
        (protocol.DetailedTask, {**TASK, "ttlMs": 0, "status": "failed", "error": {"code": 1, "message": "no"}}),
        (protocol.UpdateTaskParams, {"taskId": "t", "inputResponses": {"a": {"roots": []}}}),
        (protocol.TaskParams, {"taskId": "t"}),
        (protocol.SubscriptionFilter, {"taskIds": ["t"]}),
    ],
)
def test_the_tasks_extension_has_its_fields(cl, wire):
    """Its schema is none of the official five."""
    value = from_wire(cl, wire)
    assert value.extra == {}
    assert to_wire(value) == wire
