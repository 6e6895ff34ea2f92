"""A prune warns of what stays and names something that goes."""

from typing import Any, Final

import pytest

from coldstart.api_client import ApiProblem
from tests.coldstart.declared.test_round_trip import applied, planned
from tests.coldstart.fake_api import Answer, values
from tests.coldstart.fake_installation import FakeInstallation
from tests.coldstart.told import MODEL

OWNER: Final = "kind: Organization\nslug: acme\n"
SMALL: Final = "kind: Model\nmodel: gpt2\n"
CHAT: Final = f"kind: Deployment\nname: chat\norganization: acme\nmodel: {MODEL}\n"
SHARED: Final = f"kind: Deployment\nname: chat\nmodel: {MODEL}\n"
BEST: Final = "kind: Offering\norganization: acme\ncode: best\nmodel: chat\n"
CHEAP: Final = "kind: Offering\norganization: acme\ncode: cheap\nmodel: gpt2\n"
OTHER_DEPLOYMENT: Final = "kind: Deployment\nname: other\nmodel: 1e5\n"
OTHER_OFFERING: Final = "kind: Offering\norganization: acme\ncode: other\nmodel: 1e5\n"
OTHER_MODEL: Final = "kind: Model\nmodel: 1e5\n"


def having(*declared: str) -> FakeInstallation:
    installation = FakeInstallation()
    applied("---\n".join((OWNER, *declared)), installation)
    return installation


def warnings(installation: FakeInstallation, *declared: str, prune: bool = True) -> list[str]:
    """Without what every one of them says at its end."""
    told = planned("---\n".join(declared), installation, prune=prune).warnings
    return [sentence.removesuffix(", which is to be deleted. Name another, or declare it.") for sentence in told]


@pytest.mark.parametrize("offering", ["declared", "undeclared"])
def test_of_an_offering_whose_deployment_goes(offering: str) -> None:
    declared = [OTHER_DEPLOYMENT] if offering == "undeclared" else [OTHER_DEPLOYMENT, BEST]
    installation = having(CHAT, BEST)
    assert warnings(installation, *declared) == ["offering acme/best: model names deployment acme/chat"]
    assert warnings(installation, *declared, prune=False) == []


@pytest.mark.parametrize("stays", [(CHAT, BEST), (CHAT, OTHER_OFFERING)])
def test_of_no_offering_that_goes_too_or_whose_deployment_stays(stays: tuple[str, ...]) -> None:
    assert warnings(having(CHAT, BEST), *stays) == []


def test_of_an_offering_whose_shared_deployment_goes_unless_its_organisation_has_one_of_this_name() -> None:
    assert warnings(having(SHARED, BEST), OTHER_DEPLOYMENT) == ["offering acme/best: model names deployment chat"]
    assert warnings(having(SHARED, CHAT, BEST), CHAT) == []
    assert warnings(having(SHARED, CHAT, BEST), SHARED) == ["offering acme/best: model names deployment acme/chat"]


def test_of_a_deployment_whose_fallback_or_model_goes() -> None:
    installation = having(SMALL, CHEAP, f"{CHAT}fallback: acme/cheap\n", f"{SHARED}fallback: gpt2\n")
    assert warnings(installation, OTHER_OFFERING) == ["deployment acme/chat: fallback names offering acme/cheap"]
    assert warnings(installation, OTHER_OFFERING, OTHER_MODEL) == [
        "deployment acme/chat: fallback names offering acme/cheap",
        "deployment chat: fallback names model gpt2",
    ]
    named = CHAT.replace(MODEL, "acme/cheap")
    assert warnings(installation, OTHER_OFFERING, named, f"{SHARED}fallback: gpt2\n") == [
        "deployment acme/chat: model names offering acme/cheap"
    ]


def test_of_a_key_whose_allowed_models_go() -> None:
    installation = having(SMALL, CHEAP)
    its_id = installation.models["gpt2"]["id"]
    installation.has_key("some", "acme", allowed_models=["acme/cheap", its_id, MODEL])
    installation.has_key("all", "acme")
    installation.has_key("foreign", allowed_models=["acme/cheap", "gpt2"])
    gone = [
        "limits of the key acme/some: allowed_models names offering acme/cheap",
        "limits of the key acme/some: allowed_models names model gpt2",
        "limits of the key foreign: allowed_models names model gpt2",
    ]
    assert warnings(installation, OTHER_OFFERING, OTHER_MODEL) == gone
    declared = "kind: KeyLimits\norganization: acme\nname: some\n"
    assert warnings(installation, OTHER_OFFERING, OTHER_MODEL, declared) == gone[2:]
    declared += "allowed_models: [acme/cheap]\n"
    assert warnings(installation, OTHER_OFFERING, OTHER_MODEL, declared) == [gone[0], gone[2]]


def test_of_no_key_or_fallback_since_they_name_no_deployment() -> None:
    installation = having(CHAT, f"{OTHER_DEPLOYMENT}fallback: chat\n")
    installation.has_key("some", "acme", allowed_models=["chat"])
    assert warnings(installation, f"{OTHER_DEPLOYMENT}fallback: chat\n") == []


def test_of_nothing_that_goes_with_its_organisation() -> None:
    installation = having(CHEAP)
    installation.has_key("some", "acme", allowed_models=["acme/cheap"])
    assert warnings(installation, OTHER_OFFERING.replace("acme", "new"), "kind: Organization\nslug: new\n") == []


def refusing(status: int) -> Any:
    def refuse(_method: str, path: str) -> Answer | None:
        return values({"title": "No"}, status) if path == "/api-keys" else None

    return refuse


def test_whoever_may_not_see_keys_is_told_the_rest() -> None:
    installation = having(CHAT, BEST)
    installation.refuse = refusing(403)
    assert warnings(installation, OTHER_DEPLOYMENT) == ["offering acme/best: model names deployment acme/chat"]
    installation.refuse = refusing(503)
    with pytest.raises(ApiProblem):
        warnings(installation, OTHER_DEPLOYMENT)
    assert warnings(installation, CHAT) == [], "nothing goes, so nothing is asked"
