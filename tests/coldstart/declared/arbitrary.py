"""Installations and files of any shape, small enough that names meet."""

from typing import Any, Final

from hypothesis import strategies as st

from tests.coldstart.fake_installation import FakeInstallation, InMemoryApi

SLUGS: Final = st.sampled_from(["acme", "umbrella", "no", "1", "3-4"])
NAMES: Final = st.sampled_from(["chat", "null", "1.5", "a_b", "true", "0123"])
FOR_PEOPLE: Final = st.sampled_from(["Zürich: chat", "- no", "#1", "'", "yes", "12", "a\u3000b", "🚀"])
MODELS: Final = st.sampled_from(["Qwen/Qwen2.5-0.5B-Instruct", "BAAI/bge-m3", "gpt2", "1e5"])
TASKS: Final = st.sampled_from(["generate", "embed"])
SOME: Final = st.none() | st.integers(1, 2**31 - 1)
AMOUNTS: Final = st.none() | st.floats(0, 1e12, allow_nan=False, allow_infinity=False)
CHOICES: Final = st.lists(st.sampled_from(["L4-1-24G", "H100-1-80G"]), max_size=2, unique=True)
SECONDS: Final = st.integers(0, 31_536_000)
WINDOWS: Final = st.integers(0, 86_400)
REPLICAS: Final = st.integers(0, 200)
LIMITS: Final = {
    "max_instances": st.none() | st.integers(0, 1_000_000),
    "spend_per_hour": AMOUNTS,
    "spend_per_month": AMOUNTS,
    "at_limit": st.sampled_from(["warn", "drain"]),
}
KEY_LIMITS: Final = {
    "requests_per_minute": SOME,
    "tokens_per_minute": SOME,
    "max_concurrent": SOME,
    "allowed_models": st.none() | st.lists(MODELS, min_size=1, max_size=3),
}


@st.composite
def bounds(draw: st.DrawFn) -> dict[str, int]:
    least, most = sorted((draw(REPLICAS), draw(REPLICAS)))
    return {"min_replicas": least, "max_replicas": max(most, 1)}


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    """A deployment's, with any of its fields left out."""
    turn = st.fixed_dictionaries({"cron": st.just("0 8 * * 1"), "time_zone": st.just("Europe/Paris")})
    fields = {
        "task": TASKS,
        "provider": st.just("scaleway"),
        "zones": st.just([]) | st.just(["fr-par-2"]),
        "instance_types": CHOICES,
        "volume_gb": st.integers(150, 10_000),
        "image": st.none() | st.just("vllm/vllm-openai:v0.32.0"),
        "revision": st.none() | st.sampled_from(["main", "1234567", "0e1"]),
        "vllm_args": st.lists(st.just("--max-model-len=8192"), max_size=1),
        "target_in_flight": st.floats(0.5, 1000),
        "scale_down_after": WINDOWS,
        "scale_to_zero_after": st.none() | WINDOWS,
        "hold": SECONDS,
        "schedule": st.lists(st.builds(lambda when, least: when | least, turn, bounds()), max_size=2),
        "fallback": st.none() | MODELS,
        "rollout": st.fixed_dictionaries({"surge": st.integers(1, 5), "settle": SECONDS}),
    }
    return {"model": draw(MODELS), **draw(bounds()), **draw(st.fixed_dictionaries({}, optional=fields))}


@st.composite
def installations(draw: st.DrawFn) -> FakeInstallation:
    installation = FakeInstallation()
    client = InMemoryApi(installation)
    for model in draw(st.lists(MODELS, unique=True, max_size=3)):
        client.post("/models", {"model": model, "task": draw(TASKS), "trust_remote_code": draw(st.booleans())})
    slugs = draw(st.lists(SLUGS, unique=True, max_size=2))
    for slug in slugs:
        limits = draw(st.fixed_dictionaries(LIMITS))
        client.post("/organizations", {"slug": slug, "name": draw(FOR_PEOPLE), "insist": False, **limits})
        for code in draw(st.lists(NAMES, unique=True, max_size=2)):
            body = {"code": code, "model": draw(MODELS), "active": draw(st.booleans())}
            client.post(f"/organizations/{slug}/offerings", body)
    owners = st.sampled_from([None, *slugs])
    for name, owner in draw(st.lists(st.tuples(FOR_PEOPLE, owners), max_size=3)):
        installation.has_key(name, owner, **draw(st.fixed_dictionaries(KEY_LIMITS)))
    for name, owner in draw(st.lists(st.tuples(NAMES, owners), max_size=3, unique=True)):
        client.put(f"/deployments/{name}", {**({"organization": owner} if owner else {}), **draw(wishes())})
    installation.writes.clear()
    return installation
