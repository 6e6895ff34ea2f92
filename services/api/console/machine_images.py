"""`/console/machine-images`: the images that launches boot from, and the form that builds one."""

from typing import Any, Final

from litestar import Request, get
from litestar.response import Template

from services.api.access.api_keys import ApiKey
from services.api.console.rendering import Pages
from services.api.control.dependencies import Provided
from shared.lifecycle.wish import DEFAULT_PROVIDER


@get("/console/machine-images")
async def machine_images(request: Request[Any, ApiKey, Any], pages: Provided[Pages]) -> Template:
    return pages.page(request, "machine_images")


@get("/console/machine-images/build")
async def machine_image_form(request: Request[Any, ApiKey, Any], pages: Provided[Pages]) -> Template:
    return pages.page(request, "machine_image_form", default_provider=DEFAULT_PROVIDER)


ROUTES: Final = (machine_images, machine_image_form)
