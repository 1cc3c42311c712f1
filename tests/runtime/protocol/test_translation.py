"""An error of one era in the words of the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import errors
from runtime.protocol import Era, JsonRpcError, codes, error_for, from_wire, messages, url_elicitations

MISSING = {"uri": "file:///gone"}
MODERN_ONLY = codes.MODERN_ERRORS
LEGACY_ONLY = {codes.RESOURCE_NOT_FOUND, codes.URL_ELICITATION_REQUIRED}


@pytest.mark.parametrize(
    ("code", "method", "data", "era", "told"),
    [
        (codes.RESOURCE_NOT_FOUND, "resources/read", MISSING, Era.MODERN, codes.INVALID_PARAMS),
        (codes.INVALID_PARAMS, "resources/read", MISSING, Era.LEGACY, codes.RESOURCE_NOT_FOUND),
        (codes.INVALID_PARAMS, "resources/read", None, Era.LEGACY, codes.INVALID_PARAMS),
        (codes.INVALID_PARAMS, "resources/read", {"uri": 1}, Era.LEGACY, codes.INVALID_PARAMS),
        (codes.INVALID_PARAMS, "tools/call", MISSING, Era.LEGACY, codes.INVALID_PARAMS),
        (codes.URL_ELICITATION_REQUIRED, "tools/call", None, Era.MODERN, codes.INTERNAL_ERROR),
        (codes.HEADER_MISMATCH, "tools/call", None, Era.LEGACY, codes.INTERNAL_ERROR),
        (codes.UNSUPPORTED_VERSION, "tools/call", None, Era.LEGACY, codes.INTERNAL_ERROR),
        (codes.MISSING_CLIENT_CAPABILITY, "tools/call", None, Era.LEGACY, codes.INVALID_REQUEST),
        (codes.MISSING_CLIENT_CAPABILITY, "tools/call", None, Era.MODERN, codes.MISSING_CLIENT_CAPABILITY),
        (codes.RESOURCE_NOT_FOUND, "resources/read", MISSING, Era.LEGACY, codes.RESOURCE_NOT_FOUND),
        (codes.UNSUPPORTED_VERSION, "x", None, None, codes.UNSUPPORTED_VERSION),
        (-32000, "tools/call", {"a": 1}, Era.MODERN, -32000),
        (404, "tools/call", None, Era.LEGACY, 404),
    ],
)
def test_a_code_is_told_in_the_eras_own(code, method, data, era, told):
    error = JsonRpcError(code, "no", data, {"x": 1})
    assert error_for(error, method, era) == JsonRpcError(told, "no", data, {"x": 1})


@given(
    st.sampled_from([*MODERN_ONLY, *LEGACY_ONLY]) | st.integers(),
    st.sampled_from(["tools/call", "resources/read"]),
    st.sampled_from([None, MISSING, []]),
)
def test_no_code_of_one_era_alone_reaches_the_other(code, method, data):
    error = JsonRpcError(code, "no", data)
    assert error_for(error, method, Era.LEGACY).code not in MODERN_ONLY
    assert error_for(error, method, Era.MODERN).code not in LEGACY_ONLY


def test_pages_to_visit_become_requests_for_input():
    pages = [
        {"mode": "url", "message": "sign in", "url": "https://a", "elicitationId": "e"},
        {"mode": "url", "message": "and here", "url": "https://b", "elicitationId": "e"},
        {"mode": "url", "message": "and there", "url": "https://c"},
    ]
    error = JsonRpcError(codes.URL_ELICITATION_REQUIRED, "first", {"elicitations": pages})
    requests = url_elicitations(error)
    assert [each["params"] for each in requests.values()] == pages
    assert list(requests) == ["e", "elicitation 1", "elicitation 2"]
    asked = from_wire(messages.InputRequiredResult, {"inputRequests": requests}).input_requests
    assert [each.params.url for each in asked.values()] == ["https://a", "https://b", "https://c"]


@pytest.mark.parametrize(
    "error",
    [
        JsonRpcError(codes.INVALID_PARAMS, "no", {"elicitations": []}),
        JsonRpcError(codes.URL_ELICITATION_REQUIRED, "no"),
        JsonRpcError(codes.URL_ELICITATION_REQUIRED, "no", {"elicitations": {}}),
        JsonRpcError(codes.URL_ELICITATION_REQUIRED, "no", {"elicitations": [1]}),
        JsonRpcError(codes.URL_ELICITATION_REQUIRED, "no", {"elicitations": [{"mode": "form"}]}),
    ],
)
def test_any_other_error_asks_for_nothing(error):
    assert url_elicitations(error) is None


def test_the_codes_that_we_made_up_are_not_out_of_the_reserved_range():
    official = {value for name, value in vars(codes).items() if name.isupper() and type(value) is int}
    assert all(code in codes.RESERVED for code in official)
    ours = set(errors._CODES.values()) - official
    assert ours
    assert not any(code in codes.RESERVED for code in ours)
