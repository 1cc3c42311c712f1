"""Types and wire: one mapping, nothing lost, nothing converted, errors that name the wire's own path."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime import protocol
from runtime.protocol import (
    CallToolResult,
    Cancelled,
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


@pytest.mark.parametrize(
    ("official_name", "ours"),
    [
        ("CallToolResult", CallToolResult),
        ("ListToolsResult", ListToolsResult),
        ("DiscoverResult", DiscoverResult),
        ("Tool", Tool),
        ("TextContent", TextContent),
        ("ImageContent", ImageContent),
        ("AudioContent", protocol.AudioContent),
        ("EmbeddedResource", protocol.EmbeddedResource),
        ("ResourceLink", protocol.ResourceLink),
        ("ProgressNotificationParams", Progress),
        ("CancelledNotificationParams", Cancelled),
    ],
)
def test_official_examples_survive_and_stay_valid(official_name, ours, examples, official):
    for shown in examples(official_name).values():
        wire = to_wire(from_wire(ours, shown))
        assert wire == shown
        official("2026-07-28").check(official_name, wire)


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
        (Progress, {"progressToken": 1.5, "progress": 1}, "progressToken", "must be a string or an integer"),
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


def test_warming_up_makes_the_hooks_and_changes_nothing():
    protocol.warm_up()
    assert from_wire(CallToolResult, b'{"content":[]}') == CallToolResult()
