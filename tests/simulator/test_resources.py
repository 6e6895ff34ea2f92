"""Security groups, addresses and what can be rented."""

import pytest
from scaleway.instance.v1 import (
    SecurityGroupPolicy,
    SecurityGroupRuleAction,
    SecurityGroupRuleDirection,
    SecurityGroupRuleProtocol,
    SetSecurityGroupRulesRequestRule,
)
from scaleway_core.api import ScalewayException

from tests.simulator.clients import IMAGE, ZONE, Control, Sdk, ask, eventually


def opened(port: int, source: str = "0.0.0.0/0") -> SetSecurityGroupRulesRequestRule:
    return SetSecurityGroupRulesRequestRule(
        action=SecurityGroupRuleAction.ACCEPT,
        protocol=SecurityGroupRuleProtocol.TCP,
        direction=SecurityGroupRuleDirection.INBOUND,
        ip_range=source,
        position=1,
        dest_port_from=port,
        editable=True,
    )


async def group_of(sdk: Sdk, *tags: str) -> str:
    answer = await ask(
        sdk.instance.create_security_group,
        description="workers",
        stateful=True,
        name="workers",
        tags=list(tags),
        inbound_default_policy=SecurityGroupPolicy.DROP,
    )
    assert answer.security_group is not None
    return answer.security_group.id


async def test_setting_rules_twice_leaves_one_set_beside_the_vendors_own(sdk: Sdk) -> None:
    group = await group_of(sdk, "coldstart")
    for _ in range(2):
        await ask(sdk.instance.set_security_group_rules, security_group_id=group, rules=[opened(22), opened(8000)])
    rules = await ask(sdk.instance.list_security_group_rules_all, security_group_id=group)
    assert [rule.dest_port_from for rule in rules if rule.editable] == [22, 8000]
    assert [rule.dest_port_from for rule in rules if not rule.editable] == [25, 465, 587]


async def test_rules_keep_the_ranges_that_they_let_in(sdk: Sdk) -> None:
    group, ranges = await group_of(sdk), ["192.0.2.0/24", "2001:db8::/32"]
    rules = [opened(22, source) for source in ranges]
    await ask(sdk.instance.set_security_group_rules, security_group_id=group, rules=rules)
    listed = await ask(sdk.instance.list_security_group_rules_all, security_group_id=group)
    assert [rule.ip_range for rule in listed if rule.editable] == ranges


async def test_a_rule_is_added_got_and_deleted(sdk: Sdk) -> None:
    group = await group_of(sdk)
    added = await ask(
        sdk.instance.create_security_group_rule,
        security_group_id=group,
        protocol=SecurityGroupRuleProtocol.TCP,
        direction=SecurityGroupRuleDirection.INBOUND,
        action=SecurityGroupRuleAction.ACCEPT,
        ip_range="0.0.0.0/0",
        position=1,
        editable=True,
        dest_port_from=8000,
    )
    assert added.rule is not None
    named = {"security_group_id": group, "security_group_rule_id": added.rule.id}
    got = await ask(sdk.instance.get_security_group_rule, **named)
    assert got.rule == added.rule
    await ask(sdk.instance.delete_security_group_rule, **named)
    with pytest.raises(ScalewayException) as gone:
        await ask(sdk.instance.get_security_group_rule, **named)
    assert gone.value.status_code == 404


async def test_a_security_group_is_found_by_tag_and_kept_while_a_server_uses_it(sdk: Sdk, control: Control) -> None:
    group = await group_of(sdk, "coldstart")
    found = await ask(sdk.instance.list_security_groups_all, tags=["coldstart"])
    assert [seen.id for seen in found] == [group]
    server = await sdk.create(security_group=group)
    with pytest.raises(ScalewayException) as used:
        await ask(sdk.instance.delete_security_group, security_group_id=group)
    assert used.value.response.json()["precondition"] == "resource_still_in_use"
    await ask(sdk.instance.delete_server, server_id=server.id)
    await ask(sdk.instance.delete_security_group, security_group_id=group)
    assert (await control("GET", "account"))["remaining"]["security_groups"] == []


async def test_a_security_group_is_updated(sdk: Sdk) -> None:
    group = await group_of(sdk)
    changed = await ask(
        sdk.instance.update_security_group, security_group_id=group, tags=["new"], enable_default_security=False
    )
    assert changed.security_group is not None
    assert changed.security_group.tags == ["new"]
    assert await ask(sdk.instance.list_security_group_rules_all, security_group_id=group) == []


async def test_a_flexible_address_survives_a_power_cycle_and_is_paid_until_deleted(sdk: Sdk, control: Control) -> None:
    flexible = (await ask(sdk.instance.create_ip, tags=["kept"])).ip
    assert flexible is not None
    server = await sdk.booted(public_ips=[flexible.id])
    assert [ip.address for ip in server.public_ips] == [flexible.address]
    assert [ip.id for ip in (await sdk.stopped(server.id)).public_ips] == [flexible.id]
    await ask(sdk.instance.delete_server, server_id=server.id)
    assert (await control("GET", "account"))["remaining"]["ips"] == [flexible.id]
    await eventually(
        lambda: ask(sdk.instance.get_ip, ip=flexible.address), lambda seen: seen.ip is not None and not seen.ip.server
    )
    await ask(sdk.instance.delete_ip, ip=flexible.id)
    assert await ask(sdk.instance.list_ips_all) == []


async def test_an_address_is_attached_and_detached_while_the_server_is_stopped(sdk: Sdk) -> None:
    server = await sdk.with_volume()
    flexible = (await ask(sdk.instance.create_ip, server=server.id)).ip
    assert flexible is not None
    assert [ip.id for ip in (await sdk.get(server.id)).public_ips] == [flexible.id]
    await ask(sdk.instance.delete_ip, ip=flexible.id)
    assert (await sdk.get(server.id)).public_ips == []


async def test_the_gpu_types_are_sold_with_price_memory_and_gpu(sdk: Sdk) -> None:
    types = (await ask(sdk.instance.list_servers_types)).servers
    assert {"L4-1-24G", "L40S-1-48G", "H100-1-80G"} <= set(types)
    smallest = types["L4-1-24G"]
    assert (smallest.hourly_price, smallest.gpu, smallest.ram) == (0.75, 1, 48 * 2**30)
    assert smallest.gpu_info is not None
    assert smallest.gpu_info.gpu_memory == 24 * 2**30


async def test_an_image_is_found_by_its_label_in_a_zone(sdk: Sdk) -> None:
    images = await ask(sdk.marketplace.list_local_images_all, image_label="ubuntu_noble_gpu_os_13_nvidia", zone=ZONE)
    assert [image.id for image in images] == [IMAGE]
    assert "L4-1-24G" in images[0].compatible_commercial_types
    server = await sdk.create(image="ubuntu_noble_gpu_os_13_nvidia")
    assert server.image is not None
    assert server.image.id == IMAGE
