"""How many replicas are wanted, and why."""

from datetime import timedelta

from shared.deployments.deployment import Deployment
from shared.deployments.desired import Desired, desired
from shared.deployments.load import SLOT_S, Bounds, Demand, Sample
from shared.deployments.situation import Situation
from tests.deployments.examples import AT, LEAD, a_demand, a_deployment, an_instance, with_ready

DAY = timedelta(days=1)


def wanted(deployment: Deployment, demand: Demand, *bounds: Bounds) -> Desired:
    """With all its replicas ready, for long. It is older than all history."""
    deployment = deployment.model_copy(update={"created_at": AT - 30 * DAY})
    instances = {each.instance_id: an_instance(each, since=AT - DAY) for each in deployment.replicas}
    return desired(Situation(deployment, instances, demand, LEAD, bounds, AT))


def figures(decided: Desired) -> tuple[int, str]:
    return decided.replicas, decided.reason


def a_day(load: float, *, begin: timedelta, hours: int = 1, days: int = 8) -> tuple[Sample, ...]:
    """Slots of so many days before now: this load for some hours from `begin` behind now on, none otherwise."""
    found = []
    for slot in range(int(days * DAY / timedelta(seconds=SLOT_S))):
        at = AT - days * DAY + slot * timedelta(seconds=SLOT_S)
        behind = (at - AT - begin) % DAY
        there = load if behind < timedelta(hours=hours) else 0.0
        found.append(Sample(at=at, mean=there, peak=there))
    return tuple(found)


def test_more_are_wanted_at_once_when_there_is_more_than_the_target() -> None:
    assert figures(wanted(with_ready(1), a_demand(17, 17, 17))) == (2, "load")
    assert figures(wanted(with_ready(1), a_demand(16, 16, 16))) == (1, "load")


def test_a_single_request_wakes_one_that_is_at_zero() -> None:
    decided = wanted(a_deployment(min_replicas=0), Demand(known=True, held=1))
    assert figures(decided) == (1, "woken")
    assert decided.message == "1 request came while there was no replica."


def test_many_that_wait_for_a_wake_do_not_order_many() -> None:
    waiting = Demand(known=True, held=200, arriving_per_s=1.0)
    assert wanted(a_deployment(min_replicas=0, max_replicas=50), waiting).replicas <= 5


def test_a_queue_orders_by_what_arrives_and_not_by_its_length() -> None:
    calm = [Sample(at=AT - timedelta(seconds=10 * back), mean=10, peak=10, arriving=1) for back in range(30, 3, -1)]
    rush = [Sample(at=AT - timedelta(seconds=10 * back), mean=400, peak=400, arriving=3) for back in range(3, 0, -1)]
    demand = Demand(known=True, in_flight=400, recent=(*calm, *rush))
    decided = wanted(with_ready(1, max_replicas=50), demand)
    assert decided.replicas == 6, "30 run at once, and 64 serve the queue"
    assert decided.message.endswith("some of them queued, at 16 per replica: 6 replicas.")


def test_a_steady_rise_is_ordered_for_before_it_is_there() -> None:
    rising = [10 + step * 0.5 for step in range(30)]
    decided = wanted(with_ready(2), a_demand(25, *rising))
    assert figures(decided) == (3, "forecast")
    assert "as it rises now" in decided.message


def test_noise_is_no_rise() -> None:
    noisy = [20 + 11 * (step % 2) for step in range(26)] + [31, 20, 31, 31]
    assert figures(wanted(with_ready(2), a_demand(31, *noisy))) == (2, "load")


def test_what_other_days_had_is_ordered_for_a_lead_before() -> None:
    soon = Demand(known=True, history=a_day(40, begin=timedelta(seconds=LEAD.p90_s - 60)))
    decided = wanted(with_ready(1), soon)
    assert figures(decided) == (3, "forecast")
    assert "as on other days" in decided.message
    later = Demand(known=True, history=a_day(40, begin=timedelta(seconds=LEAD.p90_s + 2 * SLOT_S)))
    assert wanted(with_ready(1), later).replicas == 1


def test_what_this_day_of_last_week_did_not_have_is_not_expected() -> None:
    usual = a_day(40, begin=timedelta(minutes=5))
    weekly = tuple(each for each in usual if each.mean and each.at > AT - 6 * DAY)
    assert wanted(with_ready(1), Demand(known=True, history=weekly)).replicas == 1


def test_a_day_without_what_others_have_is_not_taken_for_one_of_them() -> None:
    usual = a_day(40, begin=timedelta(hours=-2), hours=6)
    today = tuple(Sample(at=AT - timedelta(seconds=SLOT_S * back), mean=0, peak=0) for back in range(24, 0, -1))
    demand = Demand(known=True, history=(*(each for each in usual if each.at < today[0].at), *today))
    assert wanted(a_deployment(min_replicas=0), demand).replicas <= 1


