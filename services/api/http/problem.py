"""A problem document (RFC 9457): what is wrong, and what to do. Codes are stable."""

from collections.abc import Mapping
from typing import Any, Final

from litestar import Response

from services.api.refusals import FieldError

PROBLEM_JSON: Final = "application/problem+json"
_TYPE: Final = "urn:coldstart:problem:"


class Problem(Exception):
    """The document's `type` ends in the code; `more` are figures for programs."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})
        self.more = dict(more or {})

    def document(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": _TYPE + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.more,
        }
        if self.errors:
            body["errors"] = [error.model_dump() for error in self.errors]
        return body

    def response(self) -> Response[dict[str, Any]]:
        return Response(self.document(), status_code=self.status, headers=self.headers, media_type=PROBLEM_JSON)
