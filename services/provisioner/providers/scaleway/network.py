"""Each instance has its own security group. If two are created at once, one is used and both are deleted with it."""

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Final, cast
from uuid import UUID

from scaleway.instance.v1 import (
    Ip,
    SecurityGroup,
    SecurityGroupPolicy,
    SecurityGroupRuleAction,
    SecurityGroupRuleDirection,
    SecurityGroupRuleProtocol,
    SecurityGroupTemplate,
    SetSecurityGroupRulesRequestRule,
)

from services.provisioner.provider import Resource, Server, TryAgain
from services.provisioner.providers.scaleway.errors import NotThere
from services.provisioner.providers.scaleway.sdk import PAGE_SIZE, Sdk, pages
from services.provisioner.providers.scaleway.tags import Tags, instance_in
from shared.reconciliation import Kind

TCP: Final = cast("SecurityGroupRuleProtocol", "TCP")
"""Upper case, as the API itself writes it and every recorded request does; the SDK's own value is lower case."""


class Network:
    def __init__(self, sdk: Sdk, tags: Tags) -> None:
        self._api = sdk.instance
        self._tags = tags

    def make_security_group(self, zone: str, instance_id: UUID) -> str:
        found = min((group.id for group in self._groups(zone, instance_id)), default=None)
        return found or self._made(zone, instance_id).id

    def open_ports(
        self,
        server: Server,
        instance_id: UUID,
        security_group_id: str,
        ports: Sequence[int],
        source_ranges: Sequence[str],
    ) -> None:
        """A server that somebody has moved to another group is moved back once the rules are complete."""
        openings = product(ports, source_ranges)
        self._api.set_security_group_rules(
            zone=server.zone,
            security_group_id=security_group_id,
            rules=[_opened(position, *opening) for position, opening in enumerate(openings, start=1)],
        )
        if server.security_group_id != security_group_id:
            self._api._update_server(  # noqa: SLF001  the SDK has no public way to update a server
                zone=server.zone,
                server_id=server.id,
                security_group=SecurityGroupTemplate(id=security_group_id, name=_name(instance_id)),
            )

    def release(self, zone: str, instance_id: UUID, security_group_ids: Sequence[str]) -> list[str]:
        """The ids of what existed. Tries all, then raises the first TryAgain, as while a server is still in the group.

        A recorded id does not say its zone: other zones answer that they do not know it. Listed resources existed,
        whatever the answer to their deletion.
        """
        delete_group, delete_address = self._api.delete_security_group, self._api.delete_ip
        groups = [group.id for group in self._groups(zone, instance_id)]
        addresses = [address.id for address in self._addresses(zone, instance_id)]
        deletions = {
            **{
                group_id: partial(delete_group, zone=zone, security_group_id=group_id)
                for group_id in (*security_group_ids, *groups)
            },
            **{address_id: partial(delete_address, zone=zone, ip=address_id) for address_id in addresses},
        }
        there: list[str] = []
        refused: list[TryAgain] = []
        for resource_id, delete in deletions.items():
            try:
                delete()
                there.append(resource_id)
            except NotThere:
                if resource_id in (*groups, *addresses):
                    there.append(resource_id)
            except TryAgain as error:
                refused.append(error)
        if refused:
            raise refused[0]
        return there

    def tagged(self, zone: str) -> list[Resource]:
        """All of this installation."""
        found = [(Kind.SECURITY_GROUP, group.id, group.tags) for group in self._groups(zone)]
        found += [(Kind.ADDRESS, address.id, address.tags) for address in self._addresses(zone)]
        return [Resource(kind, resource_id, zone, instance_in(tags)) for kind, resource_id, tags in found]

    def _made(self, zone: str, instance_id: UUID) -> SecurityGroup:
        group = self._api.create_security_group(
            zone=zone,
            name=_name(instance_id),
            description="Opened by Coldstart for one instance.",
            tags=self._tags.of(instance_id),
            stateful=True,
            inbound_default_policy=SecurityGroupPolicy.DROP,
            outbound_default_policy=SecurityGroupPolicy.ACCEPT,
            enable_default_security=True,
        ).security_group
        if group is None:
            raise TryAgain("bad_answer", "the answer does not show the new security group")
        return group

    def _groups(self, zone: str, instance_id: UUID | None = None) -> list[SecurityGroup]:
        def page(number: int) -> tuple[list[SecurityGroup], int]:
            answer = self._api.list_security_groups(
                zone=zone, tags=[self._tags.of_whom(instance_id)], page=number, per_page=PAGE_SIZE
            )
            return answer.security_groups, answer.total_count

        return [group for group in pages(page) if self._tags.borne(group.tags, instance_id)]

    def _addresses(self, zone: str, instance_id: UUID | None = None) -> list[Ip]:
        def page(number: int) -> tuple[list[Ip], int]:
            answer = self._api.list_ips(
                zone=zone, tags=[self._tags.of_whom(instance_id)], page=number, per_page=PAGE_SIZE
            )
            return answer.ips, answer.total_count

        return [address for address in pages(page) if self._tags.borne(address.tags, instance_id)]


def _name(instance_id: UUID) -> str:
    return f"coldstart-{instance_id}"


def _opened(position: int, port: int, source_range: str) -> SetSecurityGroupRulesRequestRule:
    return SetSecurityGroupRulesRequestRule(
        action=SecurityGroupRuleAction.ACCEPT,
        protocol=TCP,
        direction=SecurityGroupRuleDirection.INBOUND,
        ip_range=source_range,
        position=position,
        dest_port_from=port,
        dest_port_to=port,
        editable=True,
    )
