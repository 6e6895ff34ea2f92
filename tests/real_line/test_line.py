"""What is asked of a running stack."""

import pytest

from coldstart.api_client import ApiProblem
from real_line.line import answered


def test_an_event_stream_that_stalls_is_asked_again_and_no_other_refusal_is() -> None:
    problems = [ApiProblem("503", title="The event stream does not answer")]

    def ask() -> str:
        if problems:
            raise problems.pop()
        return "ready"

    assert answered(ask) == "ready"
    problems.append(ApiProblem("404", title="Not found"))
    with pytest.raises(ApiProblem, match="404"):
        answered(ask)
