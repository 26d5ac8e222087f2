"""Check the source of a scene against rules, each of which saves a repair that the test render could not explain.

These rules are no boundary against a scene that means harm: the process of the test render and the frame of the preview
are. The compiler drops imports that are not used, so the source itself is read here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from shared.apps.video.build import vocabulary
from shared.apps.video.build.loops import Loop
from shared.apps.video.build.report import BuildError
from shared.apps.video.build.source import Place, Source
from shared.apps.video.build.toolchain import require

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

VERSION: Final = "1"
"""Changes when a rule changes, so that no cached build passes that would not pass now."""

MAX_DEPTH: Final = 300
"""How deep expressions and elements may be nested. The compiler needs minutes, or fails, for some that are deeper."""

_TOO_DEEP = f"the code is nested more than {MAX_DEPTH} levels deep here: write a list or a component"
_SMALL_TEXT = 24  # pixels
_URL = re.compile(r"^\s*(?:https?:)?//|^\s*data:|url\(\s*(?!['\"]?#)", re.IGNORECASE)
_NAMESPACES = ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink", "http://www.w3.org/1999/xhtml")
_CSS_MOTION = re.compile(r"^(?:animation|transition)(?:[A-Z]\w*)?$")
_DECLARING = {
    "variable_declarator": "name",
    "function_declaration": "name",
    "class_declaration": "name",
    "required_parameter": "pattern",
    "optional_parameter": "pattern",
    "arrow_function": "parameter",
    "catch_clause": "parameter",
    "for_in_statement": "left",
    "pair_pattern": "value",
    "assignment_pattern": "left",
    "object_assignment_pattern": "left",
}
_ALWAYS_DECLARING = frozenset({"array_pattern", "rest_pattern", "import_clause", "namespace_import", "type_parameter"})
_FUNCTIONS = frozenset(
    {"function_declaration", "function_expression", "arrow_function", "identifier", "call_expression"}
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the project has: ids of images and names of components."""

    images: frozenset[str]
    components: frozenset[str]


@dataclass(slots=True)
class Findings:
    """What the rules found. `images` are the ids that the source names; the places are those of likely causes.

    `elements` are the places of the elements that have a name with a capital letter.
    """

    errors: list[BuildError] = field(default_factory=list)
    warnings: list[BuildError] = field(default_factory=list)
    images: set[str] = field(default_factory=set)
    scene: Place | None = None
    module_state: Place | None = None
    loops: list[Loop] = field(default_factory=list)
    elements: dict[str, list[Place]] = field(default_factory=dict)


def lint(source: Source, allowed: Allowed) -> Findings:
    """Apply all rules. Raises CompilerMissing if the parser is not installed."""
    tree = _parser().parse(source.text.encode())
    check = _Check(source, allowed)
    for node, parent, depth in _nodes_with_parents(tree.root_node):
        if depth > MAX_DEPTH:
            check.findings.errors = [source.error("limit", "too-deep", _TOO_DEEP, check.place(node))]
            return check.findings
        check.parent = parent
        if rule := check.rules.get(node.type):
            rule(node)
    check.finish(tree.root_node)
    return check.findings


@functools.cache
def _parser() -> Parser:
    require()
    import tree_sitter  # noqa: PLC0415 - only the functions that build scenes have it
    import tree_sitter_typescript  # noqa: PLC0415

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_typescript.language_tsx()))


