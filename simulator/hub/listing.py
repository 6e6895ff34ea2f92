"""`GET /api/models` of the hub: which models, in what order, how much of each, and where the next page begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

from simulator.hub.models import Model

_MOST: Final = 1000
_SORTS: Final = frozenset({"createdAt", "downloads", "lastModified", "likes", "trendingScore"})
_WITHOUT_EXPAND: Final = ("private", "downloads", "likes", "library_name", "tags", "pipeline_tag", "createdAt")
_OF_ONE_ONLY: Final = frozenset({"baseModels", "childrenModelCount", "usedStorage"})
"""What the real hub expands for one model but for no list (huggingface_hub's pull request 3182)."""


class Refused(Exception):
    """The query asks for something that the hub does not have."""


class Query(Protocol):
    """A request's query: names may occur more than once."""

    def getall(self, key: str, default: list[str]) -> list[str]: ...
    def get(self, key: str, default: str) -> str: ...


@dataclass(frozen=True)
class Listing:
    """`offset`: how many were on earlier pages. Everything is in descending order; equals keep the hub's order."""

    words: tuple[str, ...]
    sort: str
    limit: int
    expand: tuple[str, ...]
    offset: int

    @classmethod
    def of(cls, query: Query) -> Self:
        """Raises Refused."""
        limit, cursor, sort = query.get("limit", str(_MOST)), query.get("cursor", "0"), query.get("sort", "createdAt")
        if not (limit.isdecimal() and int(limit) and cursor.isdecimal()):
            raise Refused("limit and cursor are numbers")
        if sort not in _SORTS:
            raise Refused(f"Invalid sort: {sort}")
        expand = tuple(query.getall("expand", []) + query.getall("expand[]", []))
        words = tuple(query.get("search", "").casefold().split())
        return cls(words, sort, min(int(limit), _MOST), expand, int(cursor))

    def page(self, models: Sequence[Model]) -> tuple[list[dict[str, Any]], str | None]:
        """The items, and the cursor of the next page. Raises Refused."""
        found = [model for model in models if all(word in model.id.casefold() for word in self.words)]
        found.sort(key=lambda model: model.properties().get(self.sort, 0), reverse=True)
        end = self.offset + self.limit
        return [self._item(model) for model in found[self.offset : end]], str(end) if end < len(found) else None

    def _item(self, model: Model) -> dict[str, Any]:
        properties = model.properties()
        if unknown := [name for name in self.expand if name not in properties or name in _OF_ONE_ONLY]:
            raise Refused(f"the simulated hub does not expand {', '.join(unknown)} in a list")
        shown = {name: properties[name] for name in self.expand or _WITHOUT_EXPAND}
        known = {name: value for name, value in shown.items() if value is not None}
        return {"_id": model.sha[:24], "id": model.id, "modelId": model.id, **known}
