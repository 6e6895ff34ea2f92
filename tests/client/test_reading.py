"""Answers of earlier and later versions of the api are read, too. What is loaded is what is used."""

import subprocess
import sys

import pytest

from coldstart_client import UnexpectedAnswer
from coldstart_client.answers import InstanceView, Purpose, Status
from coldstart_client.reading import read
from tests.coldstart.told import an_instance


def test_what_a_later_version_has_besides_is_kept() -> None:
    instance = read(InstanceView, {**an_instance(), "status": "dreaming", "colour": "blue"})
    assert (instance.status, type(instance.status), instance.status.name) == ("dreaming", Status, "dreaming")
    assert instance.model_extra == {"colour": "blue"}
    assert instance.model_dump(mode="json")["status"] == "dreaming"
    with pytest.raises(UnexpectedAnswer, match="1 fields, first status"):
        read(InstanceView, {**an_instance(), "status": 3})


def test_what_an_earlier_version_does_not_have_yet_is_nothing_or_its_default() -> None:
    row = {name: value for name, value in an_instance().items() if name not in {"purpose", "image", "replica"}}
    instance = read(InstanceView, row)
    assert (instance.purpose, instance.image, instance.replica) == (Purpose.SERVE, None, None)


@pytest.mark.real
def test_the_package_alone_loads_neither_httpx_nor_pydantic() -> None:
    program = "import sys, coldstart_client; print({'httpx', 'pydantic', 'asyncio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.real
def test_the_blocking_client_loads_no_event_loop_of_its_own() -> None:
    program = "import sys, coldstart_client.blocking.connection; print({'pydantic', 'asyncio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
