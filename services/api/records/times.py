"""Until when somebody is remembered, in records that processes may share."""

from services.api.records.records import Records, named


class RecordedTimes:
    """As `Remembered` in `services.api.http.front.addresses`; `purpose` keeps times for different purposes apart."""

    def __init__(self, records: Records, purpose: bytes) -> None:
        self._records = records
        self._purpose = purpose

    def until(self, who: str, now: float) -> float:
        until = self._records.of(named(self._purpose, who.encode()))[0]
        return until if until > now else 0.0

    def remember(self, who: str, until: float) -> None:
        self._records.of(named(self._purpose, who.encode()))[0] = until
