"""The services that routes need, found by type.

Litestar finds them by the parameter's name, and then takes an error in a body's field of that name for our own.
"""

import inspect
from collections.abc import Iterable, Mapping
from copy import copy
from functools import wraps
from typing import Annotated, Any, Final, TypeAlias, TypeVar, get_type_hints

from litestar.handlers import HTTPRouteHandler

Service = TypeVar("Service")
_BY_TYPE: Final = object()
Provided: TypeAlias = Annotated[Service, _BY_TYPE]
"""The annotation of a route's parameter that is a service, whatever its name."""


class Services:
    """One service of each type: the fields of `rooms`, which are dataclasses."""

    def __init__(self, *services: object, rooms: Iterable[object] = ()) -> None:
        self._services = [*services, *(service for room in rooms for service in vars(room).values())]

    def of(self, kind: type[Service]) -> Service:
        """Raises LookupError unless there is exactly one."""
        found = [one for one in self._services if isinstance(one, kind)]
        if len(found) != 1:
            raise LookupError(f"of {kind.__name__} there are {len(found)} for the routes, not one")
        return found[0]


def with_services(handler: HTTPRouteHandler, services: Services) -> HTTPRouteHandler:
    """The same route with its services bound, so that Litestar sees only its other parameters.

    Raises LookupError for a missing service.
    """
    function = handler.fn
    given = {name: services.of(kind) for name, kind in _asked(function).items()}

    @wraps(function)
    async def handle(**arguments: Any) -> Any:
        return await function(**arguments, **given)

    signature = inspect.signature(function)
    left = [parameter for name, parameter in signature.parameters.items() if name not in given]
    handle.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]  # PEP 362: it is read first
    handle.__annotations__ = {name: kind for name, kind in function.__annotations__.items() if name not in given}
    return copy(handler)(handle)


def _asked(function: Any) -> Mapping[str, type[Any]]:
    hints = get_type_hints(function, include_extras=True)
    return {name: hint.__origin__ for name, hint in hints.items() if _BY_TYPE in getattr(hint, "__metadata__", ())}