def test_fewer_are_wanted_when_the_whole_window_allows_it() -> None:
    low = [10.0] * 30
    decided = wanted(with_ready(3), a_demand(10, *low))
    assert figures(decided) == (1, "quiet")
    assert figures(wanted(with_ready(3), a_demand(10, 40, *low[1:]))) == (3, "load"), "one sample was higher"


def test_nothing_is_scaled_down_on_ignorance() -> None:
    low = [10.0] * 30
    assert wanted(with_ready(3), a_demand(10, *low, known=False)).replicas == 3
    assert wanted(with_ready(3), a_demand(10, *low[2:])).replicas == 3, "the window is not covered"
    known = a_demand(10, *low)
    gap = Demand(known=True, in_flight=10, recent=(*known.recent[:9], *known.recent[11:]))
    assert wanted(with_ready(3), gap).replicas == 3, "there is a gap"


def test_why_more_are_kept_than_the_load_needs_is_told() -> None:
    zero = wanted(with_ready(1, min_replicas=0), a_demand(0, 0.0, 0.0))
    assert zero.message == "0 requests at once lately. The last replica goes after 15 min without a request."
    stays = wanted(with_ready(1, min_replicas=0, scale_to_zero_after=None), a_demand(0, 0.0, 0.0))
    assert stays.message == "0 requests at once lately. The last replica stays."
    kept = wanted(with_ready(3), a_demand(1, 1.0, 1.0))
    assert kept.message.startswith("1 request at once lately: 1 would do. More are kept until")
    unknown = wanted(with_ready(3), a_demand(1, 1.0, 1.0, known=False))
    assert unknown.message == "Nobody tells its load now, and no replica goes before it is known."


def test_what_comes_back_again_and_again_is_kept_room_for() -> None:
    low = [10.0] * 30
    hours = range(5, 0, -1)
    bursts = [Sample(at=AT - timedelta(hours=hour), mean=40, peak=40) for hour in hours]
    assert wanted(with_ready(3), a_demand(10, *low, history=tuple(bursts))).replicas == 3
    assert wanted(with_ready(3), a_demand(10, *low, history=tuple(bursts[3:]))).replicas == 1
    long = [Sample(at=AT - timedelta(seconds=SLOT_S * back), mean=40, peak=40) for back in range(30, 20, -1)]
    assert wanted(with_ready(3), a_demand(10, *low, history=tuple(long))).replicas == 1, "it came once, for long"


def test_the_last_one_goes_only_after_no_request_for_long() -> None:
    deployment = with_ready(1, min_replicas=0)
    assert figures(wanted(deployment, a_demand(0, *[0.0] * 90))) == (0, "idle")
    assert wanted(deployment, a_demand(0, *[0.0] * 30)).replicas == 1
    assert wanted(deployment, a_demand(0, 1.0, *[0.0] * 89)).replicas == 1
    assert wanted(with_ready(1, min_replicas=0, scale_to_zero_after=None), a_demand(0, *[0.0] * 90)).replicas == 1


def test_the_bounds_hold_whatever_the_load() -> None:
    assert figures(wanted(a_deployment(min_replicas=2), a_demand(0))) == (2, "bounds")
    most = wanted(with_ready(1, max_replicas=2), a_demand(60, 60, 60))
    assert most.replicas == 2
    assert most.message == "60 requests at once lately, at 16 per replica. At most 2 replicas may be there."
    assert figures(wanted(with_ready(3, max_replicas=2), a_demand(900, 900, 900))) == (2, "bounds")


def test_bounds_that_come_within_a_lead_are_there_already() -> None:
    now = Bounds(min_replicas=0, max_replicas=1)
    soon = Bounds(min_replicas=3, max_replicas=6, since=AT + timedelta(seconds=LEAD.p90_s))
    assert figures(wanted(with_ready(1), a_demand(0), now, soon)) == (3, "bounds")
    later = soon.model_copy(update={"since": AT + timedelta(seconds=LEAD.p90_s + 1)})
    assert wanted(with_ready(1), a_demand(0), now, later).replicas == 1


def test_a_message_has_the_figures_that_it_was_decided_by() -> None:
    decided = wanted(with_ready(1), a_demand(40, 40, 40))
    assert (decided.figures.load, decided.figures.lead_seconds, decided.figures.per_replica) == (40, 300, 16)
    assert "40 requests at once" in decided.message
    assert "16 per replica" in decided.message
