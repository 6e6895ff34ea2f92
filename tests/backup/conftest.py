from tests.progress.conftest import database, stage

__all__ = ["database", "stage"]
