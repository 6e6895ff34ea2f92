"""docs/deployments-lifecycle.md says what the code does."""

from pathlib import Path

from shared.deployments.decide import DeploymentIntent
from shared.deployments.deployment import DeploymentStatus
from shared.deployments.events import DEPLOYMENT_EVENTS
from shared.deployments.page import deployments_page, examples

ROOT = Path(__file__).parents[2]


def test_the_page_in_the_docs_is_the_one_that_the_code_draws() -> None:
    written = (ROOT / "docs" / "deployments-lifecycle.md").read_text(encoding="utf-8")
    assert written == deployments_page(), "run: make docs"


def test_every_status_every_intent_and_every_event_has_its_row() -> None:
    page = deployments_page()
    assert {status: example.status for status, example in examples().items()} == {
        each: each for each in DeploymentStatus
    }
    assert all(f"\n| `{intent}` |" in page for intent in DeploymentIntent)
    assert all(f"\n| {name} | the " in page for name in DEPLOYMENT_EVENTS)
    assert all(kind.__doc__ for kind in DEPLOYMENT_EVENTS.values())
