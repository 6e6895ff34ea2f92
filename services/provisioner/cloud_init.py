"""What a new machine gets before it boots. Format: cloud-init's modules cc_ssh and cc_write_files."""

import json

from shared.secrets import SshKey


def cloud_init(host_key: SshKey, client_public_key: str) -> bytes:
    """A #cloud-config that gives the machine its host key and lets that client in as root; JSON, which is YAML.

    Some images write root's authorized_keys anew at every boot and when packages are installed. They lose cloud-init's
    `ssh_authorized_keys`, and keep what is in `instance_keys` (scaleway/image-tools, `scw-fetch-ssh-keys`).
    """
    document = {
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": host_key.private, "ed25519_public": host_key.public},
        "ssh_authorized_keys": [client_public_key],
        "write_files": [
            {
                "path": "/root/.ssh/instance_keys",
                "content": f"\n{client_public_key}\n",
                "append": True,
                "permissions": "0600",
            }
        ],
        "disable_root": False,
        "ssh_pwauth": False,
    }
    return b"#cloud-config\n" + json.dumps(document, indent=1).encode() + b"\n"
