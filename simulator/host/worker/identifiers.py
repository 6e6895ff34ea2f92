"""Ids of answers, and the fingerprint of what made them."""

import hashlib
import secrets

from .engine import Engine


def new_id(kind: str, separator: str = "-") -> str:
    return f"{kind}{separator}{secrets.token_hex(8)}"


def fingerprint_of(engine: Engine) -> str:
    """As 0.32 writes it; which part of the configuration goes into the hash is a guess."""
    return f"vllm-{engine.version}-{hashlib.sha256(engine.arguments.model.encode()).hexdigest()[:8]}"
