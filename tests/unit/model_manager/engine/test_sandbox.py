"""No template runs code, hangs or floods: every one of these ends with a typed error."""

from __future__ import annotations

import threading

import pytest

from model_manager.engine.deadline import run_limited
from model_manager.engine.sandbox import MAX_WEIGHT, CompiledTemplate
from model_manager.errors import TemplateFailed

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__class__ }}{{ messages.__class__.__base__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__['__builtins__'] }}",
    "{{ self._TemplateReference__context }}",
    "{{ self.__init__.__globals__ }}",
    "{{ ''|attr('__class__')|attr('__mro__') }}",
    "{{ ['__class__']|map('attr')|list }}{{ (messages|map(attribute='__class__')|list)[0].mro() }}",
    "{{ '{0.__class__.__mro__}'.format(1) }}",
    "{{ '{x.__class__}'.format_map({'x': 1}) }}",
    "{% set f = '{0.__class__.__init__.__globals__}'.format %}{{ f(namespace()) }}",
    "{{ raise_exception.__globals__ }}",
    "{{ strftime_now.__code__ }}",
    "{{ messages.append({}) }}",
    "{{ messages[0].update({'role': 'system'}) }}",
    "{{ range.__class__('X', (), {}) }}",
    "{{ (1).to_bytes(10) }}",
    "{{ ''.encode().hex() }}",
    "{{ lipsum(n=100) }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os }}",
    "{% extends 'x' %}",
    "{{ get_flashed_messages() }}",
]


def grow(start: str, step: str) -> str:
    """A template that does to a value sixty times what doubles it, or worse."""
    name = start[0]
    loop = f"{{% for i in range(60) %}}{{% set ns.{name} = {step} %}}{{% endfor %}}"
    return f"{{% set ns = namespace({start}) %}}{loop}{{{{ ns.{name} }}}}"


FLOODS = [
    "{{ 'x' * 10**9 }}",
    "{{ 10**9 * 'x' }}",
    "{{ [0] * 10**9 }}",
    "{{ (1,) * 10**9 }}",
    "{{ range(10**9)|list }}",
    "{% set a = [] %}{% for i in range(60) %}{{ a.append(a) }}{% endfor %}{{ a }}",
    "{% set a = [] %}{% for i in range(10**9) %}{% set _ = a.append('x' * 1000) %}{% endfor %}",
    "{{ 9**9**9**9**9 }}",
    grow("x=3", "ns.x * ns.x"),
    grow("s='x'", "ns.s + ns.s"),
    grow("s='x'", "ns.s ~ ns.s"),
    "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set b %}{{ ns.s }}{{ ns.s }}{% endset %}"
    "{% set ns.s = b %}{% endfor %}{{ ns.s }}",
    grow("s='x'", "[ns.s, ns.s]|join"),
    grow("s='x'", "''.join([ns.s, ns.s])"),
    grow("s='xx'", "ns.s.replace('x', ns.s)"),
    grow("s='xx'", "ns.s|replace('x', ns.s)"),
    grow("a=[1]", "[ns.a, ns.a]"),
    grow("a=[1]", "(ns.a, ns.a)"),
    grow("a={}", "{'a': ns.a, 'b': ns.a}"),
    grow("a={}", "dict(a=ns.a, b=ns.a)"),
    grow("a=[1]", "ns.a + ns.a"),
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '{:{}}'.format(1, 1000000000) }}",
    "{{ 'x'|center(1000000000) }}",
    "{{ 'x'.ljust(1000000000) }}",
    "{{ 'x'.zfill(1000000000) }}",
    "{{ '\t'.expandtabs(1000000000) }}",
    "{{ 'x'|indent(1000000000) }}{{ raise_exception('wide') }}",
    "{{ [1]|tojson(indent=1000000000) }}",
    "{{ strftime_now('%1000000000Y') }}",
    "{% for i in range(100000) %}{{ 'x' * 1000 }}{% endfor %}",
    "{% for i in range(100000) %}" + "x" * 1000 + "{% endfor %}",
    "{% set x = 'x' * 1000000 %}{% for i in range(100000) %}{% set y = x ~ i %}{% endfor %}",
    "{{ range(100000)|map('string')|map('list')|list }}{{ raise_exception('done') }}",
]

HANGS = [
    "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(200) }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% for a in range(100000) %}{% for b in range(100000) if b < 0 %}{% endfor %}{% endfor %}",
    "{% for a in range(100000) %}{{ range(100000)|max }}{% endfor %}",
    "{% for a in range(100000) %}{{ range(100000)|select('odd')|list|length }}{% endfor %}",
    "{% for a in [[1]] recursive %}{{ loop([[a]]) }}{% endfor %}",
]

