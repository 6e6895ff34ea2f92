"""What is simulated in this installation, and how users see it: in answers, in refusals, on every page."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, TypeAlias, TypeVar

from services.api.refusals import Refused

Part: TypeAlias = Literal["cloud", "hub"]
Reason = TypeVar("Reason", bound=Refused)
_NOTHING_REAL: Final = "No machine is rented and no model is loaded: {} are simulated on this computer."
_FEW_MODELS: Final = "Machines are rented and cost money; the model hub is simulated and knows few models."
_MEANS: Final[dict[tuple[Part, ...], tuple[str, str]]] = {
    ("cloud", "hub"): ("Simulated cloud", _NOTHING_REAL.format("cloud, machines, answers and the model hub")),
    ("cloud",): ("Simulated cloud", _NOTHING_REAL.format("cloud, machines and answers")),
    ("hub",): ("Simulated hub", _FEW_MODELS),
}


class Simulated:
    """`parts`: what is simulated; `models`: asks the hub which models could be served."""

    def __init__(self, parts: Sequence[Part], models: Callable[[], Awaitable[Sequence[str]]]) -> None:
        self._parts = parts
        self._models = models

    async def by_hub(self, refused: Reason) -> Reason:
        """The same refusal; with a simulated hub it also says so, and which models that hub has."""
        if "hub" not in self._parts:
            return refused
        models = await self._models()
        knows = f"; it knows {', '.join(models)}" if models else ""
        return refused.adding(f" This is the simulated hub{knows}.", simulated="hub")

    def by_cloud(self, refused: Reason) -> Reason:
        """The same refusal; with a simulated cloud it also says so."""
        if "cloud" not in self._parts:
            return refused
        return refused.adding(" This is the simulated cloud.", simulated="cloud")


def badge(parts: Sequence[Part]) -> tuple[str, str] | None:
    """The badge in the console's header, and its meaning; None if nothing is simulated."""
    return _MEANS.get(tuple(sorted(set(parts))))
