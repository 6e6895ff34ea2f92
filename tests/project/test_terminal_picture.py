"""The picture of the demonstration: from a real run, and asking no other host."""

import re

from tests.embedded.owners import PROJECT
from tools.terminal_picture import picture

PRINTED = """\
POST /instances: Qwen/Qwen2.5-0.5B-Instruct on L4-1-24G
  5 %  provisioning InstanceRequested
 25 %  provisioning VolumeFound
 25 %  provisioning VolumeResized
100 %  ready        InstanceReady
"""


def words(svg: str) -> str:
    return re.sub(r"<[^>]+>", " ", svg).replace("&#160;", " ")


def test_it_shows_what_was_printed_with_dots_for_what_is_left_out() -> None:
    shown = words(picture(PRINTED))
    assert "VolumeFound" not in shown
    assert shown.count("…") == 1
    assert shown.index("InstanceRequested") < shown.index("…") < shown.index("InstanceReady")


def test_the_one_in_the_readme_asks_no_other_host_and_shows_a_launch_from_order_to_end() -> None:
    svg = (PROJECT / "docs/demo.svg").read_text(encoding="utf-8")
    assert not re.findall(r"(?:url\(|href=)[\"']?https?:", svg)
    for event in ("InstanceRequested", "InstanceReady", "InstanceTerminated", "left at the provider: nothing"):
        assert event in words(svg)
