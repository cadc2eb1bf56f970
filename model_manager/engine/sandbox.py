"""A Jinja environment for templates that nobody has read: no code, no hang, no flood.

A chat template comes with a model file and is a program. It runs here with three walls around it:

- the immutable sandbox of Jinja, narrowed to the filters and methods that chat templates use;
- a weight on everything it builds (strings, lists, numbers), checked *before* an operation whose
  result could be far larger than its operands, so that no single step is long or big;
- a deadline (`deadline`), which works because the second wall keeps every step short.

Source: docs/api.md (templates); the extensions and JSON rendering follow transformers'
`chat_template_utils.py`, which is what templates are written against.
"""

from __future__ import annotations

import functools
import json
import re
import threading
import types
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NoReturn, TypeVar

import jinja2.nodes
from jinja2 import Undefined, meta
from jinja2.compiler import CodeGenerator, Frame
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from model_manager.engine.deadline import run_limited
from model_manager.engine.scales import MAX_WEIGHT, TemplateTooGreedyError, weigh
from model_manager.engine.stand_ins import BEGIN, marked_as_json

MAX_SOURCE_CHARS: Final = 512 * 1024
MAX_TOTAL_WEIGHT: Final = 64 * 1024 * 1024
"""Of all values built during one rendering."""
MAX_INT_BITS: Final = 4096

_FILTERS: Final = frozenset(
    """abs attr capitalize count d default dictsort first float int items last length lower map max min reject
    rejectattr reverse round select selectattr sort title trim unique upper""".split()  # noqa: SIM905 - a word list
)
_STR_METHODS: Final = frozenset(
    """capitalize casefold count endswith find format index isalnum isalpha isascii isdecimal isdigit islower
    isnumeric isspace istitle isupper join lower lstrip partition removeprefix removesuffix replace rfind
    rindex rpartition rsplit rstrip split splitlines startswith strip swapcase title
    upper""".split()  # noqa: SIM905 - a word list
)
_METHODS: Final[tuple[tuple[type, frozenset[str]], ...]] = (
    (str, _STR_METHODS),
    (dict, frozenset({"copy", "get", "items", "keys", "values"})),
    (list, frozenset({"count", "index", "copy"})),
    (tuple, frozenset({"count", "index"})),
    (int, frozenset()),
    (float, frozenset()),
    (bytes, frozenset()),
    (range, frozenset()),
    (types.FunctionType, frozenset()),
    (types.BuiltinFunctionType, frozenset()),
    (types.GeneratorType, frozenset()),
    (type, frozenset()),
)
_WIDE_FORMAT: Final = re.compile(r"\d{4}|%[^a-zA-Z%]*\*|\{[^{}]*:[^{}]*\{")
_WIDE_DATE: Final = re.compile(r"%[^a-zA-Z%]*\d")

T = TypeVar("T")


