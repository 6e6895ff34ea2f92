"""Makes the changes of a plan, one call each. What was made stays made, so a run that breaks off can be run again."""

from typing import Any

from coldstart.api_client import Api, ApiProblem
from coldstart.declared.differences import Change
from coldstart.declared.files import Declaration
from coldstart.declared.kinds import (
    AnyDeclared,
    DeclaredDeployment,
    DeclaredKeyLimits,
    DeclaredModel,
    DeclaredOffering,
    DeclaredOrganization,
)


def carry_out(client: Api, change: Change) -> None:
    """Raises ApiProblem, which names the file, the line and the field."""
    try:
        if change.action == "delete":
            _delete(client, change.what, change.row["id"])
        else:
            _make(client, change.what, change)
    except ApiProblem as problem:
        raise ApiProblem(_placed(problem, change)) from None


def _make(client: Api, what: AnyDeclared, change: Change) -> None:
    fields, new = dict(what.fields()), change.action == "create"
    match what:
        case DeclaredOrganization(slug=slug):
            if new:
                client.post("/organizations", {"slug": slug, **fields, "insist": what.insist})
            else:
                client.patch(f"/organizations/{slug}", fields)
        case DeclaredModel():
            client.post("/models", {"model": what.model, **_without_open(what, fields)})
        case DeclaredOffering(organization=slug, code=code):
            if new:
                client.post(f"/organizations/{slug}/offerings", {"code": code, **fields})
            else:
                client.patch(f"/organizations/{slug}/offerings/{code}", fields)
        case DeclaredKeyLimits():
            client.patch(f"/api-keys/{change.row['id']}", fields)
        case DeclaredDeployment(name=name, organization=slug):
            as_it_is = {} if new else {field: change.row["asked"][field] for field in what.open}
            owned = {"organization": slug} if slug else {}
            client.put(f"/deployments/{name}", {**as_it_is, **owned, **_without_open(what, fields)})


def _without_open(what: AnyDeclared, fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None or name not in what.open}


def _delete(client: Api, what: AnyDeclared, its_id: str) -> None:
    match what:
        case DeclaredOrganization(slug=slug):
            client.delete(f"/organizations/{slug}")
        case DeclaredModel():
            client.delete(f"/models/{its_id}")
        case DeclaredOffering(organization=slug, code=code):
            client.delete(f"/organizations/{slug}/offerings/{code}")
        case DeclaredDeployment(name=name, organization=slug):
            client.delete(f"/deployments/{name}", organization=slug)
        case DeclaredKeyLimits():
            raise AssertionError("keys are never deleted")


def _placed(problem: ApiProblem, change: Change) -> str:
    declaration = change.declaration
    if declaration is None:
        return f"{change.what.title}: {problem}"
    if not problem.wrong_fields:
        return declaration.mistake((), str(problem))
    return "\n".join(_at(declaration, wrong.pointer, wrong.detail) for wrong in problem.wrong_fields)


def _at(declaration: Declaration, pointer: str, detail: str) -> str:
    """The pointer is a JSON pointer (RFC 6901) into the body, whose fields are named as the declaration's."""
    steps = pointer.removeprefix("/").split("/") if pointer else []
    return declaration.mistake([step.replace("~1", "/").replace("~0", "~") for step in steps], detail)
