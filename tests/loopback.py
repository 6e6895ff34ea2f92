"""What clients of servers on loopback share."""

import ssl
from typing import Final

NO_AUTHORITIES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For httpx, which reads all certificate authorities for each client: 45 ms for nothing where nobody speaks TLS."""
