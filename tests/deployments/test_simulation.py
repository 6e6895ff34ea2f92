"""Two scalers that crash, stall and overlap keep the laws, however the world goes on meanwhile."""

import os

import pytest
from hypothesis import settings

from tests.deployments.simulation import run
from tests.deployments.world import LawBroken

RUNS = int(os.environ.get("COLDSTART_SCALER_RUNS", 6 * settings().max_examples))
FIRST = int(os.environ.get("COLDSTART_SCALER_SEED", "0"))


def test_two_scalers_keep_the_laws_in_any_interleaving() -> None:
    for seed in range(FIRST, FIRST + RUNS):
        try:
            run(seed)
        except LawBroken as broken:
            pytest.fail(f"{broken}; again: COLDSTART_SCALER_SEED={seed} COLDSTART_SCALER_RUNS=1")
