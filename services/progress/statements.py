"""The service's SQL, by file name."""

from shared.postgres.statements import statement


def sql(name: str) -> str:
    return statement("services.progress", name)
