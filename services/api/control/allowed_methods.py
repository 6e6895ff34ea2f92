"""OPTIONS of every address: the allowed methods."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from litestar import HttpMethod, Response, route
from litestar.handlers import HTTPRouteHandler

from services.api.control.authorization import OPEN


def allowed_methods(routes: Iterable[HTTPRouteHandler]) -> Iterator[HTTPRouteHandler]:
    """A route for each address. They come first: Litestar's own answer knows the methods of one handler only."""
    taken: dict[str, set[str]] = defaultdict(lambda: {"OPTIONS"})
    for handler in routes:
        for path in handler.paths:
            taken[path] |= handler.http_methods
    return (_options_route(path, ", ".join(sorted(methods))) for path, methods in taken.items())


def _options_route(path: str, methods: str) -> HTTPRouteHandler:
    @route(path, http_method=[HttpMethod.OPTIONS], opt=OPEN, status_code=204, include_in_schema=False)
    async def allow() -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": methods})

    return allow