NOT_TEMPLATES = ["{% if %}", "{{ x", "{% endfor %}", "{{ '(' * }}", "((" * 5000 + "{{ " + "(" * 5000 + " }}"]

MESSAGES = {"messages": [{"role": "user", "content": "hello"}]}


def render(source: str) -> str:
    return CompiledTemplate(source).render(MESSAGES)


@pytest.mark.parametrize("source", ESCAPES)
def test_template_that_reaches_for_more_gets_nothing(source: str) -> None:
    try:
        text = render(source)
    except TemplateFailed:
        return
    # What is merely looked at and not used is undefined, and that prints as nothing.
    assert text == ""


@pytest.mark.parametrize("source", FLOODS)
def test_template_that_builds_too_much_is_refused(source: str) -> None:
    with pytest.raises(TemplateFailed) as caught:
        render(source)
    assert "MemoryError" not in caught.value.reason


@pytest.mark.parametrize("source", HANGS)
def test_template_that_does_not_end_is_ended(source: str) -> None:
    with pytest.raises(TemplateFailed):
        render(source)
    assert not [thread for thread in threading.enumerate() if thread.name == "template"]


@pytest.mark.parametrize("source", NOT_TEMPLATES)
def test_text_that_is_no_template_is_refused(source: str) -> None:
    with pytest.raises(TemplateFailed):
        render(source)


def test_raise_exception_is_told_with_its_words() -> None:
    with pytest.raises(TemplateFailed, match="roles must alternate"):
        render("{{ raise_exception('roles must alternate') }}")


def test_what_templates_use_works() -> None:
    source = (
        "{%- set ns = namespace(found=false, n=0) -%}"
        "{%- for message in messages -%}"
        "  {%- if loop.first and message['role'] == 'user' and message.content is string -%}"
        "    {%- set ns.found = true -%}{% continue %}"
        "  {%- endif -%}"
        "{%- endfor -%}"
        "{% generation %}{{ messages|tojson }}{% endgeneration %}|"
        "{{ messages[0].content[:4]|upper }}|{{ ns.found }}|{{ [1, 2]|join(', ') }}|"
        "{{ 'a b'.split(' ')|last }}|{{ messages|selectattr('role', 'equalto', 'user')|list|length }}|"
        "{{ {'a': '<b>'}.items()|list }}|{{ 'x' * 3 ~ 1 }}|{{ 'a%sc' % 'b' }}|{{ '{}-{}'.format(1, 2) }}|"
        "{{ messages[0].get('nothing', 'otherwise') }}|{{ missing is defined }}|{{ 'a\nb'|indent(2) }}|"
        "{{ strftime_now('%Y')|length }}|{{ messages[-1]['content'].replace('l', 'L', 1) }}|{{ none }}"
        "{%- macro f(x) %}[{{ x }}]{% endmacro -%}|{{ f('y') }}|{{ {'b': 1, 'a': 2}|dictsort }}"
    )
    assert render(source) == (
        '[{"role": "user", "content": "hello"}]|HELL|True|1, 2|b|1|[(\'a\', \'<b>\')]|xxx1|abc|1-2|otherwise|'
        "False|a\n  b|4|heLlo|None|[y]|[('a', 2), ('b', 1)]"
    )


def test_large_but_sane_output_passes() -> None:
    text = render("{% for i in range(1000) %}" + "x" * 1000 + "{% endfor %}")
    assert len(text) == 1_000_000 < MAX_WEIGHT


def test_deadline_ends_python_that_does_not_end() -> None:
    def forever() -> None:
        while True:
            pass

    with pytest.raises(TemplateFailed, match="too long"):
        run_limited(forever, timeout_s=0.05)


def test_deadline_passes_results_on() -> None:
    assert run_limited(lambda: 7) == 7


def test_template_may_change_lists_of_its_own() -> None:
    source = (
        "{% set ns = namespace(seen=[]) %}"
        "{% for m in messages %}{% set _ = ns.seen.append(m.role) %}{% endfor %}"
        "{% set last = ns.seen.pop() %}{{ ns.seen | join(',') }}|{{ last }}"
    )
    messages = [{"role": "a"}, {"role": "b"}, {"role": "c"}]
    assert CompiledTemplate(source).render({"messages": messages}) == "a,b|c"
