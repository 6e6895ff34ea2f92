"""The instance API's security groups. They are kept and shown; they block nothing on loopback."""

from aiohttp import web

from simulator.cloud import errors, render
from simulator.cloud.account import default_rules
from simulator.cloud.gate import Cloud, Endpoint
from simulator.cloud.requests import CreateSecurityGroup, UpdateSecurityGroup, only, page_of, read, tags_in
from simulator.cloud.resources import SecurityGroup, now
from simulator.scenario import Call

COLLECTION = "/instance/v1/zones/{zone}/security_groups"
ONE = COLLECTION + "/{group_id}"
FILTERS = frozenset({"page", "per_page", "project", "organization", "name", "tags", "project_default"})


class SecurityGroups:
    def __init__(self, cloud: Cloud) -> None:
        self._account = cloud.account
        self._machines = cloud.machines

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("POST", COLLECTION, Call.CREATE_SECURITY_GROUP, self.create),
            Endpoint("GET", COLLECTION, Call.LIST_SECURITY_GROUPS, self.list),
            Endpoint("GET", ONE, Call.GET_SECURITY_GROUP, self.get),
            Endpoint("PATCH", ONE, Call.UPDATE_SECURITY_GROUP, self.update),
            Endpoint("DELETE", ONE, Call.DELETE_SECURITY_GROUP, self.delete),
        ]

    async def create(self, request: web.Request) -> web.Response:
        wanted = await read(request, CreateSecurityGroup)
        if wanted.project not in (None, self._account.project_id):
            raise errors.permissions_denied("instance_security_group", "write")
        group = SecurityGroup(
            name=wanted.name,
            zone=request.match_info["zone"],
            description=wanted.description,
            tags=wanted.tags,
            stateful=wanted.stateful,
            inbound_default_policy=wanted.inbound_default_policy,
            outbound_default_policy=wanted.outbound_default_policy,
            enable_default_security=wanted.enable_default_security,
            rules=default_rules() if wanted.enable_default_security else [],
        )
        self._account.add_security_group(group)
        self._machines.belated.tags(group)
        return self._show(group, status=201)

    async def list(self, request: web.Request) -> web.Response:
        only(request, FILTERS)
        page = page_of(request, "per_page")
        found = [
            group
            for group in self._account.security_groups(request.match_info["zone"])
            if self._matches(request, group)
        ]
        shown = [render.security_group(self._account, group) for group in found[page]]
        return web.json_response({"security_groups": shown}, headers={"X-Total-Count": str(len(found))})

    async def get(self, request: web.Request) -> web.Response:
        return self._show(self._named(request))

    async def update(self, request: web.Request) -> web.Response:
        group = self._named(request)
        change = await read(request, UpdateSecurityGroup)
        retagged = change.tags not in {None, group.tags}
        for name, value in change.model_dump(exclude_none=True).items():
            setattr(group, name, value)
        if change.enable_default_security is not None:
            group.rules = [rule for rule in group.rules if rule.editable]
            group.rules[:0] = default_rules() if change.enable_default_security else []
        if retagged:
            self._machines.belated.tags(group)
        group.modified_at = now()
        return self._show(group)

    async def delete(self, request: web.Request) -> web.Response:
        group = self._named(request)
        if self._account.servers_of(group):
            raise errors.group_in_use()
        if group.project_default:
            raise errors.still_in_use("the default security group cannot be deleted")
        group.deleted_at = now()
        return web.Response(status=204)

    def _matches(self, request: web.Request, group: SecurityGroup) -> bool:
        query = request.query
        return (
            tags_in(request) <= set(group.listed_tags)
            and query.get("name", "") in group.name
            and query.get("project", self._account.project_id) == self._account.project_id
            and query.get("organization", self._account.organization_id) == self._account.organization_id
            and query.get("project_default", str(group.project_default)).lower() == str(group.project_default).lower()
        )

    def _named(self, request: web.Request) -> SecurityGroup:
        return self._account.security_group(request.match_info["zone"], request.match_info["group_id"])

    def _show(self, group: SecurityGroup, *, status: int = 200) -> web.Response:
        return web.json_response({"security_group": render.security_group(self._account, group)}, status=status)
