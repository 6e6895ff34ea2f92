"""What running as a process means for the process itself."""

import gc

from shared.running import run_once


async def often() -> tuple[int, int, int]:
    return gc.get_threshold()


def test_a_single_command_looks_for_garbage_less_often() -> None:
    usual = gc.get_threshold()
    try:
        objects, *_ = run_once(often())
    finally:
        gc.set_threshold(*usual)
    assert objects > usual[0]
