"""The service's SQL, by the name of its file."""

from shared.postgres.statements import statement


def sql(name: str) -> str:
    return statement("services.progress", name)
