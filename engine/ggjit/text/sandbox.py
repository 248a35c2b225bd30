"""Running a file's Jinja template without trusting it.

Templates come from the internet. Jinja's immutable sandbox keeps them from reaching anything but
their variables; this one also bounds what they may spend: loop steps, calls, text made, output and
seconds. Not covered: comparisons of lists nested so that their size is exponential.
The syntax and the functions are those of Hugging Face's `apply_chat_template`
(transformers, `utils/chat_template_utils.py`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from datetime import datetime
from functools import wraps
from types import CodeType
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from .growth import growth, operation_growth

MAX_SOURCE = 1 << 20
MAX_TEXT = 1 << 22  # characters, of the output and of every string on the way
MAX_WORK = 1 << 25  # characters made; a step or a call counts as STEP of them
MAX_SECONDS = 2.0  # of processor time
STEP = 32
MAX_JSON_WIDTH = 64

# Their time or result cannot be bounded from their arguments, and no chat template needs them.
LEFT_OUT = {"batch", "pprint", "slice", "striptags", "urlize", "wordwrap", "xmlattr"}
# Filters that do not write their first argument as text.
FOR_SEQUENCES = {
    *("attr", "count", "d", "default", "dictsort", "first", "groupby", "items", "last", "length"),
    *("list", "map", "max", "min", "random", "reject", "rejectattr", "reverse", "select"),
    *("selectattr", "sort", "unique"),
}


class TemplateLimitError(RuntimeError):
    """The template asks for more than a chat template may need."""


def compile_template(source: str) -> CodeType:
    """Compile a template; the result is kept and run any number of times."""
    if len(source) > MAX_SOURCE:
        raise TemplateLimitError(f"has {len(source)} characters, at most {MAX_SOURCE} are allowed")
    code: CodeType = Sandbox().compile(source)
    return code


def run_template(code: CodeType, variables: dict[str, Any]) -> str:
    """Run a compiled template with `variables` and return its output."""
    sandbox = Sandbox()
    template = Template.from_code(sandbox, code, sandbox.make_globals(None))
    return sandbox.concat(sandbox.bounded_output(template.generate(variables)))


class Sandbox(ImmutableSandboxedEnvironment):
    """A Jinja environment for one run, with what that run may still spend."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[GenerationBlock, LoopControlExtension],
            finalize=self.printable,
        )
        self._left = MAX_WORK
        self._deadline = time.thread_time() + MAX_SECONDS
        self.filters["tojson"] = _tojson
        self.filters = {
            name: self._bounded_filter(name, function)
            for name, function in self.filters.items()
            if name not in LEFT_OUT
        }
        del self.globals["lipsum"]
        self.globals["raise_exception"] = _raise_exception
        self.globals["strftime_now"] = _strftime_now

    def spend(self, work: int = STEP) -> None:
        """Count work done, or about to be done."""
        self._left -= work
        if self._left < 0 or time.thread_time() > self._deadline:
            raise TemplateLimitError("does too much work")

    def check_size(self, size: int) -> None:
        if size > MAX_TEXT:
            raise TemplateLimitError(f"makes a text or list of more than {MAX_TEXT} items")

    def weigh(self, value: Any) -> int:
        """Return about how long `value` is as text, before it is written as text."""
        total, waiting = 0, [value]
        while waiting:
            item = waiting.pop()
            total += len(item) if isinstance(item, (str, bytes)) else 8
            if isinstance(item, dict):
                waiting += [*item.keys(), *item.values()]
            elif isinstance(item, (list, tuple, set)):
                waiting += item
            self.check_size(max(total, len(waiting)))
        return total

    def printable(self, value: Any) -> Any:
        if isinstance(value, (list, tuple, dict, set)):
            self.spend(self.weigh(value))
        return value

    # What the compiled template calls: loops and ~ through `_Rewriter`, the rest by Jinja's rules.

    def steps(self, items: Iterable[Any]) -> Iterable[Any]:
        return _Sized(self, items) if isinstance(items, Sized) else self._counted(items)

    def joined(self, values: list[Any]) -> str:
        return self.concat([str(self.printable(value)) for value in values])

    def concat(self, pieces: Iterable[str]) -> str:
        pieces = list(pieces)
        size = sum(map(len, pieces))
        self.check_size(size)
        self.spend(size)
        return "".join(pieces)

    def bounded_output(self, pieces: Iterable[str]) -> Iterator[str]:
        size = 0
        for piece in pieces:
            size += len(piece)
            self.check_size(size)
            yield piece

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        if getattr(obj, "__self__", None) is self:
            return obj(*args)
        self.spend()
        text = getattr(getattr(obj, "__wrapped__", obj), "__self__", None)
        if isinstance(text, (str, bytes, int)):
            args = tuple(self._taken(value) for value in args)
            self._check_growth(obj.__name__, text, args, kwargs)
        return self._charged(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        self.spend()
        if operator == "%":
            self.printable(right)
        self.check_size(operation_growth(operator, left, right))
        return self._charged(super().call_binop(context, operator, left, right))

    def unsafe_undefined(self, obj: Any, attribute: str) -> NoReturn:
        raise SecurityError(f"attribute {attribute!r} of a {type(obj).__name__} is off limits")

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Rewriter(self).visit(super()._parse(source, name, filename))
        return tree

    def _bounded_filter(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        n_passed = int(hasattr(function, "jinja_pass_arg"))  # the context, say, comes first

        @wraps(function)
        def bounded(*args: Any, **kwargs: Any) -> Any:
            self.spend()
            value = self._taken(args[n_passed])
            rest = args[n_passed + 1 :]
            if name not in FOR_SEQUENCES and not isinstance(value, str):
                self.weigh(value)
            self._check_growth(name, value, rest, kwargs)
            return self._charged(function(*args[:n_passed], value, *rest, **kwargs))

        return bounded

    def _check_growth(
        self, name: str, text: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        values = [*args, *kwargs.values()]
        for value in values:
            self.printable(value)
        self.check_size(growth(name, text, values))

    def _charged(self, result: Any) -> Any:
        if isinstance(result, (str, bytes, list, tuple)):
            self.check_size(len(result))
            self.spend(len(result))
        return result

    def _taken(self, value: Any) -> Any:
        return list(self._counted(value)) if isinstance(value, Iterator) else value

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self.spend()
            yield item


class _Sized:
    """A collection whose iteration is counted; `loop.length` and the like still work."""

    def __init__(self, sandbox: Sandbox, items: Any) -> None:
        self._sandbox, self._items = sandbox, items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return self._sandbox._counted(self._items)


class _Rewriter(NodeTransformer):
    """Makes loops and `~` go through the sandbox, which Jinja has no hooks for."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802
        if node.recursive:
            raise TemplateSyntaxError("recursive loops are not supported", node.lineno)
        self.generic_visit(node)
        node.iter = self._call("steps", node.iter)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Call:  # noqa: N802
        self.generic_visit(node)
        return self._call("joined", nodes.List(node.nodes, lineno=node.lineno))

    def _call(self, method: str, argument: nodes.Node) -> nodes.Call:
        function = nodes.EnvironmentAttribute(method)
        call = nodes.Call(function, [argument], [], None, None, lineno=argument.lineno)
        call.set_environment(self._sandbox)
        return call


class GenerationBlock(Extension):
    """`{% generation %}`: marks the assistant's text for training, means nothing here."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=lineno)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    widths = [indent or 0, *(separators or ())]
    if any((w if isinstance(w, int) else len(w)) > MAX_JSON_WIDTH for w in widths):
        raise TemplateLimitError("writes JSON with very wide spaces")
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(format: str) -> str:
    return datetime.now().strftime(format)
