"""`coldstart console`: a link with which a browser signs in."""

from coldstart.api_client import Api
from coldstart.commands.context import api, say


def console() -> None:
    """Print a link that signs in to the console once, within ten minutes. Needs an administrator's key."""
    with api() as client:
        say(sign_in_link(client))


def sign_in_link(client: Api) -> str:
    """Raises ApiProblem."""
    return client.url.rstrip("/") + str(client.post("/sign-in-links")["path"])