class _GenerationTag(Extension):
    """Accepts the `{% generation %}` tag of training frameworks and renders what it holds."""

    tags = {"generation"}  # noqa: RUF012 - the name and type are Jinja's

    def parse(self, parser: Parser) -> list[jinja2.nodes.Node]:
        parser.stream.skip(1)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _WeighingGenerator(CodeGenerator):
    """Sends everything that a template builds by syntax through the environment's scales."""

    def visit_Concat(self, node: jinja2.nodes.Concat, frame: Frame) -> None:  # noqa: N802 - Jinja
        self.write("environment.join_strings((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_List(self, node: jinja2.nodes.List, frame: Frame) -> None:  # noqa: N802 - Jinja
        self.write("environment.own(")
        super().visit_List(node, frame)
        self.write(")")

    def visit_Const(self, node: jinja2.nodes.Const, frame: Frame) -> None:  # noqa: N802 - Jinja
        is_list = isinstance(node.as_const(frame.eval_ctx), list)  # `[]` is a constant, too
        self.write("environment.own(" if is_list else "")
        super().visit_Const(node, frame)
        self.write(")" if is_list else "")

    def visit_Tuple(self, node: jinja2.nodes.Tuple, frame: Frame) -> None:  # noqa: N802 - Jinja
        # A tuple that is stored to is a target of an assignment, not a value.
        if node.ctx == "store":
            super().visit_Tuple(node, frame)
            return
        self.write("environment.charge(")
        super().visit_Tuple(node, frame)
        self.write(")")

    def visit_Dict(self, node: jinja2.nodes.Dict, frame: Frame) -> None:  # noqa: N802 - Jinja
        self.write("environment.charge(")
        super().visit_Dict(node, frame)
        self.write(")")


class _OwnList(list[Any]):
    """A list that a template wrote down itself, and so may change."""


class CompiledTemplate:
    """A template that any number of threads may render.

    Attributes:
        variables: Names that it takes from outside.
    """

    def __init__(self, source: str) -> None:
        """Compile.

        Raises:
            TemplateFailed: It is no template, or compiling it took too long.
        """
        environment = _SandboxEnvironment()
        self._template, self.variables = run_limited(
            lambda: (
                environment.from_string(source),
                frozenset(meta.find_undeclared_variables(environment.parse(source))),
            )
        )

    def render(self, values: Mapping[str, object]) -> str:
        """Render with these variables.

        Raises:
            TemplateFailed: It raised, or went over a limit.
        """
        return run_limited(lambda: self._template.render(values))


class _SandboxEnvironment(ImmutableSandboxedEnvironment):
    """Renders templates under the limits of this module."""

    code_generator_class = _WeighingGenerator
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[_GenerationTag, loopcontrols],
            finalize=_finalize,
        )
        # Per thread, as every rendering has a thread of its own.
        self._spent = threading.local()
        self.concat = self._concat  # type: ignore[method-assign]  # Jinja looks it up here
        kept = {name: self.filters[name] for name in _FILTERS}
        self.filters.clear()
        self.filters.update({name: self._charged(function) for name, function in kept.items()})
        self.filters.update(
            tojson=self._to_json,
            join=self._join,
            list=self._list,
            string=lambda value: self.join_strings((value,)),
            safe=lambda value: self.join_strings((value,)),
            replace=lambda text, old, new, count=-1: self._replace(str(text), str(old), str(new), count),
            indent=self._indent,
        )
        self.globals.pop("lipsum", None)
        self.globals.update(raise_exception=_raise_exception, strftime_now=_strftime_now)

    # --- scales ------------------------------------------------------------------------------------------

    def charge(self, value: T) -> T:
        """Count `value` against the budget of this rendering and give it back.

        Raises:
            TemplateTooGreedyError: It alone, or all together, is too much.
        """
        self._spend(weigh(value))
        return value

    def own(self, value: list[Any]) -> list[Any]:
        """Count a list of the template's own.

        Raises:
            TemplateTooGreedyError: As `charge`.
        """
        return self.charge(_OwnList(value))

    def _spend(self, weight: int) -> None:
        spent = getattr(self._spent, "weight", 0) + weight
        if spent > MAX_TOTAL_WEIGHT:
            raise TemplateTooGreedyError("the template builds too much")
        self._spent.weight = spent

    def join_strings(self, parts: Iterable[object]) -> str:
        """Concatenate as `~` does, weighing each part before its text is made."""
        return self._concat(map(_text, parts))

    def _concat(self, parts: Iterable[str]) -> str:
        kept: list[str] = []
        total = 0
        for part in parts:
            total += len(part)
            if total > MAX_WEIGHT:
                raise TemplateTooGreedyError("a text is too long")
            kept.append(part)
        self._spend(total)
        return "".join(kept)

    def _charged(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)  # carries Jinja's marks for context arguments along
        def charged(*args: Any, **kwargs: Any) -> Any:
            return self.charge(function(*args, **kwargs))

        return charged

    # --- operations whose result can dwarf their operands -------------------------------------------------

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Jinja's hook for operators: weighs the operands where the result can be far larger."""
        if operator == "*":
            self._check_product(left, right)
        elif operator == "**":
            if isinstance(left, int) and isinstance(right, int) and left.bit_length() * right > MAX_INT_BITS:
                raise TemplateTooGreedyError("a number is too large")
        elif operator == "%" and isinstance(left, str):
            weigh(right)
            if _WIDE_FORMAT.search(left):
                raise TemplateTooGreedyError("a format is too wide")
        return self.charge(super().call_binop(context, operator, left, right))

    def _check_product(self, left: Any, right: Any) -> None:
        for many, times in ((left, right), (right, left)):
            if isinstance(many, (str, list, tuple, bytes)) and isinstance(times, int):
                if weigh(many) * max(times, 0) > MAX_WEIGHT:
                    raise TemplateTooGreedyError("a repetition is too long")
                return
        are_numbers = isinstance(left, int) and isinstance(right, int)
        if are_numbers and left.bit_length() + right.bit_length() > MAX_INT_BITS:
            raise TemplateTooGreedyError("a number is too large")

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as Jinja
        """Jinja's hook for calls."""
        owner = getattr(__obj, "__self__", None)
        name = getattr(__obj, "__name__", "")
        if isinstance(owner, _OwnList) and name == "append":
            __self._spend(weigh(args))
        if isinstance(owner, str):
            # Jinja adds keywords of its own (`_loop_vars`); these two methods take none.
            if name == "join" and len(args) == 1:
                return __self._join(args[0], owner)
            if name == "replace" and len(args) in (2, 3):
                return __self._replace(owner, *args)
        return __self.charge(super().call(__context, __obj, *args, **kwargs))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Jinja's hook for `str.format`: refuses wide fields."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        def limited(*args: Any, **kwargs: Any) -> str:
            weigh((args, kwargs))
            if _WIDE_FORMAT.search(value.__self__):
                raise TemplateTooGreedyError("a format is too wide")
            return wrapped(*args, **kwargs)

        return limited

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Jinja's hook for attributes: on plain values only the methods listed above."""
        if isinstance(obj, _OwnList) and attr in ("append", "pop"):
            return True
        if not super().is_safe_attribute(obj, attr, value):
            return False
        for kind, names in _METHODS:
            if isinstance(obj, kind):
                return attr in names
        return True

    def _join(self, items: Iterable[object], separator: object = "", attribute: str | None = None) -> str:
        if attribute is not None:
            items = [self.getattr(item, attribute) for item in items]
        between = _text(separator)
        parts: list[object] = []
        for item in items:
            if parts:
                parts.append(between)
            parts.append(item)
            self._spend(2)
        return self.join_strings(parts)

    def _replace(self, text: str, old: str, new: str, count: int | None = -1) -> str:
        if len(text) + text.count(old) * len(new) > MAX_WEIGHT:
            raise TemplateTooGreedyError("a replacement is too long")
        return self.charge(text.replace(old, new, -1 if count is None else count))

    def _list(self, items: Iterable[object]) -> list[object]:
        kept: list[object] = []
        for item in items:
            self._spend(weigh(item))
            kept.append(item)
        return kept

    def _indent(self, text: object, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
        margin = width if isinstance(width, str) else " " * min(int(width), 1000)
        lines = _text(text).split("\n")
        return self._concat(
            ("" if number == 0 else "\n")
            + (margin if (first if number == 0 else True) and (line or blank) else "")
            + line
            for number, line in enumerate(lines)
        )

    def _to_json(
        self,
        value: Any,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        if isinstance(value, types.GeneratorType):
            value = self._list(value)
        weigh(value)
        if indent is not None and not 0 <= indent <= 16:
            raise TemplateTooGreedyError("an indentation is too wide")
        dumped = json.dumps(
            value, ensure_ascii=False, indent=indent, separators=separators, sort_keys=sort_keys
        )
        if ensure_ascii and BEGIN not in dumped:
            dumped = json.dumps(value, indent=indent, separators=separators, sort_keys=sort_keys)
        return self.charge(marked_as_json(dumped))


def _text(value: object) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int) and value.bit_length() > MAX_INT_BITS:
        raise TemplateTooGreedyError("a number is too large")
    weigh(value)
    return str(value)


def _finalize(value: object) -> object:
    """Applied by Jinja to everything that is output by `{{ ... }}`."""
    if value is None or isinstance(value, (str, Undefined)):
        return value
    return _text(value)


def _raise_exception(message: object) -> NoReturn:
    raise ValueError(_text(message))


def _strftime_now(pattern: str) -> str:
    if len(pattern) > 1000 or _WIDE_DATE.search(pattern):
        raise TemplateTooGreedyError("a date format is too wide")
    return datetime.now().strftime(pattern)
