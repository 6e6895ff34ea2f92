"""Machines that exist already, reached over SSH: no cloud, no bill, a claim on the machine itself instead of a tag."""

from services.provisioner.providers.machines.inventory import Inventory, InventoryInvalid, inventory_at
from services.provisioner.providers.machines.provider import MachinesProvider

__all__ = ["Inventory", "InventoryInvalid", "MachinesProvider", "inventory_at"]
