"""`coldstart apply` and `coldstart get`, against an installation in memory behind real HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.api_client import Api
from coldstart.cli import app
from coldstart.commands import asking
from tests.coldstart.fake_api import FakeApi, problem, values
from tests.coldstart.fake_installation import FakeInstallation
from tests.coldstart.told import MODEL

FILE = f"""\
kind: Deployment
name: chat
organization: acme
model: acme/chat
instance_types: [L4-1-24G, H100-1-80G]
min_replicas: 1
max_replicas: 3
---
kind: KeyLimits
name: backend
organization: acme
requests_per_minute: 600
---
kind: Offering
organization: acme
code: chat
model: {MODEL}
---
kind: Organization
slug: acme
max_instances: 4
---
kind: Model
model: {MODEL}
"""


@pytest.fixture
def installation(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeInstallation:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")
    installation = FakeInstallation()
    api.otherwise = installation.answer
    return installation


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "acme.yaml"
    path.write_text(FILE)
    return path


def run(*words: str | Path, typed: str = "") -> Any:
    return CliRunner().invoke(app, [str(word) for word in words], input=typed)


def addresses(installation: FakeInstallation) -> list[str]:
    return [f"{method} {path}" for method, path, _ in installation.writes]


def test_everything_is_made_in_the_order_in_which_it_needs_each_other(
    installation: FakeInstallation, file: Path
) -> None:
    result = run("apply", "-f", file)
    assert addresses(installation) == [
        "POST /organizations",
        "POST /models",
        "POST /organizations/acme/offerings",
        "PUT /deployments/chat",
    ]
    assert result.stdout.splitlines() == [
        "+ organisation acme",
        "    max_instances: 4",
        f"+ model {MODEL}",
        "+ offering acme/chat",
        f"    model: {MODEL}",
        "+ deployment acme/chat  (0.75 to 7.50 EUR an hour)",
        "    model: acme/chat",
        "    instance_types: L4-1-24G; H100-1-80G",
        "    min_replicas: 1",
        "    max_replicas: 3",
        "These deployments cost 0.75 to 7.50 EUR an hour, at list price.",
        "4 to create.",
        "organisation acme  created",
        f"model {MODEL}  created",
        "offering acme/chat  created",
        "deployment acme/chat  created",
    ]
    missing = "limits of the key acme/backend: name: there is no such key. Make it, and apply again: "
    assert result.stderr == f"{file}:10: {missing}coldstart keys create backend --organization acme.\n"
    assert result.exit_code == 1


def test_the_second_time_nothing_differs_and_nothing_is_changed(installation: FakeInstallation, file: Path) -> None:
    run("apply", "-f", file)
    installation.has_key("backend", "acme")
    first = run("apply", "-f", file)
    assert first.stdout.splitlines()[:2] == [
        "~ limits of the key acme/backend",
        "    requests_per_minute: none → 600",
    ]
    installation.writes.clear()
    again = run("apply", "-f", file)
    assert (again.exit_code, again.stderr, installation.writes) == (0, "", [])
    assert again.stdout.splitlines() == [
        "These deployments cost 0.75 to 7.50 EUR an hour, at list price.",
        "Nothing differs.",
    ]


def test_what_changed_is_told_field_by_field_and_a_dry_run_changes_nothing(
    installation: FakeInstallation, file: Path
) -> None:
    run("apply", "-f", file)
    installation.has_key("backend", "acme", requests_per_minute=600)
    installation.writes.clear()
    changed = FILE.replace("max_replicas: 3", "max_replicas: 5\nscale_to_zero_after: null\nrollout: {surge: 2}")
    changed = changed.replace("instance_types: [L4-1-24G, H100-1-80G]", "instance_types: any")
    file.write_text(changed.replace("max_instances: 4", "at_limit: drain"))
    dry = run("apply", "-f", file, "--dry-run")
    assert (dry.exit_code, installation.writes) == (0, [])
    assert dry.stdout.splitlines() == [
        "~ organisation acme",
        "    max_instances: 4 → none",
        "    at_limit: warn → drain",
        "~ deployment acme/chat  (0.75 to 3.75 EUR an hour)",
        "    instance_types: L4-1-24G; H100-1-80G → any",
        "    max_replicas: 3 → 5",
        "    scale_to_zero_after: 900 → none",
        "    rollout.surge: 1 → 2",
        "These deployments cost 0.75 to 3.75 EUR an hour, at list price.",
        "2 to change. Nothing was changed.",
    ]
    assert run("apply", "-f", file).exit_code == 0
    assert addresses(installation) == ["PATCH /organizations/acme", "PUT /deployments/chat"]
    body = installation.writes[-1][2]
    assert (body["organization"], body["scale_to_zero_after"], body["rollout"]["surge"]) == ("acme", None, 2)


def test_what_a_file_leaves_to_the_api_stays_when_something_else_changes(
    installation: FakeInstallation, file: Path
) -> None:
    run("apply", "-f", file)
    assert {"task", "provider"} & installation.writes[-1][2].keys() == set()
    installation.deployments["acme", "chat"]["asked"] |= {"task": "embed", "provider": "machines"}
    file.write_text(FILE.replace("max_replicas: 3", "max_replicas: 4"))
    assert run("apply", "-f", file).stdout.splitlines()[1:2] == ["    max_replicas: 3 → 4"]
    body = installation.writes[-1][2]
    assert (body["task"], body["provider"], body["max_replicas"]) == ("embed", "machines", 4)


def test_a_plan_for_a_script_is_json(installation: FakeInstallation, file: Path) -> None:
    told = json.loads(run("apply", "-f", file, "--dry-run", "--json").stdout)
    assert [(change["action"], change["kind"]) for change in told["changes"]] == [
        ("create", "Organization"),
        ("create", "Model"),
        ("create", "Offering"),
        ("create", "Deployment"),
    ]
    assert told["hourly_costs"] == {"deployment acme/chat": {"least": 0.75, "most": 7.5, "currency": "EUR"}}
    assert (told["dry_run"], installation.writes) == (True, [])
    assert len(told["missing"]) == 1


@pytest.mark.usefixtures("installation")
def test_a_file_that_is_wrong_is_refused_before_anything_is_asked(api: FakeApi, file: Path) -> None:
    file.write_text(FILE + "code: x\n---\nkind: Nothing\n")
    result = run("apply", "-f", file)
    assert (result.exit_code, result.stdout, api.asked) == (2, "", [])
    assert f"{file}:25: model {MODEL}: code: there is no such field." in result.stderr
    assert f"{file}:27: there is no kind 'Nothing'." in result.stderr


@pytest.mark.parametrize(
    ("wrong", "line", "said"),
    [
        (f"kind: Model\nmodel: {MODEL}\ntask: embed\n", 3, "the catalogue has it for the task generate"),
        ("kind: Deployment\nname: x\norganization: none\nmodel: a/b\n", 3, "there is no organisation none."),
        ("kind: KeyLimits\nname: twin\n", 2, "2 keys have this name. Set their limits by id: coldstart keys update"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line_and_nothing_is_changed(
    installation: FakeInstallation, file: Path, wrong: str, line: int, said: str
) -> None:
    file.write_text(f"kind: Model\nmodel: {MODEL}\n")
    run("apply", "-f", file)
    for _ in range(2):
        installation.has_key("twin")
    installation.writes.clear()
    file.write_text(f"{wrong}---\nkind: Organization\nslug: acme\n")
    result = run("apply", "-f", file)
    assert (result.exit_code, result.stdout, installation.writes) == (2, "", [])
    assert result.stderr.startswith(f"{file}:{line}: ")
    assert said in result.stderr


def test_a_refusal_of_the_api_is_told_at_the_line_of_its_field_and_what_is_left_is_said(
    api: FakeApi, installation: FakeInstallation, file: Path
) -> None:
    errors = [{"pointer": "/instance_types/1", "detail": "it is not offered."}, {"pointer": "/hold", "detail": "no."}]
    api.says("PUT", "/deployments/chat", values({"title": "The request is not valid", "errors": errors}, 422))
    result = run("apply", "-f", file)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "warning: 1 of 4 changes is left. The same command goes on from there.",
        f"{file}:5: deployment acme/chat: instance_types.1: it is not offered.",
        f"{file}:1: deployment acme/chat: hold: no.",
    ]
    api.says("PUT", "/deployments/chat", problem(409, "Not now", "Try later."))
    assert f"{file}:1: deployment acme/chat: Not now: Try later." in run("apply", "-f", file).stderr
    del api.answers["PUT", "/deployments/chat"]
    assert "1 to create." in run("apply", "-f", file).stdout
    assert addresses(installation) == [
        "POST /organizations",
        "POST /models",
        "POST /organizations/acme/offerings",
        "PUT /deployments/chat",
    ]


def test_what_no_file_declares_is_deleted_only_with_prune_and_consent(
    installation: FakeInstallation, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("apply", "-f", file)
    installation.has_key("backend", "acme", requests_per_minute=600)
    others = "kind: Organization\nslug: old\n---\nkind: Offering\norganization: old\ncode: x\nmodel: gpt2\n---\n"
    file.write_text(f"{others}kind: Model\nmodel: gpt2\n---\nkind: Deployment\nname: old\nmodel: gpt2\n---\n{FILE}")
    run("apply", "-f", file)
    installation.has_key("another")
    installation.writes.clear()
    file.write_text(FILE)
    assert "Nothing differs." in run("apply", "-f", file).stdout
    refused = run("apply", "-f", file, "--prune")
    assert (refused.exit_code, installation.writes) == (2, [])
    assert refused.stdout.splitlines()[:4] == [
        "- deployment old",
        "- offering old/x",
        "- model gpt2",
        "- organisation old",
    ]
    question = "Delete deployment old, offering old/x, model gpt2, organisation old?"
    assert f"{question} Deployments end with their replicas" in refused.stderr
    monkeypatch.setattr(asking, "somebody_is_there", lambda: True)
    assert run("apply", "-f", file, "--prune", typed="n\n").exit_code == 1
    assert installation.writes == []
    assert run("apply", "-f", file, "--prune", typed="y\n").exit_code == 0
    assert [one.partition("?")[0] for one in addresses(installation)] == [
        "DELETE /deployments/old",
        "DELETE /organizations/old/offerings/x",
        f"DELETE /models/{installation.writes[2][1].rpartition('/')[2]}",
        "DELETE /organizations/old",
    ]
    assert len(installation.keys) == 2


def test_prune_leaves_what_lives_what_is_needed_and_kinds_that_no_file_has(
    installation: FakeInstallation, file: Path
) -> None:
    run("apply", "-f", file)
    owner = installation.organizations["acme"]["id"]
    installation.instances.append({"id": "i", "organization_id": owner, "model": MODEL, "status": "ready"})
    installation.writes.clear()
    file.write_text("kind: Organization\nslug: other\n---\nkind: Model\nmodel: gpt2\n")
    result = run("apply", "-f", file, "--prune", "--yes")
    assert result.exit_code == 0
    assert addresses(installation) == ["POST /organizations", "POST /models"]
    assert result.stderr.splitlines() == [
        f"model {MODEL} is not declared, but stays: it has 1 living instance, offering acme/chat needs it.",
        "organisation acme is not declared, but stays: it has 1 living instance, deployment acme/chat needs it.",
    ]


def test_what_a_file_names_is_not_pruned(installation: FakeInstallation, file: Path) -> None:
    run("apply", "-f", file)
    installation.writes.clear()
    deployment = "kind: Deployment\nname: chat\norganization: acme\nmodel: acme/chat\nmin_replicas: 1\n"
    file.write_text(f"kind: Model\nmodel: gpt2\n---\n{deployment}---\nkind: Organization\nslug: other\n")
    told = run("apply", "-f", file, "--prune", "--dry-run").stderr
    assert f"model {MODEL} is not declared, but stays: offering acme/chat needs it, " in told
    assert "organisation acme is not declared, but stays: deployment acme/chat needs it, a file names it." in told


def test_a_model_may_be_named_by_its_offering_its_id_or_in_other_letters(
    installation: FakeInstallation, file: Path
) -> None:
    run("apply", "-f", file)
    installation.has_key("backend", "acme", requests_per_minute=600)
    installation.deployments["acme", "chat"]["asked"]["model"] = MODEL  # as the api has it: what it means
    its_id = installation.models[MODEL]["id"]
    for name in ("acme/chat", MODEL.lower(), its_id):
        file.write_text(
            FILE.replace("model: acme/chat", f"model: {name}").replace(f"model: {MODEL}", f"model: {name}", 0)
        )
        assert "Nothing differs." in run("apply", "-f", file).stdout, name
    file.write_text(FILE.replace("model: acme/chat", "model: gpt2"))
    assert f"    model: {MODEL} → gpt2" in run("apply", "-f", file, "--dry-run").stdout


@pytest.mark.usefixtures("installation")
def test_the_cost_of_any_type_is_that_of_the_cheapest_and_a_schedule_counts(file: Path) -> None:
    turn = "{cron: 0 8 * * *, min_replicas: 0, max_replicas: 10}"
    file.write_text(f"kind: Deployment\nname: a\nmodel: gpt2\nmin_replicas: 1\nmax_replicas: 2\nschedule: [{turn}]\n")
    assert "+ deployment a  (0.00 to 7.50 EUR an hour)" in run("apply", "-f", file, "--dry-run").stdout
    file.write_text("kind: Deployment\nname: a\nmodel: gpt2\nzones: [pl-waw-2]\nmin_replicas: 1\n")
    assert "+ deployment a  (2.50 EUR an hour)" in run("apply", "-f", file, "--dry-run").stdout
    file.write_text("kind: Deployment\nname: a\nmodel: gpt2\ninstance_types: [B300-8]\n")
    result = run("apply", "-f", file, "--dry-run")
    assert ("+ deployment a\n" in result.stdout, result.exit_code) == (True, 0)
    assert result.stderr == "warning: The price of deployment a is not known.\n"


def test_what_names_something_that_prune_deletes_is_told_before_the_question(
    installation: FakeInstallation, file: Path
) -> None:
    run("apply", "-f", file)
    installation.has_key("backend", "acme", allowed_models=["acme/chat"])
    installation.writes.clear()
    file.write_text(f"kind: Offering\norganization: acme\ncode: other\nmodel: {MODEL}\n")
    told = run("apply", "-f", file, "--prune").stderr
    warning = "limits of the key acme/backend: allowed_models names offering acme/chat, which is to be deleted. "
    warning += "Name another, or declare it."
    assert told.startswith(f"warning: {warning}\n")
    assert told.index("Delete offering acme/chat?") > len(warning)
    assert installation.writes == []
    in_json = json.loads(run("apply", "-f", file, "--prune", "--dry-run", "--json").stdout)
    assert warning in in_json["warnings"]


def test_an_offering_of_a_deployment_is_made_after_it_and_deleted_before_it(
    installation: FakeInstallation, file: Path
) -> None:
    owner = "kind: Organization\nslug: acme\n---\n"
    deployment = "kind: Deployment\nname: chat\norganization: acme\nmodel: gpt2\n---\n"
    offering = "kind: Offering\norganization: acme\ncode: best\nmodel: chat\n---\n"
    file.write_text(offering + deployment + owner)
    assert run("apply", "-f", file).exit_code == 0
    made = ["POST /organizations", "PUT /deployments/chat", "POST /organizations/acme/offerings"]
    assert addresses(installation) == made
    assert installation.offerings["acme", "best"]["model"] == "gpt2"
    assert "Nothing differs." in run("apply", "-f", file).stdout
    assert "model: chat" in run("get", "offerings").stdout
    installation.writes.clear()
    file.write_text(owner + (deployment + offering).replace("chat", "other").replace("best", "new"))
    assert run("apply", "-f", file, "--prune", "--yes").exit_code == 0
    assert [one.partition("?")[0] for one in addresses(installation)[2:]] == [
        "DELETE /organizations/acme/offerings/best",
        "DELETE /deployments/chat",
    ]


def test_a_deployment_that_only_ends_is_not_there_any_more(installation: FakeInstallation, file: Path) -> None:
    run("apply", "-f", file)
    installation.deployments["acme", "chat"]["status"] = "deleted"
    assert run("get", "deployments").stdout == ""
    assert "+ deployment acme/chat" in run("apply", "-f", file, "--prune", "--dry-run").stdout


def test_declarations_come_from_standard_input(installation: FakeInstallation) -> None:
    assert run("apply", "-f", "-", typed="kind: Organization\nslug: acme\n").exit_code == 0
    assert addresses(installation) == ["POST /organizations"]
    wrong = run("apply", "-f", "-", typed="kind: Organization\nslug: A\n")
    assert wrong.stderr.startswith("standard input:2: organisation A: slug: 'A' may have lower-case letters")


def test_what_there_is_is_written_as_apply_takes_it(installation: FakeInstallation, file: Path) -> None:
    run("apply", "-f", file)
    installation.has_key("backend", "acme", requests_per_minute=600)
    assert run("get", "deployments", "acme/chat").stdout.splitlines() == [
        "---",
        "kind: Deployment",
        "organization: acme",
        "name: chat",
        "model: acme/chat",
        "task: generate",
        "provider: scaleway",
        "instance_types:",
        "- L4-1-24G",
        "- H100-1-80G",
        "min_replicas: 1",
        "max_replicas: 3",
    ]
    assert json.loads(run("get", "orgs", "-o", "json").stdout) == [
        {"kind": "Organization", "slug": "acme", "max_instances": 4}
    ]
    for kind in ("models", "orgs", "offerings", "keys", "deployments"):
        for form in ("yaml", "json"):
            file.write_text(run("get", kind, "-o", form).stdout)
            assert "Nothing differs." in run("apply", "-f", file).stdout


def test_get_says_what_it_cannot_write(installation: FakeInstallation) -> None:
    for _ in range(2):
        installation.has_key("twin")
    twins = run("get", "keys")
    assert (twins.exit_code, twins.stdout) == (0, "")
    assert twins.stderr == "warning: 2 keys are called 'twin', so no file can say which. They are left out.\n"
    nobody = run("get", "models", "gpt2")
    assert (nobody.exit_code, nobody.stdout) == (1, "")
    assert nobody.stderr == "there is no 'gpt2' among the models. `coldstart get models` writes all of them.\n"
    assert run("get", "clouds").exit_code == 2


@pytest.mark.usefixtures("installation")
def test_whoever_interrupts_it_reads_what_is_left(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Api, "put", interrupted)
    result = run("apply", "-f", file)
    assert result.exit_code == 130
    assert result.stderr.startswith("warning: 1 of 4 changes is left. The same command goes on from there.")
