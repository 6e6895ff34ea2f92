"""Every kind of name, and what it means to which caller: one table for the resolution itself and for `/v1`."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from services.api.catalogue.resolution import Rule
from tests.api.stage import EMBEDDING_MODEL, MODEL

Caller: TypeAlias = Literal["nobody's", "acme's", "openai-community's", "an administrator's"]
EVERYONE: Final[tuple[Caller, ...]] = ("nobody's", "acme's", "openai-community's", "an administrator's")

GATED: Final = "meta-llama/Llama-3.1-8B-Instruct"
LATER: Final = "openai-community/gpt2"
CATALOGUED: Final = (EMBEDDING_MODEL, GATED, LATER)
UNCATALOGUED: Final = MODEL

OFFERED: Final = {
    "acme": {"chat": (EMBEDDING_MODEL, True), "off": (EMBEDDING_MODEL, False)},
    "openai-community": {"chat": (GATED, True), "chat-only-here": (GATED, True), "gpt2": (GATED, True)},
}
"""By slug and code: the model, and whether the offering is active. openai-community/gpt2 was first an offering."""


@dataclass(frozen=True)
class Means:
    model: str
    rule: Rule


_PUBLIC: Final = {model: dict.fromkeys(EVERYONE, Means(model, Rule.PUBLIC)) for model in CATALOGUED}
_OWN: Final[dict[str, dict[Caller, Means]]] = {
    "acme/chat": {"acme's": Means(EMBEDDING_MODEL, Rule.OFFERING)},
    "openai-community/chat": {"openai-community's": Means(GATED, Rule.OFFERING)},
    "openai-community/chat-only-here": {"openai-community's": Means(GATED, Rule.OFFERING)},
}
UNKNOWN: Final = (
    UNCATALOGUED,
    "acme/off",
    "acme/chat-only-here",
    "acme/nothing",
    "nobody/chat",
    "nothing",
    "chat",
    "acme",
    "acme/",
    "/chat",
    "/acme/chat",
    "acme/chat/",
    "acme//chat",
    "acme/chat/more",
    "ACME/chat",
    "acme/Chat",
    "Acme/chat",
    " acme/chat",
    "acme/chat ",
    f"/{EMBEDDING_MODEL}",
    f"{EMBEDDING_MODEL}/",
    EMBEDDING_MODEL.replace("/", "//"),
    EMBEDDING_MODEL.lower(),
    EMBEDDING_MODEL.upper(),
    EMBEDDING_MODEL.partition("/")[0],
    EMBEDDING_MODEL.partition("/")[2],
    "acme\uff0fchat",
    "acme/ch\u0430t",
    "\u00e4cme/chat",
    "\U0001f600/\U0001f600",
    "acme/chat\0",
    "/",
    "//",
    ".",
    "..",
    "../acme/chat",
    "acme%2Fchat",
    "00000000-0000-0000-0000-000000000000",
    "organization_required",
    "x" * 10_000,
    "acme/" + "x" * 10_000,
    "acme/chat" + "/" * 10_000,
)
TABLE: Final[dict[str, dict[Caller, Means]]] = {**_PUBLIC, **_OWN, **{name: {} for name in UNKNOWN}}
"""By name and caller. A caller to whom the name means nothing is left out."""
