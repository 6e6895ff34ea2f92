"""What a file may declare. A field that is left out has its default, as in the request that would make it."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from services.api.access.api_keys import KeyLimits, ModelName
from services.api.admission.deployment_body import A_DEPLOYMENT, LONGEST_NAME, DeploymentBody
from services.api.admission.launch_body import ANY
from services.api.tenancy.organizations import Limits, Slug
from shared.lifecycle.wish import Task
from shared.plain_text import VISIBLE

NameForPeople: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=100, pattern=VISIBLE, description="One line of visible characters.")
]
NameInAddress: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=64,
        description="Letters, digits, dots, dashes and underscores; the first is a letter or digit.",
    ),
]


class Declared(BaseModel):
    """`open`: fields that say nothing when they are left out; the api then has its own default, or leaves them so.

    `once`: fields that only count when it is made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    open: ClassVar[frozenset[str]] = frozenset()
    once: ClassVar[frozenset[str]] = frozenset()
    noun: ClassVar[str]
    identity: ClassVar[tuple[str, ...]]
    """The fields that say which one it is. They never change."""

    @property
    def title(self) -> str:
        """As `deployment acme/chat`."""
        return f"{self.noun} {'/'.join(value for field in self.identity if (value := getattr(self, field)))}"

    @property
    def owner(self) -> str | None:
        """The slug of its organisation, if it has one."""
        return getattr(self, "organization", None)

    def fields(self) -> Mapping[str, Any]:
        """Everything that can differ, as JSON has it."""
        return self.model_dump(mode="json", exclude={"kind", *self.identity, *self.once})


class DeclaredModel(Declared):
    """A model of the catalogue."""

    noun = "model"
    identity = ("model",)
    open = frozenset({"task", "trust_remote_code"})
    kind: Literal["Model"] = "Model"
    model: Annotated[ModelName, Field(description="Its id on the Hugging Face hub.")]
    task: Annotated[
        Task | None, Field(description="What it is for. Default: as the hub says. It never changes in the catalogue.")
    ] = None
    trust_remote_code: Annotated[
        bool | None, Field(description="Whether workers may run code from its repository. Default: no, or as it was.")
    ] = None


class DeclaredOrganization(Declared, Limits):
    """An organisation and its limits. A limit that is left out is none."""

    noun = "organisation"
    identity = ("slug",)
    once = frozenset({"insist"})
    kind: Literal["Organization"] = "Organization"
    slug: Slug
    name: Annotated[NameForPeople | None, Field(description="A name for people. Default: the slug.")] = None
    insist: Annotated[
        bool, Field(description="Make it even if the slug is a name on the hub, or the hub does not answer.")
    ] = False

    def fields(self) -> Mapping[str, Any]:
        return {**super().fields(), "name": self.name or self.slug}


class DeclaredOffering(Declared):
    """An organisation's own name for a model: its slug, a slash, and `code`."""

    noun = "offering"
    identity = ("organization", "code")
    kind: Literal["Offering"] = "Offering"
    organization: Slug
    code: Annotated[NameInAddress, Field(max_length=100)]
    model: Annotated[
        ModelName, Field(description="Its id on the Hugging Face hub, its UUID, or the name of a deployment of it.")
    ]
    active: Annotated[bool, Field(description="Whether it is served.")] = True


class DeclaredKeyLimits(Declared, KeyLimits):
    """The limits of a key that exists. A limit that is left out is none. Keys are never made or revoked by files."""

    noun = "limits of the key"
    identity = ("organization", "name")
    kind: Literal["KeyLimits"] = "KeyLimits"
    name: Annotated[NameForPeople, Field(description="The key's name.")]
    organization: Annotated[Slug | None, Field(description="The key's organisation (slug), if it has one.")] = None


class DeclaredDeployment(Declared, DeploymentBody):
    """An endpoint that stays: replicas of one model, between a minimum and a maximum."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "Deployment", "name": "chat", **A_DEPLOYMENT}]})
    noun = "deployment"
    identity = ("organization", "name")
    open = frozenset({"task", "provider"})
    kind: Literal["Deployment"] = "Deployment"
    name: Annotated[NameInAddress, Field(max_length=LONGEST_NAME)]

    def fields(self) -> Mapping[str, Any]:
        """An empty list stands for the word "any"."""
        fields = dict(super().fields())
        return fields | {field: [] for field in ("zones", "instance_types") if ANY in fields[field]}


AnyDeclared: TypeAlias = (
    DeclaredModel | DeclaredOrganization | DeclaredOffering | DeclaredKeyLimits | DeclaredDeployment
)
ADAPTER: Final[TypeAdapter[AnyDeclared]] = TypeAdapter(Annotated[AnyDeclared, Field(discriminator="kind")])
IN_ORDER: Final[Mapping[str, type[AnyDeclared]]] = {
    "Organization": DeclaredOrganization,
    "Model": DeclaredModel,
    "Offering": DeclaredOffering,
    "KeyLimits": DeclaredKeyLimits,
    "Deployment": DeclaredDeployment,
}
"""By kind, in the order in which they are made: each may name what stands before it."""


def stage(what: AnyDeclared, deployments: Collection[str]) -> int:
    """When it is made, after what it names. `deployments`: the names of those that offerings may be of."""
    of_a_deployment = isinstance(what, DeclaredOffering) and what.model in deployments
    return len(IN_ORDER) if of_a_deployment else list(IN_ORDER).index(what.kind)
