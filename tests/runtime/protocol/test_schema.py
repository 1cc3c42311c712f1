"""Every definition of every official schema has its class, and every value that it allows survives, in and out."""

import json
import re

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.protocol import (
    METHODS,
    MODERN_VERSION,
    CreateMessageResult,
    ElicitResult,
    ErrorResponse,
    ListRootsResult,
    Notification,
    Request,
    Response,
    decode,
    decode_batch,
    encode_error,
    encode_notification,
    encode_request,
    encode_response,
    from_wire,
    messages,
    method_of,
    params_of,
    to_wire,
)
from tests.runtime.protocol.official import DATA, VERSIONS, definitions, faults, resolved, samples, strategy

# Where the name here is another than the official one.
OURS = {
    "Annotated": "Part",  # bases, which only others make concrete
    "BaseMetadata": "Part",
    "Icons": "Part",
    "TaskAugmentedRequestParams": "Part",
    "ClientResult": "Part",
    "ServerResult": "Part",
    "PaginatedResult": "Page",
    "RequestParams": "Params",
    "NotificationParams": "Params",
    "PaginatedRequestParams": "PageParams",
    "InputResponseRequestParams": "Retryable",
    "EmptyResult": "Result",  # results
    "SubscriptionsListenResult": "Result",
    "GetTaskPayloadResult": "Result",
    "GetTaskResult": "Task",
    "CancelTaskResult": "Task",
    "RequestMetaObject": "RequestMeta",  # what is in _meta
    "ResultMetaObject": "ResultMeta",
    "SubscriptionsListenResultMetaObject": "ResultMeta",
    "NotificationMetaObject": "NotificationMeta",
    "MetaObject": "Part",  # objects of anything
    "JSONObject": "Part",
    "RelatedTaskMetadata": "RelatedTask",
    "TextResourceContents": "ResourceContents",  # one concept
    "BlobResourceContents": "ResourceContents",
    "ResourceReference": "ResourceTemplateReference",
    "SamplingMessageContentBlock": "SamplingContent",
    "InputRequest": "AnyInputRequest",
    "PrimitiveSchemaDefinition": "FieldSchema",
    "EnumSchema": "FieldSchema",
    "LegacyTitledEnumSchema": "FieldSchema",
    "SingleSelectEnumSchema": "FieldSchema",
    "TitledSingleSelectEnumSchema": "FieldSchema",
    "UntitledSingleSelectEnumSchema": "FieldSchema",
    "MultiSelectEnumSchema": "FieldSchema",
    "TitledMultiSelectEnumSchema": "FieldSchema",
    "UntitledMultiSelectEnumSchema": "FieldSchema",
    "ResourceRequestParams": "ResourceParams",  # params
    "SubscribeRequestParams": "ResourceParams",
    "UnsubscribeRequestParams": "ResourceParams",
    "ElicitRequestFormParams": "ElicitFormParams",
    "ElicitRequestURLParams": "ElicitUrlParams",
    "SubscriptionsListenRequestParams": "ListenParams",
    "CancelledNotificationParams": "Cancelled",
    "ProgressNotificationParams": "Progress",
    "LoggingMessageNotificationParams": "LoggingMessage",
    "ResourceUpdatedNotificationParams": "ResourceParams",
    "SubscriptionsAcknowledgedNotificationParams": "SubscriptionsAcknowledged",
    "TaskStatusNotificationParams": "Task",
}
SCALARS = {
    "Cursor", "JSONArray", "JSONValue", "LoggingLevel", "ProgressToken", "RequestId", "ResultType", "Role", "TaskStatus"
}  # fmt: skip
BATCHES = {"JSONRPCBatchRequest", "JSONRPCBatchResponse"}
MAPPINGS = {"InputRequests", "InputResponses"}


def our_name(name):
    ours = OURS.get(name) or re.sub("RequestParams$", "Params", name)
    return ours if ours in messages.__all__ else None


def is_message(version, name):
    """Whether the definition is of a whole message, or of the two thirds that older schemas show."""
    schema = resolved(version, definitions(version)[name])
    if "anyOf" in schema:
        return all(is_message(version, arm["$ref"].rpartition("/")[2]) for arm in schema["anyOf"] if "$ref" in arm)
    properties = schema.get("properties", {})
    embedded = version == MODERN_VERSION and our_name(name) is not None
    return "jsonrpc" in properties or ("method" in properties and not embedded)


def is_error(version, name):
    return {"code", "message"} <= resolved(version, definitions(version)[name]).get("properties", {}).keys()


def through_the_envelope(version, value):
    """A message in, decoded at both depths, and out again. JSON-RPC's own members are all that an envelope has."""
    written = json.dumps(value).encode()
    message = decode(written)
    match message:
        case Request(id, method, params):
            line = encode_request(id, method, params)
        case Notification(method, params):
            line = encode_notification(method, params)
        case Response(id, result):
            line = encode_response(id, result)
        case ErrorResponse(id, error):
            line = encode_error(id, error)
    out = json.loads(line)
    if isinstance(message, Request | Notification) and method_of(message.method, version) is not None:
        params = params_of(message.method, message.params, version)
        assert_known(params)
        typed = to_wire(params)
        out |= {"params": typed} if "params" in value else {}
        assert "params" in value or not typed
    return out


