"""The statements of the service, by file name."""

from shared.postgres.statements import statement


def sql(name: str) -> str:
    return statement("services.webhooks", name)
