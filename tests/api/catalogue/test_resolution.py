from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.catalogue.catalogue import Catalogue, Model
from services.api.catalogue.resolution import ModelMissing, ModelNotFound, Resolution, Resolved, Rule, resolve
from services.api.tenancy.offerings import Offering
from services.api.tenancy.organizations import Organization
from tests.api.names import CATALOGUED, EVERYONE, OFFERED, TABLE, Caller

AT = datetime(2026, 1, 1, tzinfo=UTC)
SLUGS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,5}", fullmatch=True)
CODES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,5}", fullmatch=True)
HUB_IDS = st.from_regex(r"[A-Za-z0-9]{1,8}/[A-Za-z0-9.-]{1,8}", fullmatch=True) | st.builds(
    "/".join, st.tuples(SLUGS, CODES)
)


def its_id(name: str) -> UUID:
    return uuid5(UUID(int=0), name)


def a_model(name: str) -> Model:
    return Model(id=its_id(name), model=name, task="generate", gated=False, created_at=AT)


def an_organization(slug: str) -> Organization:
    return Organization(id=its_id(slug), slug=slug, name=slug, created_at=AT)


def an_offering(slug: str, code: str, model: str, *, active: bool) -> Offering:
    return Offering(
        id=its_id(f"offering {slug}/{code}"),
        organization_id=its_id(slug),
        code=code,
        model_id=its_id(model),
        active=active,
        created_at=AT,
    )


CATALOGUE = Catalogue.of(
    [a_model(name) for name in CATALOGUED],
    [
        an_offering(slug, code, model, active=active)
        for slug, offered in OFFERED.items()
        for code, (model, active) in offered.items()
    ],
)
ORGANIZATIONS: Mapping[Caller, Organization | None] = {
    "nobody's": None,
    "acme's": an_organization("acme"),
    "openai-community's": an_organization("openai-community"),
    "an administrator's": None,
}


def outcome(result: Resolution) -> str:
    match result:
        case Resolved(rule=rule):
            return rule
        case ModelMissing():
            return "missing"
        case ModelNotFound():
            return "not found"


@pytest.mark.parametrize("caller", EVERYONE)
@pytest.mark.parametrize("name", TABLE, ids=lambda name: ascii(name[:40]))
def test_a_name_means_what_the_table_says(name: str, caller: Caller) -> None:
    expected = TABLE[name].get(caller)
    found = resolve(name, CATALOGUE, ORGANIZATIONS[caller])
    assert found == (Resolved(a_model(expected.model), expected.rule) if expected else ModelNotFound(name))


@pytest.mark.parametrize("caller", EVERYONE)
@pytest.mark.parametrize("name", CATALOGUED)
def test_the_uuid_of_a_catalogued_model_is_that_model_however_it_is_written(name: str, caller: Caller) -> None:
    for spelled in (str(its_id(name)), str(its_id(name)).upper()):
        assert resolve(spelled, CATALOGUE, ORGANIZATIONS[caller]) == Resolved(a_model(name), Rule.ID)


@pytest.mark.parametrize("caller", EVERYONE)
def test_the_uuid_of_an_offering_or_of_an_organisation_is_no_model(caller: Caller) -> None:
    for other in (its_id("offering acme/chat"), its_id("acme"), its_id("openai-community")):
        assert resolve(str(other), CATALOGUE, ORGANIZATIONS[caller]) == ModelNotFound(str(other))


@pytest.mark.parametrize("caller", EVERYONE)
@pytest.mark.parametrize("name", [None, ""])
def test_naming_nothing_is_told_apart_from_naming_what_is_unknown(name: str | None, caller: Caller) -> None:
    assert resolve(name, CATALOGUE, ORGANIZATIONS[caller]) == ModelMissing()


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Catalogue, list[str], list[Organization]]:
    """A catalogue whose offerings collide with its models as often as not, the names of both, and the organisations."""
    models = draw(st.lists(HUB_IDS, min_size=1, max_size=5, unique=True))
    slugs = draw(
        st.lists(SLUGS | st.sampled_from([name.partition("/")[0].lower() for name in models]), max_size=3, unique=True)
    )
    codes = st.lists(CODES | st.sampled_from([name.partition("/")[2] for name in models]), max_size=3, unique=True)
    offerings = [
        an_offering(slug, code, draw(st.sampled_from(models)), active=draw(st.booleans()))
        for slug in slugs
        for code in draw(codes)
    ]
    names = models + [f"{slug}/{code}" for slug in slugs for code in draw(codes)]
    return Catalogue.of([a_model(name) for name in models], offerings), names, [an_organization(slug) for slug in slugs]


@given(worlds(), st.data())
def test_nobody_is_ever_asked_for_an_organisation(
    world: tuple[Catalogue, list[str], list[Organization]], data: st.DataObject
) -> None:
    catalogue, names, organizations = world
    name = data.draw(st.none() | st.text() | st.sampled_from(names) | st.builds(str, st.builds(uuid4)))
    for organization in (None, *organizations):
        found = resolve(name, catalogue, organization)
        assert outcome(found) in {"missing", "not found", *Rule}
        if isinstance(found, Resolved) and found.rule is Rule.OFFERING:
            assert organization is not None
            assert name is not None
            assert name.startswith(organization.slug + "/")
            assert catalogue.named(name) is None


@given(worlds())
def test_a_catalogued_model_is_the_same_for_every_caller(
    world: tuple[Catalogue, list[str], list[Organization]],
) -> None:
    catalogue, _, organizations = world
    for model in catalogue:
        for organization in (None, *organizations):
            assert resolve(model.model, catalogue, organization) == Resolved(model, Rule.PUBLIC)
            assert resolve(str(model.id), catalogue, organization) == Resolved(model, Rule.ID)


@given(worlds(), st.data())
def test_what_another_organisation_offers_is_as_if_it_did_not_exist(
    world: tuple[Catalogue, list[str], list[Organization]], data: st.DataObject
) -> None:
    catalogue, names, organizations = world
    name = data.draw(st.sampled_from(names))
    strangers = [None, *(one for one in organizations if not name.startswith(one.slug + "/"))]
    assert len({resolve(name, catalogue, stranger) for stranger in strangers}) == 1
