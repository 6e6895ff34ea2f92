"""Security groups, addresses and what can be rented."""

from typing import Any, cast

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

TCP = cast("SecurityGroupRuleProtocol", "TCP")


def opened(port: int, source: str = "0.0.0.0/0", **changes: Any) -> SetSecurityGroupRulesRequestRule:
    wanted: dict[str, Any] = {"protocol": TCP, "position": 1, "dest_port_from": port, "dest_port_to": port, **changes}
    return SetSecurityGroupRulesRequestRule(
        action=SecurityGroupRuleAction.ACCEPT,
        direction=SecurityGroupRuleDirection.INBOUND,
        ip_range=source,
        editable=True,
        **wanted,
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
    assert [(rule.ip_range, rule.dest_port_from) for rule in rules if not rule.editable] == [
        (ip_range, port) for ip_range in ("0.0.0.0/0", "::/0") for port in (25, 465, 587)
    ]
    assert {rule.protocol for rule in rules} == {"TCP"}


async def test_rules_are_shown_numbered_anew_with_equal_ports_as_one_and_an_address_without_its_length(
    sdk: Sdk,
) -> None:
    group = await group_of(sdk)
    rules = [
        opened(8000, position=7, dest_port_to=8010), opened(22, "192.0.2.1/32", position=3), opened(0, position=9),
    ]  # fmt: skip
    await ask(sdk.instance.set_security_group_rules, security_group_id=group, rules=rules)
    listed = await ask(sdk.instance.list_security_group_rules_all, security_group_id=group)
    shown = [(rule.position, rule.ip_range, rule.dest_port_from, rule.dest_port_to) for rule in listed if rule.editable]
    assert shown == [(1, "192.0.2.1", 22, None), (2, "0.0.0.0/0", 8000, 8010), (3, "0.0.0.0/0", None, None)]


async def test_a_protocol_in_lower_case_is_refused(sdk: Sdk) -> None:
    group = await group_of(sdk)
    rule = opened(22, protocol=SecurityGroupRuleProtocol.TCP)
    with pytest.raises(ScalewayException) as refused:
        await ask(sdk.instance.set_security_group_rules, security_group_id=group, rules=[rule])
    assert refused.value.status_code == 400
    assert refused.value.response.json()["details"][0]["argument_name"] == "rules.0.protocol"


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
        protocol=TCP,
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
    assert (used.value.status_code, used.value.response.json()["type"]) == (409, "conflict")
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


async def test_each_zone_sells_the_gpu_types_that_were_recorded_there(sdk: Sdk) -> None:
    sold = {}
    for zone in ("fr-par-1", "fr-par-2", "pl-waw-2", "nl-ams-1"):
        listed = [(await ask(sdk.instance.list_servers_types, zone=zone, page=n, per_page=10)).servers for n in (1, 2)]
        sold[zone] = {name for page in listed for name, kind in page.items() if kind.gpu}
    pcie = {f"{family}-{n}" for family, n in (("L4", "1-24G"), ("L4", "8-24G"), ("L40S", "4-48G"), ("H100", "2-80G"))}
    assert pcie <= sold["fr-par-2"] & sold["pl-waw-2"]
    assert sold["fr-par-2"] - sold["pl-waw-2"] == {
        "RENDER-S",
        *(f"H100-SXM-{n}-80G" for n in (2, 4, 8)),
        *(f"B300-SXM-{n}-288G" for n in (2, 4, 8)),
    }
    assert (len(sold["fr-par-2"]), sold["fr-par-1"], sold["nl-ams-1"]) == (17, {"RENDER-S"}, set())


@pytest.mark.parametrize(
    ("name", "gpus", "cpus_and_gib", "price", "scratch_tb"),
    [
        ("RENDER-S", (1, "P100", 16), (10, 42), 1.221, 0),
        ("L4-1-24G", (1, "L4", 24), (8, 48), 0.7875, 0),
        ("L4-8-24G", (8, "L4", 24), (64, 384), 6.3, 0),
        ("L40S-1-48G", (1, "L40S", 48), (8, 96), 1.469916, 1.6),
        ("L40S-8-48G", (8, "L40S", 48), (64, 768), 11.759328, 12.8),
        ("H100-1-80G", (1, "H100-PCIe", 80), (24, 240), 2.8665, 3),
        ("H100-SXM-2-80G", (2, "H100-SXM", 80), (32, 240), 6.6198, 3.2),
        ("B300-SXM-8-288G", (8, "B300-SXM", 288), (224, 3840), 60.0, 24),
    ],
)
async def test_a_type_has_the_figures_that_were_recorded(
    sdk: Sdk, name: str, gpus: tuple[int, str, int], *, cpus_and_gib: tuple[int, int], price: float, scratch_tb: float
) -> None:
    kind = (await ask(sdk.instance.list_servers_types)).servers[name]
    assert kind.gpu_info is not None
    assert (kind.gpu, kind.gpu_info.gpu_name, kind.gpu_info.gpu_memory / 2**30) == gpus
    assert (kind.ncpus, kind.ram / 2**30) == cpus_and_gib
    assert (kind.hourly_price, kind.scratch_storage_max_size) == (price, round(scratch_tb * 10**12))
    assert kind.scratch_storage_max_volumes_count == (1 if scratch_tb else 0)


async def test_a_type_cannot_be_created_in_a_zone_that_does_not_sell_it(sdk: Sdk) -> None:
    with pytest.raises(ScalewayException) as refused:
        await sdk.create(zone="pl-waw-2", commercial_type="B300-SXM-2-288G")
    assert refused.value.status_code == 400
    assert refused.value.response.json()["details"][0]["argument_name"] == "commercial_type"


async def test_an_image_is_found_by_its_label_in_a_zone(sdk: Sdk) -> None:
    images = await ask(sdk.marketplace.list_local_images_all, image_label="ubuntu_noble_gpu_os_13_nvidia", zone=ZONE)
    assert [image.id for image in images] == [IMAGE]
    assert "L4-1-24G" in images[0].compatible_commercial_types
    server = await sdk.create(image="ubuntu_noble_gpu_os_13_nvidia")
    assert server.image is not None
    assert server.image.id == IMAGE
