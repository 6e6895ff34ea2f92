"""The lists of files of the simulated hub's models."""

from services.provisioner.weights.source import WeightsFile, WeightsList
from simulator.hub.files import repository
from simulator.hub.models import MODELS


def listed(model: str) -> WeightsList:
    known = MODELS[model]
    files = [
        WeightsFile(
            path=file.path,
            bytes=file.size,
            blob=file.sha256 or file.blob,
            url=f"https://huggingface.co/{model}/resolve/{known.sha}/{file.path}",
            sha256=file.sha256,
            with_token=True,
        )
        for file in repository(known).values()
    ]
    return WeightsList(known.sha, tuple(files))
