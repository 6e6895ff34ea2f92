"""Names that people choose look like what they are, wherever they are shown."""

import pytest
from pydantic import ValidationError

from services.api.control.api_keys import ApiKeyBody
from services.api.control.organizations import OrganizationBody, OrganizationChangeBody


@pytest.mark.parametrize(
    "name",
    [
        "mine\x9b2J",
        "admin\u202etxt",
        "ac\u200bme",
        "\x1b[31m",
        "a\u2066b",
        "a\nb",
        "\ufeff",
        "ac\xadme",
        "a\u061cb",
        "a\ufff9b",
    ],
)
def test_a_name_with_what_nobody_sees_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        ApiKeyBody(name=name)
    with pytest.raises(ValidationError, match="name"):
        OrganizationBody(slug="acme", name=name)
    with pytest.raises(ValidationError, match="name"):
        OrganizationChangeBody(name=name)


@pytest.mark.parametrize("name", ["Zoë's laptop", "数据 team", "[red]", "<b>", "مختبر"])
def test_any_other_name_is_taken_as_it_is(name: str) -> None:
    assert ApiKeyBody(name=name).name == OrganizationBody(slug="acme", name=name).name == name
