"""`coldstart deploy`: an endpoint that stays, in one line."""

import re
from typing import Annotated, Any, Final

import typer

from coldstart.api_client import Api, ApiProblem
from coldstart.client_settings import client_settings
from coldstart.commands.context import Json, api, given, non_empty, note, print_json, say, warn
from coldstart.commands.deployments import Least, Most, known_name, watch_deployment
from coldstart.commands.durations import seconds
from coldstart.commands.wrong_fields import told_by_option
from coldstart.deployment_tables import full_name, ready_of_wanted
from coldstart.how_to_call import endpoint, program
from coldstart.waiting import lasted

_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9.-]+")
_LONGEST_NAME: Final = 57
_NOT_FOUND: Final = 404
_NEVER: Final = -1
_OPTIONS: Final = {
    "model": "MODEL",
    "instance_types": "--type",
    "zones": "--zone",
    "vllm_args": "--vllm-arg",
    "min_replicas": "--min",
    "max_replicas": "--max",
    "target_in_flight": "--target",
    "rollout": "--surge, --settle",
}


def _seconds_or_never(typed: str) -> int:
    return _NEVER if typed == "never" else seconds(typed)


def deploy(  # noqa: PLR0913 - each option is an argument
    model: Annotated[
        str,
        typer.Argument(help="A model id on the Hugging Face hub, e.g. Qwen/Qwen2.5-0.5B-Instruct.", callback=non_empty),
    ],
    *,
    name: Annotated[
        str | None,
        typer.Option(help="Its name. Default: the model's.", callback=lambda typed: typed and known_name(typed)),
    ] = None,
    organization: Annotated[
        str | None, typer.Option(help="Owning organisation (slug). Default: the key's; for administrators, shared.")
    ] = None,
    least: Least = None,
    most: Most = None,
    target: Annotated[float | None, typer.Option(help="Requests in flight per replica to scale to.")] = None,
    scale_down_after: Annotated[
        int | None, typer.Option(parser=seconds, metavar="TIME", help="End a replica after this long at low load.")
    ] = None,
    scale_to_zero_after: Annotated[
        int | None,
        typer.Option(
            parser=_seconds_or_never, metavar="TIME", help="End the last one when unused for so long; or never."
        ),
    ] = None,
    hold: Annotated[
        int | None, typer.Option(parser=seconds, metavar="TIME", help="How long a request may wait for a cold start.")
    ] = None,
    fallback: Annotated[
        str | None, typer.Option(help="The model or offering that answers while no replica is ready.")
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="Instance type; repeat for further choices. Default: the cheapest that fits."),
    ] = None,
    zones: Annotated[list[str] | None, typer.Option("--zone", help="Zone; repeat for further choices.")] = None,
    task: Annotated[
        str | None, typer.Option(help="What the model is for: generate or embed. Default: as the hub says.")
    ] = None,
    provider: Annotated[str | None, typer.Option(help="Default: scaleway, or the only one.")] = None,
    volume_gb: Annotated[int | None, typer.Option(help="Size of the boot volume, in GB.")] = None,
    image: Annotated[str | None, typer.Option(help="The vLLM image to run. Default: the configured one.")] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of the model on the hub.")] = None,
    vllm_args: Annotated[
        list[str] | None, typer.Option("--vllm-arg", help="An option of vLLM, e.g. --max-model-len=8192; repeatable.")
    ] = None,
    surge: Annotated[
        int | None, typer.Option(help="So many replicas more than wanted while a change is rolled out.")
    ] = None,
    settle: Annotated[
        int | None,
        typer.Option(parser=seconds, metavar="TIME", help="How long a new one is ready before an old one goes."),
    ] = None,
    watching: Annotated[bool, typer.Option("--watch", help="Watch it until it serves as wanted.")] = False,
    as_json: Json = False,
) -> None:
    """Serve MODEL by as many replicas as its load needs. Of a deployment of this name, change what is named."""
    named = given(
        model=model,
        task=task,
        organization=organization,
        provider=provider,
        zones=zones,
        instance_types=types,
        volume_gb=volume_gb,
        image=image,
        revision=revision,
        vllm_args=vllm_args,
        min_replicas=least,
        max_replicas=most,
        target_in_flight=target,
        scale_down_after=scale_down_after,
        scale_to_zero_after=scale_to_zero_after,
        hold=hold,
        fallback=fallback,
    )
    if scale_to_zero_after == _NEVER:
        named["scale_to_zero_after"] = None
    rollout = given(surge=surge, settle=settle)
    path = f"/deployments/{name or _name_for(model)}"
    with api() as client:
        asked = _asked_before(client, path, organization) | named
        if rollout:
            asked["rollout"] = asked.get("rollout", {}) | rollout
        with told_by_option(asked, _OPTIONS):
            row = client.put(path, asked)
        _say(client, row, as_json=as_json)
        if watching:
            watch_deployment(client, full_name(row), as_json=as_json)


def _asked_before(client: Api, path: str, organization: str | None) -> dict[str, Any]:
    """What PUT was given last; empty if there is no such deployment."""
    try:
        row = client.get(path, organization=organization)
    except ApiProblem as problem:
        if problem.status == _NOT_FOUND:
            return {}
        raise
    return dict(row["asked"])


def _say(client: Api, row: dict[str, Any], *, as_json: bool) -> None:
    for warning in row["warnings"]:
        warn(warning)
    if as_json:
        print_json(row)
        return
    asked = row["asked"]
    say(f"{full_name(row)}  {row['status_label']}  {ready_of_wanted(row)}")
    settings = client_settings()
    for line in endpoint(client.url, row["model"], asked["task"], asked["organization"], settings):
        say(line)
    if not asked["max_replicas"] and not asked["schedule"]:
        to_allow = f"{program()} deployments scale {full_name(row)} --max 1"
        note(f"It may have no replicas, and no request wakes it. To allow some: {to_allow}")
    elif not row["ready"]:
        held = f"It waits up to {lasted(asked['hold'])}, or as long as X-Wait-For-Ready says."
        at_zero = not row["wanted"] and not asked["min_replicas"]
        first = "The first request wakes it." if at_zero else "A request waits until a replica is ready."
        note(f"{first} {held} To watch it: {program()} deployments watch {full_name(row)}")


def _name_for(model: str) -> str:
    """`Qwen/Qwen2.5-0.5B-Instruct` → `qwen2.5-0.5b-instruct`."""
    name = _NOT_IN_NAMES.sub("-", model.rpartition("/")[2].lower()).strip("-.")
    return name[:_LONGEST_NAME] or "model"
