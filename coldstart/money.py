"""Amounts of money, for people."""


def money(amount: float | None, currency: str | None) -> str:
    """As `0.75 EUR`; empty where nobody knows."""
    return "" if amount is None else f"{amount:.2f} {currency or ''}".rstrip()
