"""Why a model is not served, or a slug is refused.

Refused
├── ModelIdMalformed    it cannot be the id of a model
├── ModelNotOnHub       the hub has no public model of this name
├── ModelPrivate        only its owner may see it on the hub
├── ModelGated          its licence was not accepted
├── ModelDisabled       it was taken down on the hub
├── TaskNotSupported    it neither generates text nor makes embeddings
├── SlugOnHub           somebody on the hub has this name
├── HubTokenRefused     the hub refuses our token
├── HubRateLimited      we have asked the hub too often
└── HubUnavailable      the hub gives no valid answer
"""

from services.api.refusals import Kind, Refused


class ModelIdMalformed(Refused, kind=Kind.INVALID, code="model_id_malformed", title="This is no model id"):
    pass


class ModelNotOnHub(Refused, kind=Kind.INVALID, code="model_not_found", title="There is no such model"):
    pass


class ModelPrivate(Refused, kind=Kind.INVALID, code="model_private", title="The model is private"):
    pass


class ModelGated(Refused, kind=Kind.INVALID, code="model_gated", title="The model is gated"):
    pass


class ModelDisabled(Refused, kind=Kind.INVALID, code="model_disabled", title="The model was taken down"):
    pass


class TaskNotSupported(
    Refused, kind=Kind.INVALID, code="task_not_supported", title="The model's task is not supported"
):
    pass


class SlugOnHub(Refused, kind=Kind.CONFLICT, code="slug_on_hub", title="The slug is a name on the Hugging Face hub"):
    pass


class HubTokenRefused(Refused, kind=Kind.FAILED, code="hub_token_refused", title="The hub refuses our token"):
    pass


class HubRateLimited(
    Refused, kind=Kind.UNAVAILABLE, code="hub_rate_limited", title="The Hugging Face hub is asked too often"
):
    pass


class HubUnavailable(
    Refused, kind=Kind.UNAVAILABLE, code="hub_unavailable", title="The Hugging Face hub does not answer"
):
    pass
