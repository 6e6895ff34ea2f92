"""The picture and the table of the recorded cold start."""

from xml.etree import ElementTree as ET

from real_line.cold_start_page import DOWNLOAD, PAGE, PICTURE, Bar, bars, drawn, picture, row_seconds
from real_line.cold_start_result import LoadStep, recorded
from tests.real_line.test_cold_start_result import interval, launched

BEFORE = (interval("InstanceRequested", 0, 2), interval("preflight", 2, 3))
VLLM = LoadStep(name="shards", began_s=80, seconds=5)


def test_page_and_picture_are_those_of_the_recorded_run() -> None:
    page = PAGE.read_text()
    assert drawn(page, recorded()) == page
    assert picture(recorded()) == PICTURE.read_text()


def test_the_picture_is_xml_with_a_bar_for_each_piece() -> None:
    measured = recorded()
    tree = ET.fromstring(picture(measured))  # noqa: S314 - our own
    shown = [measured.by_vllm, measured.by_host, *([measured.reinstalled] if measured.reinstalled else [])]
    rects = tree.findall(".//{http://www.w3.org/2000/svg}rect")
    assert len(rects) == sum(bool(bar.seconds) for each in shown for bar in bars(each))


def test_steps_of_one_row_are_one_bar_and_the_weights_have_what_they_had_to_spare() -> None:
    one = launched(
        *BEFORE,
        interval("docker_install", 3, 20),
        interval("nvidia_toolkit", 20, 22),
        interval("image_pull", 22, 60),
        interval("weights", 3, 40, spare=20),
        interval("worker_start", 60, 62),
        interval("SshInstallCompleted", 62, 100),
        loading=(VLLM,),
    )
    assert bars(one) == [
        Bar("order, SSH, checks", 0, 3),
        Bar("Docker, toolkit", 3, 22),
        Bar("image", 22, 60),
        Bar("weights", 3, 40, 20),
        Bar("vLLM", 60, 100),
    ]


def test_what_vllm_downloads_is_taken_out_of_its_own_time() -> None:
    one = launched(
        *BEFORE,
        interval("image_pull", 3, 50),
        interval("worker_start", 50, 100),
        loading=(LoadStep(name=DOWNLOAD, began_s=60, seconds=20), VLLM),
    )
    assert [(bar.row, bar.began_s, bar.ended_s) for bar in bars(one)[2:]] == [
        ("vLLM", 50, 60),
        ("weights", 60, 80),
        ("vLLM", 80, 100),
    ]
    assert row_seconds(one)["vLLM"] == 30
