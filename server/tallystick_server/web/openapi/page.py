"""The document as a page: plain HTML, one style, no script, nothing from elsewhere."""

from __future__ import annotations

from tallystick_server.web.openapi.headers import STYLE
from tallystick_server.web.openapi.markup import (
    Html,
    code,
    inline,
    join,
    listed,
    prose,
    shown,
    tag,
)
from tallystick_server.web.openapi.schemas import Node

_LARGE = 1 << 53


def write_page(document: Node) -> str:
    """Write the page of a document."""
    title = document["info"]["title"]
    head = join(
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", f"{title}: HTTP interface"),
        Html(f"<style>{STYLE}</style>"),
    )
    body = join(
        tag("a", "Skip to the paths", href="#paths", class_="skip"),
        _top(document),
        tag("div", _contents(document), _main(document), class_="columns"),
    )
    page = tag("html", tag("head", head), tag("body", body), lang="en")
    return f"<!doctype html>\n{page}\n"


def _top(document: Node) -> Html:
    info = document["info"]
    return tag(
        "header",
        tag("h1", info["title"], " ", tag("small", info["version"])),
        prose(info["description"]),
        tag("p", tag("a", "OpenAPI 3.1 document", href="openapi.json")),
    )


def _contents(document: Node) -> Html:
    """Links to every operation, by tag."""
    parts: list[Html] = []
    for group in document["tags"]:
        links = [
            tag("li", tag("a", *_heading(path, method), href=f"#{node['operationId']}"))
            for path, method, node in _operations(document, group["name"])
        ]
        parts += [tag("h2", group["name"]), tag("ul", *links)]
    rest = [
        tag("li", tag("a", name, href=f"#{name.lower()}"))
        for name in ("Problems", "Schemas")
    ]
    parts += [tag("h2", "more"), tag("ul", *rest)]
    return tag("nav", *parts, aria_label="Contents")


def _main(document: Node) -> Html:
    parts = [
        tag(
            "section",
            tag("h2", group["name"].capitalize()),
            tag("p", inline(group["description"])),
            *(
                _operation(document, path, method, node)
                for path, method, node in _operations(document, group["name"])
            ),
        )
        for group in document["tags"]
    ]
    return tag("main", *parts, _problems(document), _schemas(document), id="paths")


def _operations(document: Node, group: str) -> list[tuple[str, str, Node]]:
    """Path, method and node of the operations with a tag."""
    return [
        (path, method, node)
        for path, item in document["paths"].items()
        for method, node in item.items()
        if group in node["tags"]
    ]


def _heading(path: str, method: str) -> tuple[Html, str, Html]:
    """Method and path; long paths may break after a slash."""
    broken = path.replace("/", "/\u200b").replace("/\u200b", "/", 1)
    return tag("b", method.upper(), class_=method), " ", tag("code", broken)


def _operation(document: Node, path: str, method: str, node: Node) -> Html:
    name = node["operationId"]
    parts = [
        tag("h3", tag("a", *_heading(path, method), href=f"#{name}")),
        tag("p", tag("strong", node["summary"], "."), " ", inline(_about(node))),
    ]
    if ways := node.get("security"):
        which = "" if all(ways) else ", unless the log is for everybody"
        parts.append(tag("p", inline(f"Needs `Authorization: Bearer TOKEN`{which}.")))
    given = [_found(document, one) for one in node["parameters"]]
    parts += [tag("h4", "Parameters"), tag("dl", *map(_parameter, given))]
    if "requestBody" in node:
        parts += [tag("h4", "Body"), _body(node["requestBody"])]
    replies = sorted(node["responses"].items())
    parts += [
        tag("h4", "Answers"),
        tag("dl", *(_reply(document, status, one) for status, one in replies)),
    ]
    return tag("article", *parts, id=name)


def _about(node: Node) -> str:
    return str(node.get("description", ""))


def _found(document: Node, node: Node) -> Node:
    """What a node is, or refers to."""
    if "$ref" not in node:
        return node
    kind, name = node["$ref"].split("/")[2:]
    found: Node = document["components"][kind][name]
    return found


def _parameter(node: Node) -> Html:
    need = "required" if node.get("required") else "optional"
    return join(
        tag(
            "dt",
            tag("code", node["name"]),
            tag("small", f" {node['in']}, {need}: ", _spell(node["schema"])),
        ),
        tag("dd", inline(node["description"])),
    )


def _body(node: Node) -> Html:
    """A body, and its example in each of the content types that it may have."""
    kinds = listed([tag("code", media) for media in node["content"]], ", ")
    parts = [tag("p", inline(node["description"]), " ", kinds)]
    for held in node["content"].values():
        parts += [shown(one["value"]) for one in held.get("examples", {}).values()]
    return join(*parts)


