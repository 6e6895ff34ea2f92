"""Whether a model may enter the catalogue: not one that a launch would be refused for, whatever the image."""

from services.api.admission.errors import ModelNotServable
from services.api.admission.repository_rules import unloadable
from services.api.admission.serving_rules import never_served
from services.api.catalogue.catalogue import Model
from services.api.catalogue.cataloguing import Cataloguing, Meant
from services.api.catalogue.hub.contents import Contents
from services.api.catalogue.hub.refusals import about_model


class NewModels:
    def __init__(self, cataloguing: Cataloguing) -> None:
        self._cataloguing = cataloguing

    async def check(self, meant: Meant, *, trusted: bool = False) -> None:
        """By the main branch of its repository, for every supported version of vLLM. Raises ModelNotServable.

        `trusted`: workers may run code from the repository. What is in the catalogue stays, and so does a model of
        which the hub does not say in time what it holds: each launch is checked as well.
        """
        if isinstance(meant, Model):
            return
        contents = await self._cataloguing.contents(meant.model, None)
        if not isinstance(contents, Contents):
            return
        if detail := unloadable(contents) or never_served(contents, meant.task, trusted=trusted):
            raise about_model(ModelNotServable, detail)
