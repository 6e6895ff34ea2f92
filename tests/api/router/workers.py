"""Workers to which nobody connects."""

from uuid import UUID

from services.api.router.table import Worker
from services.api.upstream import Address


def a_worker(number: int) -> Worker:
    return Worker(UUID(int=number), Address(f"127.0.0.{number}", 8000), b"Bearer key")
