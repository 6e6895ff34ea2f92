"""What a new machine gets before it boots. Format: cloud-init's module cc_ssh."""

import json

from shared.secrets import SshKey


def cloud_init(host_key: SshKey, client_public_key: str) -> bytes:
    """A #cloud-config that gives the machine its host key and lets that client in as root; JSON, which is YAML."""
    document = {
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": host_key.private, "ed25519_public": host_key.public},
        "ssh_authorized_keys": [client_public_key],
        "disable_root": False,
        "ssh_pwauth": False,
    }
    return b"#cloud-config\n" + json.dumps(document, indent=1).encode() + b"\n"
