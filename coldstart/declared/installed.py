"""What an api has of what files can declare: as a file would declare it, and as the api answers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import to_json

from coldstart.api_client import ANOTHER_VERSION, Api, ApiProblem
from coldstart.declared.kinds import (
    AnyDeclared,
    Declared,
    DeclaredDeployment,
    DeclaredKeyLimits,
    DeclaredModel,
    DeclaredOffering,
    DeclaredOrganization,
)
from shared.deployments.deployment import DeploymentStatus
from shared.lifecycle.groups import StatusGroup, statuses_of

Row = Mapping[str, Any]
_NOT_FOUND: Final = 404
_OfKind = TypeVar("_OfKind", bound=Declared)


@dataclass(frozen=True)
class Installed:
    """`row`: as the api answers it."""

    what: AnyDeclared
    row: Row


class Installation:
    """What one api has, each list read when it is first asked for. Every method raises ApiProblem."""

    def __init__(self, client: Api) -> None:
        self._client = client

    @cached_property
    def slugs(self) -> Mapping[str, str]:
        """The organisations' slugs, by id."""
        return {row["id"]: row["slug"] for row in self._organizations}

    @cached_property
    def _organizations(self) -> list[Row]:
        return list(self._client.pages("/organizations"))

    @cached_property
    def models(self) -> list[Installed]:
        return [Installed(_model(row), row) for row in self._client.pages("/models")]

    @cached_property
    def organizations(self) -> list[Installed]:
        return [Installed(_organization(row), row) for row in self._organizations]

    @cached_property
    def offerings(self) -> list[Installed]:
        return [
            Installed(_offering(row, slug), row)
            for slug in self.slugs.values()
            for row in self._client.pages(f"/organizations/{slug}/offerings")
            if row["model"] is not None
        ]

    @cached_property
    def keys(self) -> list[Installed]:
        return [Installed(_key(row, self._owner(row)), row) for row in self._client.pages("/api-keys")]

    @cached_property
    def deployments(self) -> list[Installed]:
        """Without those that are deleted, and only end what they still have."""
        rows = (row for row in self._client.pages("/deployments") if row["status"] != DeploymentStatus.DELETED)
        return [Installed(_deployment(row), row) for row in rows]

    @cached_property
    def instances(self) -> list[Row]:
        """Those that are not gone."""
        living = sorted(statuses_of(*(set(StatusGroup) - {StatusGroup.GONE})))
        return list(self._client.pages("/instances", status=living))

    def all(self, kind: str) -> list[Installed]:
        reading: Mapping[str, Callable[[], list[Installed]]] = {
            "Organization": lambda: self.organizations,
            "Model": lambda: self.models,
            "Offering": lambda: self.offerings,
            "KeyLimits": lambda: self.keys,
            "Deployment": lambda: self.deployments,
        }
        return reading[kind]()

    def deployment(self, name: str, organization: str | None) -> Installed | None:
        """Without an organisation: the key's own or, for an administrator, the shared one."""
        if organization not in (None, *self.slugs.values()):
            return None
        try:
            row = self._client.get(f"/deployments/{name}", organization=organization)
        except ApiProblem as problem:
            if problem.status == _NOT_FOUND:
                return None
            raise
        return None if row["status"] == DeploymentStatus.DELETED else Installed(_deployment(row), row)

    def _owner(self, row: Row) -> str | None:
        return self.slugs.get(row["organization_id"])


def _model(row: Row) -> DeclaredModel:
    return _declared(DeclaredModel, model=row["model"], task=row["task"], trust_remote_code=row["trust_remote_code"])


def _organization(row: Row) -> DeclaredOrganization:
    return _declared(DeclaredOrganization, **_fields(DeclaredOrganization, row))


def _offering(row: Row, organization: str) -> DeclaredOffering:
    named = {"model": row.get("deployment") or row["model"]}
    return _declared(DeclaredOffering, organization=organization, **_fields(DeclaredOffering, row) | named)


def _key(row: Row, organization: str | None) -> DeclaredKeyLimits:
    return _declared(DeclaredKeyLimits, organization=organization, **_fields(DeclaredKeyLimits, row))


def _deployment(row: Row) -> DeclaredDeployment:
    asked = {field: value for field, value in row["asked"].items() if value != []}
    return _declared(DeclaredDeployment, name=row["name"], **asked)


def _fields(kind: type[AnyDeclared], row: Row) -> dict[str, Any]:
    """What the row has of the kind's fields, under the same names."""
    return {field: row[field] for field in kind.model_fields if field in row and field not in {"kind", "organization"}}


def _declared(kind: type[_OfKind], **fields: Any) -> _OfKind:
    """Raises ApiProblem for what this version cannot declare."""
    try:
        return kind.model_validate_json(to_json(fields), strict=True)
    except ValidationError as error:
        raise ApiProblem(ANOTHER_VERSION) from error
