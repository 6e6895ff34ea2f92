"""Whether an organisation may use a slug: its offerings' names must not collide with present or future public ids."""

from typing import Final

from services.api.catalogue.access_cache import AccessCache
from services.api.catalogue.errors import SlugOnHub
from services.api.catalogue.hub import client as hub
from services.api.catalogue.hub.refusals import unanswered
from services.api.refusals import FieldError

_INSIST: Final = ' Or insist: "insist": true, --insist.'


class Slugs:
    def __init__(self, access: AccessCache, namespaces: hub.Namespaces) -> None:
        self._access = access
        self._hub = namespaces

    async def check(self, slug: str) -> None:
        """Raises Refused, also if the hub does not answer, since then nobody knows."""
        if any(model.model.partition("/")[0].lower() == slug for model in self._access.catalogue):
            raise _on_the_hub(slug, f"Ids of models in the catalogue begin with {slug}/.")
        match await self._hub.has_namespace(slug):
            case True:
                raise _on_the_hub(slug, f"Somebody on the Hugging Face hub is called {slug}.")
            case False:
                return
            case failure:
                raise unanswered(f"the name {slug}", failure, instead=_INSIST)


def _on_the_hub(slug: str, why: str) -> SlugOnHub:
    detail = f"{why} A public model's id wins over an offering's name, so choose another slug."
    detail += f' If {slug} is your own name there, insist: "insist": true, --insist.'
    return SlugOnHub(detail, errors=(FieldError(pointer="/slug", detail=detail),))