def _reply(document: Node, status: str, node: Node) -> Html:
    """An answer; a problem is told in full in its own place."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        link = tag("a", name, href=f"#problem-{name}")
        about = inline(_found(document, node)["description"])
        return join(tag("dt", tag("code", status), " ", link), tag("dd", about))
    parts = [tag("p", inline(node["description"]))]
    for media, held in node.get("content", {}).items():
        schema = held.get("schema")
        kind = join(": ", _spell(schema)) if schema else ""
        parts.append(tag("p", tag("code", media), kind))
        parts += [
            tag("details", tag("summary", "Example"), shown(one["value"]))
            for one in held.get("examples", {}).values()
        ]
    parts.append(_headers(document, node))
    return join(tag("dt", tag("code", status)), tag("dd", *parts))


def _headers(document: Node, node: Node) -> Html:
    rows = [
        tag("li", tag("code", name), " ", _spell(_found(document, one)["schema"]))
        for name, one in node["headers"].items()
    ]
    return tag("details", tag("summary", "Headers"), tag("ul", *rows))


def _problems(document: Node) -> Html:
    rows: list[Html] = []
    for name, node in document["components"]["responses"].items():
        (held,) = node["content"].values()
        members = held["schema"]["properties"]
        title, status = members["title"]["const"], members["status"]["const"]
        example = [shown(one["value"]) for one in held.get("examples", {}).values()]
        rows += [
            tag("dt", code(status), " ", title, id=f"problem-{name}"),
            tag(
                "dd",
                tag("p", inline(node["description"])),
                tag("p", code(members["type"]["const"])),
                *(tag("details", tag("summary", "Example"), one) for one in example),
                _headers(document, node),
            ),
        ]
    about = (
        "Every refusal is `application/problem+json` (RFC 9457); its type is stable."
    )
    section = [tag("h2", "Problems"), tag("p", inline(about)), tag("dl", *rows)]
    return tag("section", *section, id="problems")


def _schemas(document: Node) -> Html:
    parts = [
        tag("article", tag("h3", name), _schema(node), id=f"schema-{name}")
        for name, node in document["components"]["schemas"].items()
    ]
    return tag("section", tag("h2", "Schemas"), *parts, id="schemas")


def _schema(node: Node) -> Html:
    """A schema, and the members of an object."""
    parts = [tag("p", inline(node["description"]))] if "description" in node else []
    if node.get("type") != "object":
        parts += [tag("p", _spell(node))]
        parts += [_schema(one) for one in node.get("oneOf", [])]
        return join(*parts)
    rows: list[Html] = []
    for name, one in node.get("properties", {}).items():
        rows.append(tag("dt", tag("code", name), tag("small", " ", _spell(one))))
        if "description" in one and one.get("type") != "object":
            rows.append(tag("dd", inline(one["description"])))
        inner = one.get("items", one)
        if inner.get("type") == "object":
            rows.append(tag("dd", _schema(inner)))
    return join(*parts, tag("dl", *rows) if rows else Html(""))


def _spell(node: Node) -> Html:
    """Say in a line what a schema allows."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return tag("a", name, href=f"#schema-{name}")
    if "const" in node:
        return code(node["const"])
    if "enum" in node:
        return listed([code(one) for one in node["enum"]], " or ")
    for several in ("anyOf", "oneOf"):
        if several in node:
            return listed([_spell(one) for one in node[several]], " or ")
    kind = node.get("type", "any value")
    if kind == "array":
        return join(_range(node, "Items", "", ""), "array of ", _spell(node["items"]))
    if isinstance(kind, list):
        return join(" or ".join(kind))
    parts = [join(kind)]
    parts += [one for one in (_limits(node),) if one]
    if "pattern" in node:
        parts.append(code(node["pattern"].replace("\n", "\\n")))
    return listed(parts, ", ")


def _limits(node: Node) -> Html:
    """The bounds of a number, or of the length of a text."""
    if node.get("type") == "integer":
        least, most = node["minimum"], node.get("maximum")
        return join(f"{least:,} to {_count(most)}" if most else f"from {least:,} on")
    return _range(node, "Length", " ", "long")


def _count(value: int) -> str:
    """A number; the large ones are next to powers of two."""
    if value < _LARGE:
        return f"{value:,}"
    power = value.bit_length() - (value.bit_count() == 1)
    return f"2^{power}" + (" − 1" if value == (1 << power) - 1 else "")


def _range(node: Node, what: str, space: str, after: str) -> Html:
    least, most = node.get(f"min{what}", 0), node.get(f"max{what}")
    if most is None:
        return Html("") if not least else join(f"{least:,} or more{space}{after}, ")
    return join(f"{least:,} to {most:,}{space}{after} ")
