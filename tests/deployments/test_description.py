"""What is said of a deployment besides its events."""

from shared.deployments.description import doing
from shared.deployments.fold import evolve
from tests.deployments import facts as f
from tests.deployments.examples import changed, with_ready


def test_a_paused_deployment_rolls_nothing_out() -> None:
    rolling = evolve(changed(with_ready(1), volume_gb=300), f.rollout_started(basis=2))
    assert doing(rolling) == "rolling out revision 2"
    paused = evolve(rolling, f.deployment_paused())
    assert not doing(paused)
