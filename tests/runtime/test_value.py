"""What values say of themselves."""

import attrs
import pytest
from attrs import field, frozen

from runtime.config import spec
from runtime.protocol import client, jsonrpc, messages
from runtime.value import Value


@frozen(repr=False)
class Sample(Value):
    must: int
    may: str | None = None
    much: dict[str, int] = field(factory=dict)


@pytest.mark.parametrize(
    ("sample", "shown"),
    [
        (Sample(1), "Sample(must=1)"),
        (Sample(1, "x", {}), "Sample(must=1, may='x')"),
        (Sample(0, None, {"a": 1}), "Sample(must=0, much={'a': 1})"),
    ],
)
def test_a_value_shows_the_fields_that_are_not_as_by_default(sample, shown):
    assert repr(sample) == shown
    assert eval(shown) == sample


@pytest.mark.parametrize("module", [spec, client, jsonrpc, messages], ids=lambda module: module.__name__)
def test_no_value_has_a_repr_of_its_own(module):
    """One that forgets ``repr=False`` would get one, and cost every start a tenth of a millisecond."""
    values = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Value)]
    assert values
    assert [each for each in values if each.__repr__ is not Value.__repr__] == []
    assert all(map(attrs.has, values))
