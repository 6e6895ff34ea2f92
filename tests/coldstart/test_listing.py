import io
from datetime import timedelta

import pytest
from rich.console import Console

from coldstart.listing import listed
from coldstart.waiting import briefly
from shared.description import InstanceView
from tests.coldstart.told import BEGAN, a_view, an_eta

LONG = "an-organisation-with-a-long-name/A-Model-With-A-Very-Long-Name-70B-Instruct-FP8-dynamic"
ERROR = {"code": "c", "message": "The server is gone, and with it all that was on it."}
LONGEST = a_view("provisioning_failed", "SshReachable", 50, model=LONG, instance_type="L40S-8-48G")


def drawn(width: int, *views: InstanceView, wide: bool) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(listed(views or (LONGEST, a_view()), wide=wide))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 139])
def test_nothing_is_cut_off_in_a_narrow_terminal(width: int) -> None:
    lines = drawn(width, wide=False)
    assert all(len(line) <= width for line in lines)
    column = lines[0].index("name, model")
    ends = lines[0].index("type")
    assert LONG in "".join(line[column:ends].strip() for line in lines)
    assert "…" not in "".join(lines)
    assert "provisioning failed" in lines[1]
    assert "50 % connecting over SSH" in lines[2]


@pytest.mark.parametrize("wide", [True, False])
def test_when_it_will_be_ready_is_told_of_what_is_on_its_way(*, wide: bool) -> None:
    eta = an_eta(125, 235)
    console = Console(file=io.StringIO(), width=200)
    console.print(listed([a_view("installing", "SshInstallStarted", 55, eta=eta), a_view()], wide=wide))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count(briefly(eta)) == 1


@pytest.mark.parametrize("wide", [True, False])
def test_when_what_it_waits_for_is_tried_next_is_told_instead(*, wide: bool) -> None:
    at = BEGAN + timedelta(days=9_999)
    delay = {"action": "create", "number": 1, "code": "out_of_stock", "reason": "no L4", "next_try_at": at}
    console = Console(file=io.StringIO(), width=200)
    console.print(listed([a_view("provisioning", "InstanceRequested", 5, delay=delay)], wide=wide))
    assert isinstance(console.file, io.StringIO)
    assert f"next try at {at.astimezone():%H:%M:%S}" in console.file.getvalue()


@pytest.mark.parametrize("wide", [True, False])
def test_where_it_is_what_it_is_doing_and_why_it_failed_is_told_as_everywhere(*, wide: bool) -> None:
    lost = a_view("unavailable", zone=None)
    failed = a_view("failed", error=ERROR)
    console = Console(file=io.StringIO(), width=200 if wide else 80)
    console.print(listed([lost, failed], wide=wide))
    assert isinstance(console.file, io.StringIO)
    words = " ".join(console.file.getvalue().split())
    for told in ("scaleway", "fr-par-2", "100 % not answering", "failed"):
        assert told in words.replace("100 %  not", "100 % not")
    assert "InstanceReady" not in words
    assert all(word in words for word in ERROR["message"].split())


def test_where_there_is_room_each_instance_is_one_line() -> None:
    lines = drawn(10_000, wide=True)
    assert len(lines) == 3
    assert LONG in lines[1]


@pytest.mark.parametrize(("model", "said"), [("", "builds a machine image"), ("a/b", "a machine image with a/b")])
@pytest.mark.parametrize("wide", [False, True])
def test_a_build_of_a_machine_image_is_told_apart(model: str, said: str, *, wide: bool) -> None:
    build = a_view(purpose="machine_image", model=model)
    assert said in "\n".join(drawn(180, build, wide=wide))
