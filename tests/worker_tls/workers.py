"""A worker's side of the TLS, as uvicorn makes it for vLLM from `--ssl-keyfile` and its like."""

import ssl

from shared.secrets import WorkerCertificates
from shared.worker_tls import show


def server_context(certificates: WorkerCertificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    show(context, certificates.worker)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=certificates.client.certificate)
    return context
