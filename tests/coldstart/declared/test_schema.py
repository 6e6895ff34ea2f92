"""The published schema says of a file what `coldstart apply` says of it, so that an editor can."""

import json
from io import StringIO
from pathlib import Path
from typing import Final

import jsonschema_rs
import pytest
from hypothesis import given

from coldstart.declared.files import STDIN, DeclarationsInvalid, declarations
from coldstart.declared.schema import schema
from tests.api.openapi.test_examples import examples
from tests.coldstart.declared.arbitrary import installations
from tests.coldstart.declared.test_round_trip import got
from tests.coldstart.fake_installation import FakeInstallation

PAGE: Final = Path(__file__).parents[3] / "docs" / "coldstart-apply-schema.json"
DEPLOYMENT: Final = {"kind": "Deployment", "name": "chat", "model": "a/b"}


@pytest.fixture(scope="module")
def validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema())


def test_the_page_is_drawn_from_the_code() -> None:
    assert json.loads(PAGE.read_text()) == schema(), "run `make docs`"


def test_its_examples_are_valid() -> None:
    whole = schema()
    given = list(examples(whole))
    assert {pointer for pointer, _, _ in given} >= {
        "/$defs/DeclaredDeployment",
        "/$defs/TurnBody",
        "/$defs/RolloutBody",
    }
    for _, part, example in given:
        jsonschema_rs.Draft202012Validator({"$defs": whole["$defs"], **part}).validate(example)


@given(installation=installations())
def test_it_accepts_whatever_is_got(installation: FakeInstallation) -> None:
    validator = jsonschema_rs.Draft202012Validator(schema())
    declared = got(installation)
    validator.validate(declared)
    for one in declared:
        validator.validate(one)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"kind": "Nothing"},
        {"name": "chat", "model": "a/b"},
        {"kind": "Model"},
        {**DEPLOYMENT, "min_replica": 1},
        {**DEPLOYMENT, "max_replicas": 1001},
        {**DEPLOYMENT, "zones": "fr-par-2"},
        {**DEPLOYMENT, "rollout": {"surge": 0}},
        {**DEPLOYMENT, "schedule": [{"cron": "0 8 * * *"}]},
        {"kind": "Organization", "slug": "Acme"},
        {"kind": "KeyLimits", "name": "x", "allowed_models": []},
        [DEPLOYMENT, {"kind": "Nothing"}],
    ],
)
def test_it_refuses_what_apply_refuses(validator: jsonschema_rs.Draft202012Validator, wrong: object) -> None:
    assert not validator.is_valid(wrong)
    with pytest.raises(DeclarationsInvalid):
        declarations([STDIN], StringIO(json.dumps(wrong)))


@pytest.mark.parametrize("right", [{**DEPLOYMENT, "zones": "any"}, {**DEPLOYMENT, "scale_to_zero_after": None}])
def test_it_accepts_what_apply_accepts(validator: jsonschema_rs.Draft202012Validator, right: object) -> None:
    assert validator.is_valid(right)
    assert declarations([STDIN], StringIO(json.dumps(right)))
