"""Every event carries the whole deployment, and has to fit into one message of the stream."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from shared.deployments import events as e
from shared.deployments.events import replica_id
from shared.deployments.fold import evolve
from shared.deployments.wish import MOST_REPLICAS
from shared.journal.envelope import encode
from shared.journal.recorded import Origin
from shared.lifecycle.wish import FailedPlace
from shared.plain_text import LONGEST
from tests.deployments import facts as f
from tests.deployments.examples import AT, ID, a_deployment

MOST_BYTES: Final = 1_000_000
PLACES: Final = tuple(FailedPlace(zone=f"fr-par-{zone}", instance_type="H100-SXM-8-80G") for zone in range(50))
LONG: Final = "x" * LONGEST


def test_the_most_replicas_that_all_fail_everywhere_and_are_refused_fit_into_an_event() -> None:
    deployment = a_deployment(max_replicas=MOST_REPLICAS, surge=MOST_REPLICAS)
    for ordinal in range(2 * MOST_REPLICAS):
        first, second = replica_id(ID, 1, ordinal, 1), replica_id(ID, 1, ordinal, 2)
        replaced = f.replica_replaced(
            ordinal=ordinal,
            former_instance_id=first,
            generation=2,
            instance_id=second,
            failures=9,
            not_before=AT + timedelta(minutes=10),
            avoid=PLACES,
            message=LONG,
        )
        for fact in (
            f.replica_added(ordinal=ordinal),
            f.replica_refused(instance_id=first, message=LONG),
            replaced,
            f.replica_refused(instance_id=second, message=LONG),
        ):
            deployment = evolve(deployment, fact)
    event: e.DeploymentEvent = f.replica_refused(message=LONG)
    written = encode(UUID(int=1), event, evolve(deployment, event), Origin("scaler"), "/coldstart/test")
    assert len(written) < MOST_BYTES
