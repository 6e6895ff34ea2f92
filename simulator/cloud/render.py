"""Resources as Scaleway's JSON. Each has every field that the Python SDK's type reads, and no other."""

from datetime import datetime
from typing import Any

from simulator.cloud import scratch
from simulator.cloud.account import Account
from simulator.cloud.catalog import BOOT_VOLUME_BYTES, BootImage, ServerType
from simulator.cloud.resources import Ip, Rule, SecurityGroup, Server, ServerState, Volume, new_id, now

Json = dict[str, Any]

ALLOWED_ACTIONS = {
    ServerState.STOPPED: ["poweron", "backup"],
    ServerState.RUNNING: ["poweroff", "terminate", "reboot", "stop_in_place", "backup"],
    ServerState.STARTING: ["stop_in_place", "backup"],
    ServerState.STOPPING: ["stop_in_place", "backup"],
}
"""Recorded, some of which the simulator does not do (packer-plugin-scaleway, packer-e2e-simple, interactions 4-14)."""


def server(account: Account, shown: Server, *, listed: bool = False) -> Json:
    public_ips = [_server_ip(ip, shown) for ip in shown.ips]
    return {
        "id": shown.id,
        "name": shown.name,
        "hostname": shown.name,
        "organization": account.organization_id,
        "project": account.project_id,
        "allowed_actions": [] if shown.terminating else ALLOWED_ACTIONS[shown.state],
        "tags": list(shown.listed_tags if listed else shown.tags),
        "commercial_type": shown.type.name,
        "creation_date": _date(shown.created_at),
        "modification_date": _date(shown.modified_at),
        "dynamic_ip_required": shown.dynamic_ip_required,
        "routed_ip_enabled": True,
        "enable_ipv6": False,
        "image": image(account, shown.image, shown.zone, shown.created_at),
        "protected": shown.protected,
        "private_ip": None,
        "public_ip": public_ips[0] if public_ips else None,
        "public_ips": public_ips,
        "mac_address": shown.mac_address,
        "state": shown.state.value,
        "state_detail": shown.state_detail,
        "location": _location(shown) if shown.state is not ServerState.STOPPED else None,
        "ipv6": None,
        "boot_type": "local",
        "volumes": {slot: _attached(account, shown, volume) for slot, volume in scratch.slots(shown).items()},
        "security_group": {"id": shown.security_group.id, "name": shown.security_group.name},
        "maintenances": [],
        "arch": "x86_64",
        "placement_group": None,
        "private_nics": [],
        "zone": shown.zone,
        "filesystems": [],
        "end_of_service": False,
        "admin_password_encryption_ssh_key_id": None,
        "admin_password_encrypted_value": None,
        "dns": f"{shown.id}.pub.instances.scw.cloud" if public_ips else None,
    }


def task(action: str, shown: Server) -> Json:
    return {
        "id": new_id(),
        "description": "server_batch_poweron" if action == "poweron" else f"server_{action}",
        "status": "pending",
        "progress": 0,
        "href_from": f"/servers/{shown.id}/action",
        "href_result": f"/servers/{shown.id}",
        "started_at": _date(now()),
        "terminated_at": None,
        "zone": shown.zone,
    }


def block_volume(account: Account, volume: Volume) -> Json:
    references = []
    if volume.server_id is not None:
        references.append(
            {
                "id": volume.reference_id,
                "product_resource_type": "instance_server",
                "product_resource_id": volume.server_id,
                "type": "exclusive",
                "status": "attached",
                "created_at": _date(volume.created_at),
            }
        )
    return {
        "id": volume.id,
        "name": volume.name,
        "type": "sbs_5k",
        "size": volume.size,
        "project_id": account.project_id,
        "references": references,
        "status": volume.status.value,
        "tags": list(volume.tags),
        "zone": volume.zone,
        "created_at": _date(volume.created_at),
        "updated_at": _date(volume.updated_at),
        "parent_snapshot_id": volume.snapshot,
        "specs": {"perf_iops": 5000, "class": "sbs"},
        "last_detached_at": _date(volume.detached_at) if volume.detached_at else None,
        "kms_key_id": None,
    }


def local_volume(account: Account, volume: Volume) -> Json:
    holder = account.all_servers.get(volume.server_id or "")
    return {
        "id": volume.id,
        "name": volume.name,
        "size": volume.size,
        "volume_type": local_type(volume),
        "organization": account.organization_id,
        "project": account.project_id,
        "tags": list(volume.tags),
        "state": "available",
        "zone": volume.zone,
        "export_uri": None,
        "creation_date": _date(volume.created_at),
        "modification_date": _date(volume.updated_at),
        "server": {"id": holder.id, "name": holder.name} if holder else None,
    }


def ip(account: Account, shown: Ip) -> Json:
    holder = account.all_servers.get(shown.server_id or "")
    return {
        "id": shown.id,
        "address": shown.address,
        "reverse": None,
        "server": {"id": holder.id, "name": holder.name} if holder else None,
        "organization": account.organization_id,
        "project": account.project_id,
        "tags": list(shown.tags),
        "type": "routed_ipv4",
        "state": "attached" if holder else "detached",
        "prefix": f"{shown.address}/32",
        "ipam_id": shown.ipam_id,
        "zone": shown.zone,
    }


