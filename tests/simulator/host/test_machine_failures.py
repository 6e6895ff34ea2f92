"""Which machines fail is drawn by probability, and a seed repeats it."""

from simulator.host.machine_failures import MachineFailures
from simulator.scenario import Scenario

WAYS = {
    "never_ssh": (True,),
    "wrong_host_key": (True,),
    "never_loads": (True,),
    "dies_after_ready": (1.0,),
    "install_fails_times": (1, None),
}


def drawn(scenario: Scenario, count: int = 400) -> list[Scenario]:
    failures = MachineFailures()
    return [failures.scenario_of(str(number), scenario) for number in range(count)]


def test_no_machine_fails_unless_it_may() -> None:
    scenario = Scenario()
    assert all(each is scenario for each in drawn(scenario))


def test_machines_fail_with_the_given_probability_and_in_every_way() -> None:
    some = drawn(Scenario(machine_failures=0.1))
    for stage in (
        [each.never_ssh or each.wrong_host_key for each in some],
        [each.install_fails_at is not None for each in some],
        [each.never_loads or each.dies_after_ready is not None for each in some],
    ):
        assert 20 < stage.count(True) < 60
    for field, values in WAYS.items():
        assert set(values) <= {getattr(each, field) for each in some if each.install_fails_at or "install" not in field}


def test_a_seed_repeats_the_failures_and_another_seed_draws_others() -> None:
    assert drawn(Scenario(machine_failures=0.1, seed=7)) == drawn(Scenario(machine_failures=0.1, seed=7))
    first, second = (drawn(Scenario(machine_failures=0.1, seed=seed)) for seed in (7, 8))
    assert [each.never_loads for each in first] != [each.never_loads for each in second]


def test_a_server_fails_in_the_same_way_at_every_boot() -> None:
    failures, scenario = MachineFailures(), Scenario(machine_failures=0.5)
    boots = [[failures.scenario_of(str(number), scenario) for number in range(20)] for _ in range(2)]
    assert boots[0] == boots[1]
