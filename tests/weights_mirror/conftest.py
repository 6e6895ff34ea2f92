from collections.abc import Generator

import pytest

from tests.s3_server import S3Server, s3_server


@pytest.fixture
def s3() -> Generator[S3Server]:
    with s3_server() as server:
        yield server
