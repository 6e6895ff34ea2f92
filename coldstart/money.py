"""Amounts of money, for people."""


def money(amount: float | None, currency: str | None) -> str:
    """E.g. `0.75 EUR`; empty if unknown."""
    return "" if amount is None else f"{amount:.2f} {currency or ''}".rstrip()