def assert_known(value):
    """Nothing that a schema names is left to `extra`, where it would survive as well, but nobody would find it."""
    if isinstance(value, messages.Part) and type(value) is not messages.Part:
        left = {key for key in value.extra if not key.startswith("x-")}
        # A structured content of null is there, as `CallToolResult` tells; an example of roots/list has an id.
        assert left <= {"structuredContent", "id"}, (type(value), left)
        for field in attrs.fields(type(value)):
            assert_known(getattr(value, field.name))
    elif isinstance(value, tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            assert_known(item)


def there_and_back(version, name, value):
    if name in BATCHES:
        decoded = decode_batch(json.dumps(value).encode()) if value else ()
        assert len(decoded) == len(value)
        return value
    if isinstance(value, list):  # one of the two, in the union of all messages
        return there_and_back(version, "JSONRPCBatchRequest", value)
    if is_message(version, name):
        whole = {"jsonrpc": "2.0", **({"id": 1} if re.search("Request$", name) else {}), **value}
        whole = {key: each for key, each in whole.items() if not key.startswith("x-")}
        out = through_the_envelope(version, whole)
        assert same(out, whole)
        return value
    if is_error(version, name):
        whole = {"jsonrpc": "2.0", "id": 1, "error": value}
        return through_the_envelope(version, whole)["error"]
    match name:
        case "InputRequests":
            return to_wire(from_wire(messages.InputRequiredResult, {"inputRequests": value}))["inputRequests"]
        case "InputResponses":
            return to_wire(from_wire(messages.Retryable, {"inputResponses": value}))["inputResponses"]
        case "InputResponse":
            by_member = {"action": ElicitResult, "roots": ListRootsResult}
            cl = next((by_member[key] for key in by_member if key in value), CreateMessageResult)
            return to_wire(from_wire(cl, value))
    typed = from_wire(getattr(messages, our_name(name)), msgspec.json.encode(value))
    assert_known(typed)
    return json.loads(msgspec.json.encode(to_wire(typed)))


def same(one, other):
    """Equal as JSON text is: 1, 1.0 and true differ."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def homeless(version):
    return {
        name
        for name in definitions(version)
        if not (
            name in SCALARS | BATCHES | MAPPINGS | {"InputResponse"}
            or our_name(name)
            or is_message(version, name)
            or is_error(version, name)
        )
    }


def travelling(version):
    return sorted(definitions(version).keys() - SCALARS)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_definition_has_its_class(version):
    assert homeless(version) == set()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_property_and_alternative_of_every_definition_survives(version):
    for name in travelling(version):
        for value in samples(version, {"$ref": f"#/{name}"}):
            out = there_and_back(version, name, value)
            assert same(out, value), (name, value, out)
            assert not faults(version, name, out)


@pytest.mark.parametrize("version", VERSIONS)
@given(data=st.data())
def test_whatever_a_schema_allows_survives(version, data):
    name = data.draw(st.sampled_from(travelling(version)))
    value = data.draw(strategy(version, {"$ref": f"#/{name}"}))
    out = there_and_back(version, name, value)
    assert same(out, value)
    assert not faults(version, name, out)


EXAMPLES = sorted(path for path in (DATA / "examples").rglob("*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_official_example_survives_and_stays_valid(path):
    name, value = path.parent.name, json.loads(path.read_text())
    out = there_and_back(MODERN_VERSION, name, value)
    assert same(out, value)
    assert not faults(MODERN_VERSION, name, out)


def test_the_official_examples_are_all_there():
    assert len(EXAMPLES) == 129


# The table of methods


def offered(version, union):
    """The methods that the members of one of the official unions have."""
    arms = definitions(version).get(union, {})
    refs = [arm["$ref"].rpartition("/")[2] for arm in arms.get("anyOf", [arms] if "$ref" in arms else [])]
    found = [definitions(version)[ref] for ref in refs] or ([resolved(version, arms)] if arms else [])
    return {each["properties"]["method"]["const"]: each for each in found}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("kind", ["Request", "Notification"])
def test_the_table_has_the_methods_that_the_schema_has(version, side, kind):
    ours = {
        method.name
        for method in METHODS
        if version in getattr(method, side) and method.is_request == (kind == "Request") and method.extension is None
    }
    theirs = offered(version, side.capitalize() + kind)
    assert ours == theirs.keys()
    for name, definition in theirs.items():
        ref = definition["properties"].get("params", {}).get("$ref")
        if ref is not None:
            assert method_of(name, version).params == our_name(ref.rpartition("/")[2])


def test_the_table_has_the_results_that_the_schema_has():
    for name in offered(MODERN_VERSION, "ClientRequest"):
        method = method_of(name, MODERN_VERSION)
        every = definitions(MODERN_VERSION).items()
        [request] = [n for n, d in every if d.get("properties", {}).get("method", {}).get("const") == name]
        response = definitions(MODERN_VERSION)[f"{request.removesuffix('Request')}ResultResponse"]
        result = response["properties"]["result"]
        refs = {arm["$ref"].rpartition("/")[2] for arm in result.get("anyOf", [result])}
        assert method.rounds == ("InputRequiredResult" in refs)
        assert {method.result} == {our_name(ref) for ref in refs - {"InputRequiredResult"}}
        hints = "ttlMs" in resolved(MODERN_VERSION, result.get("anyOf", [result])[-1])["properties"]
        assert method.cacheable == hints


def test_the_table_has_what_may_be_asked_inside_a_result():
    arms = definitions(MODERN_VERSION)["InputRequest"]["anyOf"]
    asked = {resolved(MODERN_VERSION, arm)["properties"]["method"]["const"] for arm in arms}
    assert asked == {method.name for method in METHODS if MODERN_VERSION in method.inside}
