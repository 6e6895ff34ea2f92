"""Services tell the time by the one clock: whoever asks the machine's own may be wrong by minutes."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
OWN: Final = re.compile(r"datetime\.now\b|time\.time\b|utcnow\b")
ALLOWED: Final = {
    "shared/clock.py": "it is the clock",
    "shared/bus/dead_letters.py": "only where the server gives no time",
    "shared/journal/histories.py": "only where the server gives no time",
    "services/provisioner/providers/scaleway/sdk.py": "compared with the time of a cloud's server",
}


def test_no_service_asks_its_machine_s_clock() -> None:
    files = [path for folder in ("services", "shared") for path in (ROOT / folder).rglob("*.py")]
    asking = {str(path.relative_to(ROOT)) for path in files if OWN.search(path.read_text())}
    assert asking == set(ALLOWED)
