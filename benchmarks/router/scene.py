"""What the worker says and the load expects."""

from uuid import NAMESPACE_DNS, UUID, uuid5

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
ANSWER = "Paris is the capital of France."
ORGANIZATION = "acme"
OFFERING = "acme/chat"
"""Its name for the model: a request that asks for it has to be written anew for the worker."""


def instance_at(host: str) -> UUID:
    """The instance whose worker has this address: the worker needs its certificate, and the router trusts no other."""
    return uuid5(NAMESPACE_DNS, host)
