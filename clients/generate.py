"""Write what the clients know of the API from its OpenAPI document: calls, options and answers.

Run it after a change of a call that the clients make:

    python -m clients.generate

A test compares the files with what this writes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from service.app import create
from service.settings import Settings

HERE: Final = Path(__file__).parent
# The calls of storefronts and mail systems, by the name of their method.
CALLS: Final[Mapping[str, str]] = {
    "slate": "GET /v1/customers/{customer_id}/recommendations",
    "visit": "POST /v1/recommendations",
    "page": "POST /v1/pages",
    "rank": "POST /v1/rankings",
    "batch": "POST /v1/recommendations/batch",
    "similar": "GET /v1/products/{product_id}/similar",
    "bundles": "GET /v1/products/{product_id}/bundles",
    "basket_bundles": "POST /v1/baskets/bundles",
    "popular": "GET /v1/popular",
    "shop_list": "GET /v1/lists/{name}",
    "recently_viewed": "GET /v1/customers/{customer_id}/recently-viewed",
    "replenishment": "GET /v1/customers/{customer_id}/replenishment",
    "follow_up": "GET /v1/orders/{order_id}/follow-up",
    "report": "POST /v1/events",
    "put_products": "PUT /v1/products",
    "product": "GET /v1/products/{product_id}",
    "change_product": "PATCH /v1/products/{product_id}",
    "delete_product": "DELETE /v1/products/{product_id}",
    "set_consent": "PUT /v1/customers/{customer_id}/consent",
    "preferences": "GET /v1/customers/{customer_id}/preferences",
    "set_preferences": "PUT /v1/customers/{customer_id}/preferences",
    "delete_preferences": "DELETE /v1/customers/{customer_id}/preferences",
    "set_unused": "PUT /v1/customers/{customer_id}/unused",
    "profile": "GET /v1/customers/{customer_id}/profile",
    "forget": "DELETE /v1/customers/{customer_id}",
    "token": "POST /v1/tokens",
}
JSON: Final = "application/json"
MARK: Final = "Made by `python -m clients.generate` from the OpenAPI document of the service."
Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """Hold what a client knows of one call."""

    name: str
    verb: str
    path: str
    summary: str
    ids: Sequence[str]  # that stand in the path
    options: str | None  # the name of the type of all else that it takes
    needs_options: bool  # whether some of them must be given
    answer: str
    repeatable: bool  # whether it may be sent again when nobody knows if it was done


@dataclass
class Api:
    """Read methods and types out of an OpenAPI document."""

    document: Schema
    # Properties by the name of their type, in the order in which they are met.
    types: dict[str, Schema] = field(default_factory=dict)

    def read_methods(self) -> list[Method]:
        """Return the methods; their types, and those that they hold, are in `types` then."""
        methods = [self._read(name, call) for name, call in CALLS.items()]
        # A queue gives each event its id and its time.
        fields = self.types["EventBody"]["properties"]
        self._note_type("NewEvent", {"properties": fields, "required": ["kind"]})
        return methods

    def _read(self, name: str, call: str) -> Method:
        verb, path = call.split()
        operation = self.document["paths"][path][verb.lower()]
        parameters = operation.get("parameters", [])
        given = [one for one in parameters if one["in"] == "query"]
        body = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema")
        options, needs_options = None, False
        if body:
            options = self._note(body["$ref"])
            needs_options = bool(self.types[options].get("required"))
        elif given:
            options = f"{_camel(name)}Options"
            self._note_type(options, {"properties": {one["name"]: one["schema"] for one in given}})
        (answer,) = (
            self._note(response["content"][JSON]["schema"]["$ref"])
            for status, response in operation["responses"].items()
            if status.startswith("2")
        )
        return Method(
            name=name,
            verb=verb,
            path=path,
            summary=operation["summary"],
            ids=[one["name"] for one in parameters if one["in"] == "path"],
            options=options,
            needs_options=needs_options,
            answer=answer,
            # A POST reads, signs or carries ids of its own. A PATCH may undo a later one.
            repeatable=verb != "PATCH",
        )

    def _note(self, reference: str) -> str:
        name = reference.rpartition("/")[2]
        schema = self.document["components"]["schemas"][name]
        if name not in self.types and "properties" in schema:
            self._note_type(name, schema)
        return str(name)

    def _note_type(self, name: str, schema: Schema) -> None:
        if name in self.types:
            raise ValueError(f"two types are called {name}; rename the method that makes one")
        self.types[name] = schema
        for reference in _references(schema["properties"]):
            self._note(reference)

    def parts(self, schema: Schema) -> list[Schema]:
        """Return the schemas of which a value meets one, without what says nothing."""
        if "$ref" in schema:
            target = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            return [schema] if "properties" in target else self.parts(target)
        alternatives = schema.get("anyOf") or schema.get("oneOf")
        if not alternatives:
            return [schema]
        parts = [part for one in alternatives for part in self.parts(one)]
        # An empty text counts as not given, and what is taken as anything is judged later.
        return [part for part in parts if part and part.get("enum") != ["", None]]


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for part in schema:
            yield from _references(part)
    elif isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"]
        for key, part in schema.items():
            if key not in ("example", "examples", "default", "mapping"):
                yield from _references(part)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


@dataclass(frozen=True)
class Language:
    """Hold how types are written in a language."""

    names: Mapping[str, str]  # of JSON's types
    either: str
    list_of: str
    mapping_of: str

    def write(self, api: Api, schema: Schema) -> str:
        """Return a schema as a type. Words are texts: there may be more of them tomorrow."""
        written = dict.fromkeys(self._write_part(api, part) for part in api.parts(schema))
        return self.either.join(written)

    def _write_part(self, api: Api, part: Schema) -> str:
        if "$ref" in part:
            return str(part["$ref"].rpartition("/")[2])
        kind = part.get("type", "string" if "enum" in part or "const" in part else None)
        if kind == "array":
            return self.list_of.format(self.write(api, part["items"]))
        if kind == "object":
            of = part.get("additionalProperties")
            return self.mapping_of.format(self.write(api, of if isinstance(of, dict) else {}))
        return self.names[kind or "any"]


PYTHON: Final = Language(
    {
        "string": "str",
        "number": "float",
        "integer": "int",
        "boolean": "bool",
        "null": "None",
        "any": "Any",
    },
    " | ",
    "list[{}]",
    "dict[str, {}]",
)
TYPESCRIPT: Final = Language(
    {
        "string": "string",
        "number": "number",
        "integer": "number",
        "boolean": "boolean",
        "null": "null",
        "any": "unknown",
    },
    " | ",
    "Array<{}>",
    "Record<string, {}>",
)


def write_python(api: Api, methods: Sequence[Method]) -> str:
    """Return the calls as functions that describe them, and their types."""
    lines = [
        f'"""Calls, their options and answers.\n\n{MARK}\n"""\n',
        "from __future__ import annotations\n",
        "from typing import Any, NotRequired, TypedDict, Unpack\n",
        "from regulars_client.call import Call, encode\n",
    ]
    for name, schema in api.types.items():
        lines.append(f"\nclass {name}(TypedDict):")
        for key, part in schema["properties"].items():
            written = PYTHON.write(api, part)
            is_required = key in schema.get("required", ())
            lines.append(f"    {key}: {written if is_required else f'NotRequired[{written}]'}")
    for method in methods:
        takes = [*(f"{name}: str" for name in method.ids), *(["/"] if method.ids else [])]
        path = method.path.replace("{", "{encode(").replace("}", ")}")
        given = [f'"{method.verb}"', f'{"f" if method.ids else ""}"{path}"']
        if method.options:
            takes.append(f"**options: Unpack[{method.options}]")
            given.append("options=options")
        given += ["repeatable=True"] if method.repeatable and method.verb == "POST" else []
        lines += [
            f"\ndef {method.name}({', '.join(takes)}) -> Call[{method.answer}]:",
            f'    """{method.summary}."""',
            f"    return Call({', '.join(given)})",
        ]
    formatter = [sys.executable, "-m", "ruff", "format", "--stdin-filename", "calls.py", "-"]
    source = "\n".join(lines) + "\n"
    done = subprocess.run(formatter, input=source, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout


def write_typescript(api: Api, methods: Sequence[Method]) -> str:
    """Return the calls as an interface, and their types."""
    lines = [f"// Calls, their options and answers.\n// {MARK}"]
    for name, schema in api.types.items():
        lines.append(f"\nexport interface {name} {{")
        for key, part in schema["properties"].items():
            mark = "" if key in schema.get("required", ()) else "?"
            lines.append(f"  {key}{mark}: {TYPESCRIPT.write(api, part)};")
        lines.append("}")
    lines.append("\nexport interface Calls {")
    for method in methods:
        takes = [f"{name}: string" for name in method.ids]
        if method.options:
            takes.append(f"options{'' if method.needs_options else '?'}: {method.options}")
        lines.append(f"  /** {method.summary}. */")
        promise = f"Promise<{method.answer}>"
        lines.append(f"  {script_name(method.name)}({', '.join(takes)}): {promise};")
    return "\n".join([*lines, "}", ""])


def script_name(name: str) -> str:
    """Return the name of a method as JavaScript writes it."""
    camel = _camel(name)
    return camel[0].lower() + camel[1:]


def generate() -> dict[Path, str]:
    """Return what the files that are made hold, by their paths."""
    with TemporaryDirectory() as folder:
        settings = Settings(registry=Path(folder), runtime_dir=Path(folder))
        api = Api(create(settings).openapi())
    methods = api.read_methods()
    return {
        HERE / "python" / "regulars_client" / "calls.py": write_python(api, methods),
        HERE / "javascript" / "calls.d.ts": write_typescript(api, methods),
    }


if __name__ == "__main__":
    for path, content in generate().items():
        path.write_text(content, "utf-8")
