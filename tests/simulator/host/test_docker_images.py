"""The simulated registry has what admission and preflight may choose."""

import json
from pathlib import Path

from services.api.admission import vllm_args
from services.provisioner.install.builds import for_older_drivers
from shared.images import tag_of
from simulator.host.standins.docker_images import TAGS


def test_every_version_whose_options_are_known_can_be_pulled_in_each_of_its_builds() -> None:
    table = json.loads(Path(vllm_args.__file__).with_name("vllm_options.json").read_text())
    images = [f"vllm/vllm-openai:v{version}" for version in table["versions"]]
    builds = [*images, *filter(None, map(for_older_drivers, images))]
    assert len(builds) > len(images)
    assert {str(tag_of(image)) for image in builds} <= TAGS
