"""The API's document, OpenAPI 3.1: made of its operations and of the types that their answers have."""

import re
from dataclasses import is_dataclass
from http import HTTPStatus
from types import NoneType, UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from lzsyncd import __version__
from lzsyncd.web.visit import ASKED_AT_MOST

DIGITS = 30  # of a number that is too large in any case
JSON = "application/json"
TEXT = {"type": "string", "maxLength": ASKED_AT_MOST, "pattern": r"^[^\u0000]*$"}
TEXT_PATTERN = re.compile(rf"[^\0]{{0,{ASKED_AT_MOST}}}")  # no database takes a NUL
SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    Any: {},
}
REFUSED = "A token is missing, wrong, or was revoked."
EVERY_ANSWER = {
    HTTPStatus.BAD_REQUEST: "Something in the request can't be used.",
    HTTPStatus.UNAUTHORIZED: REFUSED,
    HTTPStatus.FORBIDDEN: "The token may look, not change anything.",
    HTTPStatus.NOT_FOUND: "There is no such run.",
    HTTPStatus.CONFLICT: "Not as things stand: the run is in another state, or no file has come.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The file is too large.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database is away or busy: try again.",
}
WRONG = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}


class Parameter(NamedTuple):
    """A parameter of an address.

    Attributes:
        name: its name.
        place: "path" or "query".
        meaning: for people.
        schema: what it may be, as JSON schema.
    """

    name: str
    place: str
    meaning: str
    schema: dict[str, Any] = TEXT

    def allows(self, value: str) -> bool:
        """Whether the schema does."""
        if self.schema.get("type") == "integer":
            return value.isascii() and value.isdigit() and int(value[:DIGITS]) <= self.schema["maximum"]
        return value in self.schema.get("enum", (value,)) and bool(TEXT_PATTERN.fullmatch(value))

    def described(self) -> dict[str, Any]:
        """For the document."""
        told = {"name": self.name, "in": self.place, "description": self.meaning, "schema": self.schema}
        return told | {"required": self.place == "path"}


class Described(NamedTuple):
    """An operation, as the document needs it.

    Attributes:
        method: of HTTP, in small letters.
        path: with its parameters in braces.
        summary: for people.
        parameters: of its address.
        answer: the type of what it answers.
        code: of a good answer.
        body: what it takes, None for nothing.
    """

    method: str
    path: str
    summary: str
    parameters: tuple[Parameter, ...]
    answer: type
    code: HTTPStatus = HTTPStatus.OK
    body: dict[str, Any] | None = None

    def described(self) -> dict[str, Any]:
        """For the document."""
        name = self.path.removeprefix("/api/").replace("/", "-").replace("{", "").replace("}", "")
        good = {str(int(self.code)): _answer("Done, or written down.", schema_of(self.answer))}
        return {
            "summary": self.summary,
            "operationId": f"{name}-{self.method}",
            "parameters": [parameter.described() for parameter in self.parameters],
            **({"requestBody": self.body} if self.body else {}),
            "responses": good | {str(int(code)): _answer(told, WRONG) for code, told in EVERY_ANSWER.items()},
        }


def _answer(meaning: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": meaning, "content": {JSON: {"schema": schema}}}


def document(operations: list[Described]) -> dict[str, Any]:
    """The description of the whole API."""
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = operation.described()
    return {
        "openapi": "3.1.0",
        "info": {"title": "lzsyncd", "version": __version__, "summary": "Learning Zones in step with HR."},
        "security": [{"token": []}],
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": paths,
    }


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON schema of a type: what is in the document can't be another thing than what is sent.

    Args:
        kind: str, int, bool, None, Any, a list, dict or union of these, or a class with typed fields.
    """
    if kind in SIMPLE:
        return SIMPLE[kind]
    origin, parts = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return {"anyOf": [schema_of(part) for part in parts]}
    if origin is list:
        return {"type": "array", "items": schema_of(parts[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(parts[1])}
    assert is_dataclass(kind) or hasattr(kind, "_fields"), kind  # noqa: S101 our own types, not what is sent
    fields = {name: schema_of(part) for name, part in get_type_hints(kind).items()}
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
