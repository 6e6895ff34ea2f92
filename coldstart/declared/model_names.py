"""Which model a name in a file means: its id on the hub, its UUID, or an offering of the organisation."""

from collections.abc import Iterable

from coldstart.declared.installed import Installation
from coldstart.declared.kinds import AnyDeclared, DeclaredOffering


class ModelNames:
    """Offerings that are declared come before those that there are."""

    def __init__(self, declared: Iterable[AnyDeclared], installation: Installation) -> None:
        self._declared = [what for what in declared if isinstance(what, DeclaredOffering)]
        self._installation = installation

    def meant(self, name: str, organization: str | None) -> str:
        """The model's id; the name itself if nobody knows it. Raises ApiProblem."""
        for one in self._installation.models:
            if name in (one.row["id"], one.row["model"]):
                return str(one.row["model"])
        slug, _, code = name.partition("/")
        if slug == organization:
            for what in (*self._declared, *(one.what for one in self._installation.offerings)):
                if isinstance(what, DeclaredOffering) and (what.organization, what.code) == (slug, code):
                    return self.meant(what.model, None)
        return name

    def same(self, name: str, other: str, organization: str | None) -> bool:
        """The hub's ids are the same in other letters."""
        meant = {self.meant(each, organization).casefold() for each in (name, other)}
        return len(meant) == 1