def _nodes(root: Node) -> Iterator[Node]:
    """Yield all named nodes, each before its children; the source may be nested deeper than Python's stack."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.named_children))


def _nodes_with_parents(root: Node) -> Iterator[tuple[Node, Node | None, int]]:
    """Yield all named nodes with their parents and depths; `node.parent` would search from the root each time."""
    waiting: list[tuple[Node, Node | None, int]] = [(root, None, 0)]
    while waiting:
        node, parent, depth = waiting.pop()
        yield node, parent, depth
        waiting.extend((child, node, depth + 1) for child in reversed(node.named_children))


def _text(node: Node | None) -> str:
    return "" if node is None or node.text is None else node.text.decode(errors="replace")


def _unquoted(node: Node | None) -> str:
    return _text(node)[1:-1]


class _Check:
    """The rules: each looks at one node and notes what it finds."""

    def __init__(self, source: Source, allowed: Allowed) -> None:
        self.source = source
        self.allowed = allowed
        self.findings = Findings()
        self.parent: Node | None = None
        self.declared: set[str] = set()
        self.used_globals: list[tuple[str, Node]] = []
        self.rules: dict[str, Callable[[Node], None]] = {
            "import_statement": self.import_statement,
            "export_statement": self.export_statement,
            "call_expression": self.call,
            "identifier": self.identifier,
            "shorthand_property_identifier": self.identifier,
            "shorthand_property_identifier_pattern": lambda node: self.declared.add(_text(node)),
            "member_expression": self.member,
            "jsx_opening_element": self.element,
            "jsx_self_closing_element": self.element,
            "jsx_attribute": self.attribute,
            "string": self.string,
            "template_string": self.string,
            "pair": self.pair,
            "await_expression": self.waiting,
            "lexical_declaration": self.declaration,
            "variable_declaration": self.declaration,
            **dict.fromkeys(("function_declaration", "function_expression", "arrow_function"), self.function),
            **dict.fromkeys(("while_statement", "do_statement", "for_statement", "for_in_statement"), self.loop),
        }

    def error(self, rule: str, message: str, node: Node) -> None:
        """Note an error at a node."""
        self.findings.errors.append(self.source.error("lint", rule, message, self.place(node)))

    def place(self, node: Node) -> Place:
        """Return where a node begins."""
        return self.source.place_of_bytes(*node.start_point)

    def import_statement(self, node: Node) -> None:
        """Imports: only the API of scenes and a part of React, and only names that they have."""
        module = _unquoted(node.child_by_field_name("source"))
        if module not in vocabulary.SCENE_MODULES and module != "react":
            where = node.child_by_field_name("source") or node
            message = f'{module!r} cannot be imported: import from "@millrace/scene" and "react" only'
            self.error("import-source", message, where)
            return
        if any(child.type == "type" for child in node.children):
            return
        names = vocabulary.REACT_NAMES if module == "react" else vocabulary.SCENE_NAMES
        for part in _nodes(node):
            if part.type == "import_specifier" and not any(child.type == "type" for child in part.children):
                self.imported(part.child_by_field_name("name") or part, module, names)
            if part.type == "import_specifier":
                self.declared.add(_text(part.child_by_field_name("alias") or part.child_by_field_name("name")))

    def imported(self, node: Node, module: str, names: frozenset[str]) -> None:
        """Check one imported name."""
        name = _text(node)
        if name in names or name in vocabulary.TYPE_NAMES:
            return
        if name in vocabulary.STATE_HOOKS:
            self.error("no-state", _NO_STATE.format(name=name), node)
            return
        there = ", ".join(sorted(names - {"default"}))
        self.error("import-name", f"{module!r} has no {name!r}; it has: {there}", node)

    def export_statement(self, node: Node) -> None:
        """Exports: the default export is a function of this file."""
        if (module := node.child_by_field_name("source")) is not None:
            self.error(
                "import-source", "a scene exports its own function only: do not export from another file", module
            )
        if any(child.type == "default" for child in node.children):
            self.findings.scene = self.place(node)
            value = node.child_by_field_name("declaration") or node.child_by_field_name("value")
            if value is not None and value.type not in _FUNCTIONS:
                message = "the default export must be the scene's function"
                self.error("default-export", message, node)
            elif value is not None and not any(_text(child) for child in _parameters(value)):
                self.no_props(value)

    def no_props(self, value: Node) -> None:
        """Warn of a scene that has no props; a function that is exported by its name is not looked up."""
        if value.type in {"function_declaration", "function_expression", "arrow_function"}:
            message = "the scene has no props: its texts and colors cannot be changed without a model"
            self.findings.warnings.append(self.source.error("lint", "no-props", message, self.place(value)))

    def call(self, node: Node) -> None:
        """Calls: no import(), and only components that the project has."""
        function = node.child_by_field_name("function")
        if function is None:
            return
        if function.type == "import":
            self.error(
                "no-dynamic-import", "import() is not available: write an import at the top of the file", function
            )
        arguments = node.child_by_field_name("arguments")
        given = arguments.named_children if arguments is not None else []
        if _text(function) == "component" and given and given[0].type == "string":
            name = _unquoted(given[0])
            if name not in self.allowed.components:
                there = ", ".join(sorted(self.allowed.components)) or "none"
                self.error("unknown-component", f"the project has no component {name!r}; it has: {there}", given[0])

    def identifier(self, node: Node) -> None:
        """Names: note what is declared, and which globals are used."""
        name = _text(node)
        if self.parent is not None and _declares(self.parent, node):
            self.declared.add(name)
        elif name in vocabulary.GLOBALS:
            self.used_globals.append((name, node))

    def member(self, node: Node) -> None:
        """Members: React's hooks of state have no use in a function of the frame."""
        name = node.child_by_field_name("property")
        if _text(node.child_by_field_name("object")) == "React" and _text(name) in vocabulary.STATE_HOOKS:
            self.error("no-state", _NO_STATE.format(name=_text(name)), name or node)

    def element(self, node: Node) -> None:
        """Elements: those that only draw; images by their id."""
        name = node.child_by_field_name("name")
        if name is None:
            return
        if (instead := vocabulary.ELEMENTS.get(_text(name))) is not None:
            self.error("no-element", f"<{_text(name)}> is not available: {instead}", name)
        if name.type in {"identifier", "member_expression"}:
            self.findings.elements.setdefault(_text(name), []).append(self.place(name))
        if _text(name) == "Img":
            for attribute in node.named_children:
                if attribute.type == "jsx_attribute":
                    self.image_attribute(attribute)

    def image_attribute(self, attribute: Node) -> None:
        """Attributes of an Img: `image` names an image of the project."""
        parts = attribute.named_children
        if _text(parts[0]) == "src":
            self.error(
                "image-source", 'an Img has no src: write image="img_…", the id of an image of the project', parts[0]
            )
        if _text(parts[0]) != "image" or len(parts) < 2:
            return
        value = (
            parts[1].named_children[0] if parts[1].type == "jsx_expression" and parts[1].named_children else parts[1]
        )
        if value.type != "string":
            return
        image = _unquoted(value)
        self.findings.images.add(image)
        if image not in self.allowed.images:
            there = ", ".join(sorted(self.allowed.images)) or "none"
            self.error("unknown-image", f"the project has no image {image!r}; it has: {there}", value)

    def attribute(self, node: Node) -> None:
        """Attributes: no HTML as text."""
        if _text(node.named_children[0]) == "dangerouslySetInnerHTML":
            self.error("no-raw-html", "dangerouslySetInnerHTML is not available: write elements", node)

    def string(self, node: Node) -> None:
        """Texts: nothing outside the project can be loaded, so no addresses of it."""
        if self.parent is not None and self.parent.type in {"import_statement", "export_statement"}:
            return
        content = _unquoted(node)
        if _URL.search(content) and not content.startswith(_NAMESPACES):
            message = (
                "nothing can be loaded from an address: use the project's images with <Img image=…>; to show an "
                "address as text, leave out https://"
            )
            self.error("no-url", message, node)

    def pair(self, node: Node) -> None:
        """Properties: motion is computed from the frame, not left to the browser."""
        key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
        if key is None or value is None:
            return
        name = _text(key).strip("\"'")
        if name == "dangerouslySetInnerHTML":
            self.error("no-raw-html", "dangerouslySetInnerHTML is not available: write elements", key)
        if _CSS_MOTION.match(name) and value.type in {"string", "template_string"}:
            message = f"{name} of CSS is not available: compute the style from useCurrentFrame()"
            self.error("no-css-animation", message, key)
        if name == "fontSize" and value.type == "number" and _number(value) < _SMALL_TEXT:
            message = f"a text of {_text(value)} px is hard to read in a video: use at least {_SMALL_TEXT}"
            self.findings.warnings.append(self.source.error("lint", "small-text", message, self.place(value)))

    def waiting(self, node: Node) -> None:
        """A frame is drawn at once."""
        self.error("no-waiting", "await is not available: a frame is drawn at once", node)

    def function(self, node: Node) -> None:
        """A function that is drawn returns elements, not a promise of them."""
        if node.children[0].type == "async":
            self.error("no-waiting", "async is not available: a frame is drawn at once", node)

    def declaration(self, node: Node) -> None:
        """Note the first variable of the module that can change."""
        changes = node.children[0].type in {"let", "var"}
        if changes and self.parent is not None and self.parent.type == "program" and not self.findings.module_state:
            self.findings.module_state = self.place(node)

    def loop(self, node: Node) -> None:
        """Note a loop, which may be the one that does not end."""
        if (body := node.child_by_field_name("body")) is not None:
            is_block = body.type == "statement_block"
            self.findings.loops.append(Loop(self.place(node), body.start_byte, body.end_byte, is_block))

    def finish(self, root: Node) -> None:
        """Apply the rules that need the whole source."""
        for name, node in self.used_globals:
            if name not in self.declared:
                self.error("no-global", _no_global(name), node)
        if self.findings.scene is None and not root.has_error:
            candidate = _last_component(root)
            self.findings.scene = self.place(candidate) if candidate is not None else None
            message = "the scene has no default export: write export default before its function"
            self.findings.errors.append(self.source.error("lint", "default-export", message, self.findings.scene))


