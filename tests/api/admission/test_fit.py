"""What is refused because it cannot fit, what gives a warning, and what gives none."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.api.admission.fit import disk_warnings, download_bytes, least_gb, misfits, warnings
from services.api.catalogue.catalogue import Model
from services.api.catalogue.image_versions import ImageVersions
from shared.lifecycle.wish import Findings, Wish
from shared.offers.instance_types import InstanceType

L4 = InstanceType(name="L4-1-24G", zones=("a",), gpus=1, gpu_memory_gb=24.0)
TWO_L4 = InstanceType(name="L4-2-24G", zones=("a",), gpus=2, gpu_memory_gb=24.0)
H100 = InstanceType(name="H100-1-80G", zones=("b",), gpus=1, gpu_memory_gb=80.0)
BOX = InstanceType(name="own", zones=("a",), gpus=1)
NO_GPU = InstanceType(name="DEV1-L", zones=("a",))
OFFERED = (L4, TWO_L4, H100, NO_GPU)


def a_model(gb: float | None, *, bytes_each: float = 2.0) -> Model:
    """Weights of this many 10⁹ bytes as they are stored."""
    return Model(
        id=UUID(int=1),
        model="acme/large",
        task="generate",
        gated=False,
        parameters=None if gb is None else int(gb * 1e9 / bytes_each),
        weights_bytes=None if gb is None else int(gb * 1e9),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def wanting(
    model: Model, *types: str, args: tuple[str, ...] = (), zones: tuple[str, ...] = ()
) -> tuple[Wish, Findings]:
    wish = Wish(
        name="large",
        model=model.model,
        instance_types=types,
        zones=zones,
        vllm_args=args,
    )
    return wish, Findings(gpu_memory_gb=least_gb(model, args))


def warned(wish: Wish, found: Findings, model: Model, offered: Sequence[InstanceType]) -> list[str]:
    return list(warnings(wish, found, model, offered, ImageVersions()))


@pytest.mark.parametrize(
    ("args", "bytes_each", "expected"),
    [
        ((), 2.0, 40.0),
        ((), 4.0, 20.0),
        ((), 1.0, 40.0),
        ((), 0.55, 40.0),
        (("--dtype", "float32"), 4.0, 40.0),
        (("--dtype", "float32"), 2.0, 80.0),
        (("--dtype", "float32"), 0.55, 40.0),
        (("--quantization", "fp8"), 2.0, 10.0),
        (("--quantization", "awq"), 0.5, 40.0),
        (("--cpu-offload-gb", "0"), 2.0, 40.0),
        (("--cpu-offload-gb", "4"), 2.0, None),
    ],
)
def test_forty_gigabytes_need_what_vllm_makes_of_them(
    args: tuple[str, ...], bytes_each: float, expected: float | None
) -> None:
    assert least_gb(a_model(40.0, bytes_each=bytes_each), args) == expected


def test_nobody_knows_what_a_model_without_figures_needs() -> None:
    assert least_gb(a_model(None), ()) is None


def test_a_model_that_is_nothing_beside_any_gpu_needs_none_of_it() -> None:
    assert least_gb(a_model(0.0001), ()) is None


def test_the_stored_weights_are_downloaded_unless_another_format_is_loaded() -> None:
    assert download_bytes(a_model(40.0), ("--dtype", "float32")) == 40 * 10**9
    assert download_bytes(a_model(40.0), ("--load-format=dummy",)) is None
    assert download_bytes(a_model(None), ()) is None


def test_a_named_type_with_less_memory_than_the_weights_is_refused_with_the_figures() -> None:
    wanted = wanting(a_model(30.0), "H100-1-80G", "L4-1-24G", "L4-2-24G", "DEV1-L")
    (error,) = misfits(*wanted, OFFERED)
    assert error.pointer == "/instance_types/1"
    assert error.detail == (
        "the weights of acme/large take 30.0 GB at least; L4-1-24G has 24 GB (1 × 24 GB). Choose H100-1-80G, L4-2-24G."
    )


def test_memory_that_nobody_knows_is_no_reason_to_refuse() -> None:
    assert list(misfits(*wanting(a_model(300.0), "own"), (BOX,))) == []
    assert list(misfits(*wanting(a_model(300.0)), (L4, BOX))) == []


def test_of_any_type_it_is_refused_only_where_none_fits_in_the_zones_that_are_asked_for() -> None:
    assert list(misfits(*wanting(a_model(60.0)), OFFERED)) == []
    (error,) = misfits(*wanting(a_model(60.0), zones=("a",)), OFFERED)
    assert error.pointer == "/instance_types"
    assert error.detail == (
        "the weights of acme/large take 60.0 GB at least; "
        "the largest type offered here is L4-2-24G with 48 GB (2 × 24 GB). Choose a smaller or a quantized model."
    )


@pytest.mark.parametrize(
    ("model", "args"),
    [
        (a_model(90.0), ("--cpu-offload-gb", "80")),
        (a_model(90.0), ("--quantization", "bitsandbytes")),
        (a_model(30.0, bytes_each=4.0), ()),
        (a_model(None), ()),
    ],
)
def test_what_may_fit_in_some_way_is_never_refused(model: Model, args: tuple[str, ...]) -> None:
    assert list(misfits(*wanting(model, "L4-1-24G", args=args), OFFERED)) == []


@pytest.mark.parametrize(
    ("gb", "args"),
    [
        (20.5, ()),
        (22.5, ("--gpu-memory-utilization=0.99",)),
        (30.0, ("--cpu-offload-gb", "10")),
    ],
)
def test_with_room_left_nothing_is_said(gb: float, args: tuple[str, ...]) -> None:
    model = a_model(gb)
    assert warned(*wanting(model, "L4-1-24G", args=args), model, OFFERED) == []


def test_weights_beyond_the_share_of_memory_that_vllm_uses_are_warned_of() -> None:
    model = a_model(23.0)
    (warning,) = warned(*wanting(model, "L4-1-24G"), model, OFFERED)
    assert warning == (
        "L4-1-24G: vLLM may use 21.6 GB (1 × 90% of 24 GB), the weights take 23.0 GB: it will most likely not start; "
        "choose a type with more memory."
    )


def test_weights_that_leave_hardly_any_room_are_warned_of_with_what_is_left() -> None:
    model = a_model(21.0)
    (warning,) = warned(*wanting(model, "L4-1-24G"), model, OFFERED)
    assert ": 0.6 GB is left for all else" in warning


@pytest.mark.parametrize("args", [("--gpu-memory-utilization", "0.5"), ("--dtype", "float32")])
def test_options_that_take_room_are_counted(args: tuple[str, ...]) -> None:
    model = a_model(12.0)
    assert warned(*wanting(model, "L4-1-24G"), model, OFFERED) == []
    assert len(warned(*wanting(model, "L4-1-24G", args=args), model, OFFERED)) == 1


def test_gpus_that_vllm_was_not_told_to_use_are_named() -> None:
    model = a_model(30.0)
    (warning,) = warned(*wanting(model, "L4-2-24G"), model, OFFERED)
    assert "21.6 GB (1 × " in warning
    assert warning.endswith("It uses 1 of 2 GPUs unless told otherwise by --tensor-parallel-size.")
    for spread in (
        ("--tensor-parallel-size", "2"),
        ("--pipeline-parallel-size=2",),
        ("--data-parallel-size", "2", "--enable-expert-parallel"),
    ):
        assert warned(*wanting(model, "L4-2-24G", args=spread), model, OFFERED) == []
    assert len(warned(*wanting(model, "L4-2-24G", args=("--data-parallel-size", "2")), model, OFFERED)) == 1


def test_what_the_host_s_memory_takes_is_counted_and_said() -> None:
    model = a_model(40.0)
    (warning,) = warned(*wanting(model, "L4-1-24G", args=("--cpu-offload-gb", "10")), model, OFFERED)
    assert warning.endswith("That --cpu-offload-gb keeps 10.7 GB in the host's memory is counted.")


def test_what_quantization_saves_is_said_not_to_be_counted() -> None:
    model = a_model(30.0)
    (warning,) = warned(*wanting(model, "L4-1-24G", args=("--quantization", "fp8")), model, OFFERED)
    assert warning.endswith("What --quantization saves is not known and not counted.")


def test_of_any_type_those_that_it_may_become_are_warned_of() -> None:
    model = a_model(30.0)
    (warning,) = warned(*wanting(model), model, OFFERED)
    assert warning.startswith("L4-2-24G: ")


def test_what_nobody_knows_is_not_warned_of() -> None:
    for model, types in ((a_model(300.0), ("own",)), (a_model(None), ("L4-1-24G",))):
        wanted = wanting(model, *types)
        assert warned(*wanted, model, (*OFFERED, BOX)) == []


RENTED = InstanceType(name="H100-8-80G", zones=("a",), gpus=8, gpu_memory_gb=80.0, hourly_price=23.0)
WITH_SCRATCH = RENTED.model_copy(update={"name": "H100-SXM-8-80G", "scratch_gb": 12_800.0})
OWN = RENTED.model_copy(update={"name": "own", "hourly_price": None})


def test_weights_that_a_boot_volume_has_no_room_for_are_warned_of_where_no_other_storage_keeps_them() -> None:
    model = a_model(180.0)
    wish, found = wanting(model)
    (warning,) = disk_warnings(wish, found, model, (RENTED, WITH_SCRATCH, OWN, L4))
    assert warning == (
        "H100-8-80G: the weights take 180.0 GB of a boot volume of 200 GB, and the system and the image about 30 GB: "
        "ask for a larger `volume_gb`."
    )
    larger = wish.model_copy(update={"volume_gb": 210})
    for asked, offered in ((larger, (RENTED,)), (wish, (WITH_SCRATCH, OWN))):
        assert not list(disk_warnings(asked, found, model, offered))
