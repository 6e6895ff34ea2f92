"""`/sign-in` and `/sign-out`: a session for a key, or for a link that works once."""

import re
from typing import Annotated, Any, Final

from litestar import Request, get, post
from litestar.datastructures import Cookie
from litestar.params import QueryParameter
from litestar.response import Redirect, Template

from services.api.access.sessions import Purpose, Sessions
from services.api.catalogue.access_cache import AccessCache
from services.api.console.links import SignInLinks
from services.api.console.origin import from_here
from services.api.console.rendering import HEADERS, bare
from services.api.console.settings import ConsoleSettings
from services.api.console.sign_ins import SignIns
from services.api.control.authorization import OPEN
from services.api.control.dependencies import Provided
from services.api.http.session_cookie import cookie_name

_INSIDE: Final = re.compile(r"/(?![/\\])[^\x00-\x20\x7f]*")
"""An address on this host: two leading slashes, or what browsers take for one, would lead elsewhere."""
_SPENT: Final = "This link has been used, or is too old. Sign in with a key, or ask for another: coldstart console"
_REFUSED: Final = (
    "This is no key of this installation, or no longer. An administrator makes keys: coldstart keys create"
)
_ELSEWHERE: Final = "The form was sent from another page. Please sign in here."


@get("/sign-in", opt=OPEN)
async def sign_in_page(
    *,
    request: Request[Any, Any, Any],
    sign_in_links: Provided[SignInLinks],
    sessions: Provided[Sessions],
    access: Provided[AccessCache],
    sign_ins: Provided[SignIns],
    settings: Provided[ConsoleSettings],
    token: Annotated[str | None, QueryParameter(max_length=300)] = None,
    target: Annotated[str | None, QueryParameter(name="next", max_length=2000)] = None,
) -> Template:
    if token is None:
        return _form(target, None)
    key_id = await sign_in_links.use(token)
    if key_id is None:
        await sign_ins.wrong(request, "link", "spent")
        return _form(target, _SPENT, status=403)
    if owner := access.keys.identified(key_id):
        await sign_ins.succeeded(request, owner, "link")
    begun = sessions.issue(Purpose.SESSION, key_id, settings.session_seconds)
    page = bare("onward", target=_inside(target))  # a redirect would still count as the other site's navigation
    page.cookies = [_cookie(request, begun.text, settings.session_seconds)]
    return page


@post("/sign-in", opt=OPEN, status_code=200)
async def sign_in(
    request: Request[Any, Any, Any],
    access: Provided[AccessCache],
    sign_ins: Provided[SignIns],
    sessions: Provided[Sessions],
    settings: Provided[ConsoleSettings],
) -> Template | Redirect:
    form = await request.form()
    key, target = str(form.get("key", "")).strip(), str(form.get("next", ""))
    if not from_here(request):
        await sign_ins.refused(request, "key", "other_page")
        return _form(target, _ELSEWHERE, status=403)
    owner = access.keys.owner(key)
    if owner is None:
        await sign_ins.wrong(request, "key", "wrong")
        return _form(target, _REFUSED, status=403)
    await sign_ins.succeeded(request, owner, "key")
    begun = sessions.issue(Purpose.SESSION, owner.id, settings.session_seconds)
    cookie = _cookie(request, begun.text, settings.session_seconds)
    return Redirect(_inside(target), status_code=303, cookies=[cookie], headers=HEADERS)


@post("/sign-out", opt=OPEN, status_code=200)
async def sign_out(request: Request[Any, Any, Any]) -> Redirect:
    """Deletes the cookie. A stolen copy would work until it expires, or until its key is revoked."""
    cookies = [_cookie(request, "", 0)] if from_here(request) else []
    return Redirect("/sign-in", status_code=303, cookies=cookies, headers=HEADERS)


def _form(target: str | None, complaint: str | None, *, status: int = 200) -> Template:
    return bare("sign_in", status=status, target=_inside(target), complaint=complaint)


def _inside(target: str | None) -> str:
    return target if target and _INSIDE.fullmatch(target) else "/"


def _cookie(request: Request[Any, Any, Any], value: str, lifetime_s: float) -> Cookie:
    return Cookie(
        cookie_name(request.url.scheme),
        value=value,
        max_age=round(lifetime_s),
        httponly=True,
        secure=request.url.scheme == "https",
        samesite="strict",
    )


ROUTES: Final = (sign_in_page, sign_in, sign_out)