_NO_STATE = "{name} is not available: a scene is a function of the frame; compute from useCurrentFrame() instead"


def _no_global(name: str) -> str:
    if name in vocabulary.CLOCKS:
        return f"{name} is not available: time is useCurrentFrame() divided by fps of useVideoConfig()"
    if name in vocabulary.NETWORK:
        return f"{name} is not available: a scene reaches no network; write data into props"
    return f"{name} is not available: a scene draws from the frame and its props only"


def _declares(parent: Node, node: Node) -> bool:
    if parent.type in _ALWAYS_DECLARING:
        return True
    role = _DECLARING.get(parent.type)
    return role is not None and parent.child_by_field_name(role) == node


def _parameters(function: Node) -> list[Node]:
    parameters = function.child_by_field_name("parameters") or function.child_by_field_name("parameter")
    if parameters is None:
        return []
    return parameters.named_children if parameters.type == "formal_parameters" else [parameters]


def _last_component(root: Node) -> Node | None:
    """Return the last function of the module whose name is that of a component."""
    found = None
    for node in root.named_children:
        inner = node.named_children[0] if node.type in {"export_statement", "lexical_declaration"} else node
        if inner.type == "lexical_declaration" and inner.named_children:
            inner = inner.named_children[0]
        if inner.type in {"function_declaration", "variable_declarator"}:
            name = _text(inner.child_by_field_name("name"))
            found = node if name[:1].isupper() else found
    return found


def _number(node: Node) -> float:
    try:
        return float(_text(node))
    except ValueError:
        return float(_SMALL_TEXT)
