from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

from hypothesis import given
from hypothesis import strategies as st

from services.api.catalogue import Catalogue, Model
from services.api.resolution import ModelMissing, ModelNotFound, resolve

HUB_IDS = st.from_regex(r"[A-Za-z0-9]{1,8}/[A-Za-z0-9.-]{1,8}", fullmatch=True)
CATALOGUES = st.lists(HUB_IDS, max_size=6, unique=True)


def a_model(name: str) -> Model:
    model_id = uuid5(UUID(int=0), name)
    return Model(id=model_id, model=name, task="generate", gated=False, created_at=datetime(2026, 1, 1, tzinfo=UTC))


def catalogue_of(names: list[str]) -> Catalogue:
    return Catalogue.of(a_model(name) for name in names)


@given(CATALOGUES.filter(bool), st.data())
def test_a_catalogued_id_is_matched_whole_slash_and_all(names: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(names))
    assert resolve(name, catalogue_of(names)) == a_model(name)


@given(CATALOGUES.filter(bool), st.data())
def test_a_catalogued_uuid_is_that_model_however_it_is_written(names: list[str], data: st.DataObject) -> None:
    model = a_model(data.draw(st.sampled_from(names)))
    spelled = data.draw(st.sampled_from([str(model.id), str(model.id).upper()]))
    assert resolve(spelled, catalogue_of(names)) == model


@given(CATALOGUES, st.none() | st.just(""))
def test_no_name_is_told_apart_from_an_unknown_one(names: list[str], name: str | None) -> None:
    assert resolve(name, catalogue_of(names)) == ModelMissing()


@given(CATALOGUES, st.text(min_size=1) | HUB_IDS | st.builds(str, st.builds(uuid4)))
def test_everything_else_is_not_found_and_nothing_asks_for_an_organisation(names: list[str], name: str) -> None:
    expected = a_model(name) if name in names else ModelNotFound(name)
    assert resolve(name, catalogue_of(names)) == expected


@given(CATALOGUES.filter(bool), st.data())
def test_a_part_of_an_id_is_not_that_id(names: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(names))
    for part in name.split("/"):
        assert resolve(part, catalogue_of(names)) == ModelNotFound(part)
