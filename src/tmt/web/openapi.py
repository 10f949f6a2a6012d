"""A service's description of itself (OpenAPI), true down to every refusal."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.routes import HTTPRoute

from tmt import __version__
from tmt.domain.money import Exact
from tmt.web.body import NUMBER_TEXT, ExactRequest, Number
from tmt.web.problem import MEDIA_TYPE, Problem

EXACT_TEXT: Final = r"^-?[0-9]+(\.[0-9]+)?(E[-+][0-9]+)?$"
IDEMPOTENCY_KEY_TEXT: Final = r"^[!-~]{1,200}(?!\n)$"
CHANGES: Final = ("post", "put", "patch", "delete")

_REFUSALS: Final = {
    "400": "The request is not one that this address takes; `errors` names the fields.",
    "401": "It is not known who asks.",
    "403": "Whoever asks may not do this.",
    "404": "There is no such thing, or none that whoever asks may see.",
    "408": "The body did not come in time.",
    "409": "The Idempotency-Key was used for another request, or that request is still being answered.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "421": "The Host is not this service's.",
    "429": "Too many requests; Retry-After says when the next is taken.",
    "431": "The headers are too large.",
    "500": "The service failed.",
    "503": "The service or something it needs is busy or away; nothing was done.",
    "504": "It may have been done, but the answer did not come in time.",
}
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same request is done once, and answered alike for a day.",
    "schema": {"type": "string", "pattern": IDEMPOTENCY_KEY_TEXT},
}


class _ExactAsText(OpenAPISchemaPlugin):
    """Exact numbers travel as text; requests may also hold them as JSON numbers."""

    @staticmethod
    def is_plugin_supported_type(value: Any) -> bool:
        return value is Exact or value is Number

    def to_openapi_schema(self, field_definition: Any, schema_creator: Any) -> Schema:
        if field_definition.annotation is Number:
            text = Schema(type=OpenAPIType.STRING, pattern=NUMBER_TEXT, examples=["1.09934"])
            bound = 10.0**18
            return Schema(one_of=[text, Schema(type=OpenAPIType.NUMBER, minimum=-bound, maximum=bound)])
        return Schema(type=OpenAPIType.STRING, pattern=EXACT_TEXT, examples=["1.09934"])


def refusals(*statuses: int) -> dict[int, ResponseSpec]:
    """What to declare, as a handler's `responses`, of refusals that the shell does not know of."""
    return {
        status: ResponseSpec(
            Problem, generate_examples=False, description=_REFUSALS[str(status)], media_type=MEDIA_TYPE
        )
        for status in statuses
    }


def describe(handlers: list[HTTPRouteHandler], title: str, *, with_access: bool) -> bytes:
    """The description of `handlers` in JSON.

    Args:
        handlers: of the service.
        title: of the description.
        with_access: whether the service knows who asks.
    """
    # An application of its own: Litestar serves its description only beside routes that answer in HTML.
    config = OpenAPIConfig(title=title, version=__version__, path="/description", use_handler_docstrings=False)
    app = Litestar(
        handlers,
        plugins=[_ExactAsText()],
        openapi_config=config,
        logging_config=None,
        request_class=ExactRequest,
        signature_types=[],
    )
    tree: dict[str, Any] = app.openapi_schema.to_schema()
    tree.pop("servers", None)
    components = tree.setdefault("components", {})
    _, problems = msgspec.json.schema_components((Problem,), ref_template="#/components/schemas/{name}")
    components.setdefault("schemas", {}).update(problems)
    if with_access:
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
    for path, method, handler in _operations(app):
        _close(components["schemas"], handler)
        operation = tree["paths"].get(path, {}).get(method)
        if operation is not None:
            _complete(operation, method, handler, with_access=with_access)
    return msgspec.json.encode(tree)


def _operations(app: Litestar) -> list[tuple[str, str, BaseRouteHandler]]:
    return [
        (route.path_format, method.lower(), handler)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
    ]


def _close(schemas: dict[str, Any], handler: BaseRouteHandler) -> None:
    data = handler.parsed_data_field
    config = None if data is None else getattr(data.annotation, "__struct_config__", None)
    if data is not None and config is not None and config.forbid_unknown_fields:
        schemas[data.annotation.__name__]["additionalProperties"] = False


def _complete(operation: dict[str, Any], method: str, handler: BaseRouteHandler, *, with_access: bool) -> None:
    open_to_all = not with_access or bool(handler.opt.get("anonymous"))
    changes = method in CHANGES
    refusals = {"421", "431", "500", "503"}
    if operation.get("parameters") or "requestBody" in operation or changes:
        refusals |= {"400"}
    if "requestBody" in operation:
        refusals |= {"408", "413", "415"}
        operation["requestBody"]["required"] = True
    if any(each["in"] == "path" for each in operation.get("parameters", ())):
        refusals |= {"404"}
    if changes:
        refusals |= {"413", "504"}
    if not open_to_all:
        refusals |= {"401", "403", "429"}
        operation["security"] = [{"bearer": []}, {"key": []}]
        if handler.opt.get("anonymous_on_loopback"):
            operation["security"] = [{}, *operation["security"]]
        if changes:
            operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
            refusals |= {"409"}
    # Litestar describes its own form of 400; ours is another.
    operation["responses"].pop("400", None)
    for status in sorted(refusals - set(operation["responses"])):
        operation["responses"][status] = {
            "description": _REFUSALS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