def security_group(account: Account, group: SecurityGroup) -> Json:
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "enable_default_security": group.enable_default_security,
        "inbound_default_policy": group.inbound_default_policy,
        "outbound_default_policy": group.outbound_default_policy,
        "organization": account.organization_id,
        "project": account.project_id,
        "tags": list(group.tags),
        "organization_default": False,
        "project_default": group.project_default,
        "creation_date": _date(group.created_at),
        "modification_date": _date(group.modified_at),
        "servers": [{"id": server.id, "name": server.name} for server in account.servers_of(group)],
        "stateful": group.stateful,
        "state": "available",
        "zone": group.zone,
    }


def rule(group: SecurityGroup, shown: Rule) -> Json:
    return {
        "id": shown.id,
        "protocol": shown.protocol,
        "direction": shown.direction,
        "action": shown.action,
        "ip_range": shown.ip_range,
        "dest_port_from": shown.dest_port_from,
        "dest_port_to": None if shown.dest_port_to == shown.dest_port_from else shown.dest_port_to,
        "position": shown.position,
        "editable": shown.editable,
        "zone": group.zone,
    }


def server_type(shown: ServerType) -> Json:
    local = {"min_size": 0, "max_size": shown.local_storage}
    return {
        "alt_names": [],
        "arch": "x86_64",
        "ncpus": shown.ncpus,
        "ram": shown.ram,
        "gpu": shown.gpu.count if shown.gpu else 0,
        "gpu_info": {"gpu_manufacturer": "NVIDIA", "gpu_name": shown.gpu.name, "gpu_memory": shown.gpu.memory}
        if shown.gpu
        else None,
        "hourly_price": shown.hourly_price,
        "monthly_price": round(shown.hourly_price * 730, 2),
        "volumes_constraint": local,
        "per_volume_constraint": {"l_ssd": local},
        "scratch_storage_max_size": shown.scratch,
        "scratch_storage_max_volumes_count": 1 if shown.scratch else 0,
        "network": {
            "interfaces": [{"internal_bandwidth": shown.bandwidth, "internet_bandwidth": shown.bandwidth}],
            "sum_internal_bandwidth": shown.bandwidth,
            "sum_internet_bandwidth": shown.bandwidth,
            "ipv6_support": True,
        },
        "capabilities": {"boot_types": ["local", "rescue"], "max_file_systems": 0, "block_storage": True},
        "block_bandwidth": shown.block_bandwidth,
        "end_of_service": False,
    }


def local_image(image: BootImage, zone: str, compatible: list[str]) -> Json:
    return {
        "id": image.id_in(zone),
        "compatible_commercial_types": compatible,
        "arch": "x86_64",
        "zone": zone,
        "label": image.label,
        "type": "instance_sbs" if image.block else "instance_local",
    }


def local_type(volume: Volume) -> str:
    return "scratch" if volume.scratch else "l_ssd"


def _attached(account: Account, holder: Server, volume: Volume) -> Json:
    """A volume as its server shows it: of a block volume the instance API knows little more than the id."""
    known_here = not volume.block
    return {
        "id": volume.id,
        "volume_type": "sbs_volume" if volume.block else local_type(volume),
        "boot": False,  # recorded so for every volume, the boot volume included
        "zone": volume.zone,
        "state": "available",
        "name": volume.name if known_here else None,
        "size": volume.size if known_here else None,
        "server": {"id": holder.id, "name": holder.name} if known_here else None,
        "organization": account.organization_id if known_here else None,
        "project": account.project_id if known_here else None,
        "creation_date": _date(volume.created_at) if known_here else None,
        "modification_date": _date(volume.updated_at) if known_here else None,
        "export_uri": None,
    }


def image(account: Account, shown: BootImage, zone: str, made_at: datetime) -> Json:
    return {
        "id": shown.id_in(zone),
        "name": shown.name,
        "arch": "x86_64",
        "extra_volumes": {},
        "from_server": "",
        "organization": account.organization_id,
        "project": account.project_id,
        "public": shown.snapshot is None,
        "state": "available",
        "tags": [],
        "zone": zone,
        "creation_date": _date(made_at),
        "modification_date": _date(made_at),
        "default_bootscript": None,
        "root_volume": {
            "id": shown.snapshot_in(zone),
            "name": "" if shown.block else shown.name,
            "size": 0 if shown.block else BOOT_VOLUME_BYTES,
            "volume_type": "sbs_snapshot" if shown.block else "l_ssd",
        },
    }


def _server_ip(shown: Ip, holder: Server) -> Json:
    return {
        "id": shown.id,
        "address": shown.address,
        "gateway": shown.address.rsplit(".", 1)[0] + ".254",
        "netmask": "32",
        "family": "inet",
        "dynamic": shown.dynamic,
        "provisioning_mode": "dhcp",
        "tags": list(shown.tags),
        "ipam_id": shown.ipam_id,
        "state": "pending" if holder.state is ServerState.STARTING or holder.booting else "attached",
    }


def _location(shown: Server) -> Json:
    return {"zone_id": shown.zone, "platform_id": "14", "cluster_id": "1", "hypervisor_id": "101", "node_id": "1"}


def _date(at: datetime) -> str:
    return at.isoformat()
