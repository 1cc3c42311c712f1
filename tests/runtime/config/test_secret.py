import copy
import json
import pickle

import attrs
import cattrs
import msgspec
import pytest

from runtime.config import Command, Secret, reveal


def test_a_secret_prints_as_stars_in_every_form():
    secret = Secret("hunter2")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!s:>9}", f"{secret:>9}", repr([secret])]
    assert all("***" in each and "hunter2" not in each for each in shown)
    assert repr(Command(("run", secret), {"TOKEN": secret})).count("***") == 2


@pytest.mark.parametrize(
    "write",
    [json.dumps, msgspec.json.encode, msgspec.to_builtins, pickle.dumps, lambda s: json.dumps(cattrs.unstructure(s))],
)
def test_nothing_writes_a_secret_out_unasked(write):
    with pytest.raises(TypeError):
        write(Secret("hunter2"))


def test_a_secret_has_no_dictionary_and_takes_no_attributes():
    with pytest.raises(TypeError):
        vars(Secret("hunter2"))


def test_only_reveal_reads_a_secret():
    assert Secret("hunter2").reveal() == "hunter2"
    assert reveal(Secret("hunter2")) == reveal("hunter2") == "hunter2"


def test_secrets_compare_by_value_and_never_with_strings():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert {Secret("a"): 1}[Secret("a")] == 1
    assert "a" not in {Secret("a")}


def test_a_spec_that_holds_secrets_can_be_copied_and_evolved():
    spec = Command(("run",), {"TOKEN": Secret("hunter2")})
    assert copy.copy(spec) == spec
    assert copy.deepcopy((*spec.argv, Secret("a"))) == ("run", Secret("a"))
    assert attrs.evolve(spec, cwd="/tmp").env == spec.env
