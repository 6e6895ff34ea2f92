"""Snapshots and images of an account as Scaleway's JSON; see `render`."""

from simulator.cloud.account import Account
from simulator.cloud.render import Json
from simulator.cloud.resources import Image, Snapshot, Volume


def snapshot(account: Account, shown: Snapshot, *, listed: bool = False) -> Json:
    return {
        "id": shown.id,
        "name": shown.name,
        "parent_volume": _parent(account.all_volumes.get(shown.volume_id)),
        "size": shown.size,
        "project_id": account.project_id,
        "created_at": shown.created_at.isoformat(),
        "updated_at": shown.updated_at.isoformat(),
        "references": [] if shown.image_id is None else [_reference(shown, shown.image_id)],
        "status": shown.status.value,
        "tags": list(shown.listed_tags if listed else shown.tags),
        "class": "sbs",
        "zone": shown.zone,
        "public": False,
        "kms_key_id": None,
    }


def image(account: Account, shown: Image, *, listed: bool = False) -> Json:
    return {
        "id": shown.id,
        "name": shown.name,
        "organization": account.organization_id,
        "project": account.project_id,
        "root_volume": {"volume_type": "sbs_snapshot", "id": shown.snapshot_id, "size": 0, "name": ""},
        "extra_volumes": {},
        "public": False,
        "arch": "x86_64",
        "creation_date": shown.created_at.isoformat(),
        "modification_date": shown.created_at.isoformat(),
        "default_bootscript": None,
        "from_server": "",
        "state": shown.state.value,
        "tags": list(shown.listed_tags if listed else shown.tags),
        "zone": shown.zone,
    }


def _parent(volume: Volume | None) -> Json | None:
    """None once it was deleted, as the SDK's type says."""
    if volume is None or volume.deleted_at is not None:
        return None
    return {"id": volume.id, "name": volume.name, "type": "sbs_5k", "status": volume.status.value}


def _reference(shown: Snapshot, image_id: str) -> Json:
    return {
        "id": shown.reference_id,
        "product_resource_type": "instance_image",
        "product_resource_id": image_id,
        "created_at": shown.updated_at.isoformat(),
        "type": "link",
        "status": "attached",
    }
