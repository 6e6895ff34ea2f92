"""Every pattern that a request has to match is explained in words."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from services.api.admission.deployment_body import DeploymentBody
from services.api.admission.launch_body import InstanceBody
from services.api.control.api_keys import ApiKeyBody
from services.api.control.forms import FORMS
from services.api.control.models import ModelBody
from services.api.control.offerings import OfferingBody
from services.api.control.organizations import OrganizationBody
from services.api.control.webhooks import WebhookBody


def patterns(node: Any) -> Iterator[str]:
    match node:
        case dict():
            if isinstance(node.get("pattern"), str):
                yield node["pattern"]
            for value in node.values():
                yield from patterns(value)
        case list():
            for value in node:
                yield from patterns(value)


@pytest.mark.parametrize(
    "body", [InstanceBody, DeploymentBody, ModelBody, OfferingBody, ApiKeyBody, OrganizationBody, WebhookBody]
)
def test_every_pattern_of_a_body_has_its_words(body: type[BaseModel]) -> None:
    told = set(patterns(body.model_json_schema()))
    assert told
    assert told <= FORMS.keys()
