"""The install's output, while it runs and for a week after: written by the provisioner, read by the api.

It is for people, and not part of the journal. The facts in it are separate events.
"""

from typing import Final, Generic, TypeVar
from uuid import UUID

from nats.js import JetStreamContext
from nats.js.kv import KeyValue
from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.bucket import KeyValueBucket
from shared.plain_text import PlainText

BUCKET: Final = "install_output"
KEPT_S: Final = 7 * 86_400.0
MOST_LINES: Final = 200

Output = TypeVar("Output", bound=BaseModel)


class OutputLine(BaseModel):
    """`number` counts from 1 within its try; `at` is when the provisioner read it. `text` has no secrets."""

    model_config = ConfigDict(frozen=True)
    number: int
    at: AwareDatetime
    text: PlainText


class InstallOutput(BaseModel):
    """The last `MOST_LINES` lines of one try of one attempt."""

    model_config = ConfigDict(frozen=True)
    attempt: int
    install_try: int
    lines: tuple[OutputLine, ...]
    updated_at: AwareDatetime


class Outputs(Generic[Output]):
    """The latest output of each instance, in one key-value bucket."""

    def __init__(
        self, jetstream: JetStreamContext, bucket: str, model: type[Output], *, replicas: int, kept_s: float
    ) -> None:
        self._bucket = KeyValueBucket(jetstream, bucket, replicas, kept_s=kept_s)
        self._model = model
        self._made: KeyValue | None = None

    async def publish(self, instance_id: UUID, output: Output) -> None:
        """Replace this instance's output. Raises nats.errors.Error."""
        self._made = self._made or await self._bucket.make()
        await self._made.put(str(instance_id), output.model_dump_json().encode())

    async def of(self, instance_id: UUID) -> Output | None:
        """None if there is none, or it is too old. Raises nats.errors.Error."""
        value = await self._bucket.get(str(instance_id))
        return None if value is None else self._model.model_validate_json(value)


class InstallOutputs(Outputs[InstallOutput]):
    """What the latest install of each instance printed."""

    def __init__(self, jetstream: JetStreamContext, *, replicas: int) -> None:
        super().__init__(jetstream, BUCKET, InstallOutput, replicas=replicas, kept_s=KEPT_S)
