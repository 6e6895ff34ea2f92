"""The rules of a security group.

Protocols are upper case, as in every recording. Shapes: terraform-provider-scaleway, security-group-rules-basic,
interaction 11; scaleway-sdk-go, test-api-update-security-group-rule, interactions 1, 7 and 17.
"""

from dataclasses import replace

from aiohttp import web

from simulator.cloud import errors, render
from simulator.cloud.gate import Cloud, Endpoint
from simulator.cloud.requests import WriteRule, WriteRules, only, page_of, read
from simulator.cloud.resources import Rule, SecurityGroup
from simulator.scenario import Call

ALL = "/instance/v1/zones/{zone}/security_groups/{group_id}/rules"
ONE = ALL + "/{rule_id}"


class Rules:
    def __init__(self, cloud: Cloud) -> None:
        self._account = cloud.account

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("GET", ALL, Call.LIST_SECURITY_GROUP_RULES, self.list),
            Endpoint("POST", ALL, Call.CREATE_SECURITY_GROUP_RULE, self.create),
            Endpoint("PUT", ALL, Call.SET_SECURITY_GROUP_RULES, self.set_all),
            Endpoint("GET", ONE, Call.GET_SECURITY_GROUP_RULE, self.get),
            Endpoint("DELETE", ONE, Call.DELETE_SECURITY_GROUP_RULE, self.delete),
        ]

    async def list(self, request: web.Request) -> web.Response:
        only(request, {"page", "per_page"})
        group, page = self._group(request), page_of(request, "per_page")
        shown = [render.rule(group, rule) for rule in group.rules[page]]
        return web.json_response({"rules": shown}, headers={"X-Total-Count": str(len(group.rules))})

    async def create(self, request: web.Request) -> web.Response:
        group = self._group(request)
        rule = _rule(await read(request, WriteRule))
        group.rules.append(rule)
        return web.json_response({"rule": render.rule(group, rule)}, status=201)

    async def set_all(self, request: web.Request) -> web.Response:
        """Replace every rule that may be edited, numbered from 1 in the order of their positions."""
        group = self._group(request)
        wanted = await read(request, WriteRules)
        fixed = [rule for rule in group.rules if not rule.editable]
        ours = sorted(
            (_rule(rule) for rule in wanted.rules if rule.editable is not False), key=lambda rule: rule.position
        )
        group.rules = fixed + [replace(rule, position=number) for number, rule in enumerate(ours, start=1)]
        return web.json_response({"rules": [render.rule(group, rule) for rule in group.rules]})

    async def get(self, request: web.Request) -> web.Response:
        group, rule = self._named(request)
        return web.json_response({"rule": render.rule(group, rule)})

    async def delete(self, request: web.Request) -> web.Response:
        group, rule = self._named(request)
        if not rule.editable:
            raise errors.permissions_denied("instance_security_group_rule", "delete")
        group.rules.remove(rule)
        return web.Response(status=204)

    def _named(self, request: web.Request) -> tuple[SecurityGroup, Rule]:
        group, rule_id = self._group(request), request.match_info["rule_id"]
        for rule in group.rules:
            if rule.id == rule_id:
                return group, rule
        raise errors.not_found("instance_security_group_rule", rule_id)

    def _group(self, request: web.Request) -> SecurityGroup:
        return self._account.security_group(request.match_info["zone"], request.match_info["group_id"])


def _rule(wanted: WriteRule) -> Rule:
    """A port of 0 means none, and a range of one IPv4 address loses its /32."""
    return Rule(
        protocol=wanted.protocol,
        direction=wanted.direction,
        action=wanted.action,
        ip_range=wanted.ip_range if ":" in wanted.ip_range else wanted.ip_range.removesuffix("/32"),
        dest_port_from=wanted.dest_port_from or None,
        dest_port_to=wanted.dest_port_to or None,
        position=wanted.position,
    )
