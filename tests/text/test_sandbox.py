"""Hostile chat templates: they reach nothing, and they end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import tiny_vocab
from tiny_vocab import bpe_metadata

from ggjit.gguf import GGUFError
from ggjit.text import ChatTemplate, Tokenizer

MESSAGES = [{"role": "user", "content": "hello"}]

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ '{0.__class__}'.format('') }}",
    "{{ '{x.__class__}'.format_map({'x': ''}) }}",
    "{{ cycler.__init__.__globals__.os.system('true') }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ raise_exception.__globals__ }}",
    "{{ strftime_now.__code__.co_filename }}",
    "{{ self._TemplateReference__context }}",
    "{{ messages|map(attribute='__class__')|list }}",
    "{{ ['a']|map('attr', '__class__')|list }}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update({'role': 'system'}) }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os.system('true') }}",
    "{{ lipsum.__globals__ }}",
    "{{ (messages|select|attr('gi_frame')).f_back }}",
    "{% macro m() %}{% endmacro %}{{ m._environment }}",
]

EXPENSIVE = {
    "a repeated string": "{{ 'a' * 10**9 }}",
    "a repeated list": "{{ [1] * 10**9 }}",
    "a power": "{{ 9 ** (9 ** 9) }}",
    "products": "{% set n = namespace(x=9) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}"
    "{% endfor %}",
    "nested loops": "{% set r = range(99999) %}{% for i in r %}{% for j in r %}{% endfor %}"
    "{% endfor %}",
    "output": "{% for i in range(99999) %}{{ 'x' * 999 }}{% endfor %}",
    "center": "{{ 'a'|center(10**9) }}",
    "ljust": "{{ 'a'.ljust(10**9) }}",
    "a format": "{{ '{:1000000000}'.format(1) }}",
    "a format with a width given": "{{ '{:{w}}'.format(1, w=10**9) }}",
    "a % format": "{{ '%1000000000d' % 1 }}",
    "a % format with a width given": "{{ '%*d' % (10**9, 1) }}",
    "replacements": "{{ ('a' * 10**6).replace('a', 'b' * 10**6) }}",
    "the replace filter": "{{ ('a' * 10**6)|replace('a', 'b' * 10**6) }}",
    "joined": "{{ (['x' * 10**6] * 10**4)|join }}",
    "joined by a method": "{{ ''.join(['x' * 10**6] * 10**4) }}",
    "joined by a long text": "{{ ([1] * 10**4)|join('x' * 10**6) }}",
    "indented": "{{ ('x\n' * 10**5)|indent(10**5) }}",
    "tabs": "{{ ('\t' * 10**5).expandtabs(10**5) }}",
    "bytes": "{{ (5).to_bytes(10**10, 'big') }}",
    "rounded": "{{ 1|round(10**9, 'ceil') }}",
    "doubled by ~": "{% set n = namespace(s='aa') %}{% for i in range(60) %}"
    "{% set n.s = n.s ~ n.s %}{% endfor %}",
    "doubled by +": "{% set n = namespace(s=[1]) %}{% for i in range(60) %}"
    "{% set n.s = n.s + n.s %}{% endfor %}",
    "doubled by a block": "{% set n = namespace(s='aa') %}{% for i in range(60) %}"
    "{% set n.s %}{{ n.s }}{{ n.s }}{% endset %}{% endfor %}",
    "doubled by nesting": "{% set n = namespace(s=[1]) %}{% for i in range(60) %}"
    "{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s }}",
    "as JSON": "{{ ([[1] * 10**4] * 10**4)|tojson }}",
    "wide JSON": "{{ messages|tojson(indent=10**9) }}",
    "a deep macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a recursive loop": "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "a long range": "{{ range(10**12)|list }}",
    "a long source": "x" * (1 << 21),
    "deep brackets": "{{ " + "(" * 5000,
    "deep blocks": "{% if 1 %}" * 500 + "{% endif %}" * 500,
}

FAULTY = {
    "not closed": "{% if messages %}",
    "no such filter": "{{ messages|klingon }}",
    "no such tag": "{% klingon %}",
    "an undefined name": "{{ klingon.x }}",
    "a division": "{{ 1 / 0 }}",
    "a refusal": "{{ raise_exception('roles must alternate') }}",
}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("sandbox") / "model.gguf"
    return tiny_vocab.tokenizer(path, bpe_metadata())


def error_of(source: str, tokenizer: Tokenizer) -> str:
    template = ChatTemplate(source, tokenizer, Path("model.gguf"))
    with pytest.raises(GGUFError) as error:
        template.render(MESSAGES)
    text = str(error.value)
    assert text.startswith("model.gguf: tokenizer.chat_template: ")
    assert text.isprintable()
    return text


@pytest.mark.parametrize("source", ESCAPES)
def test_escapes(tokenizer: Tokenizer, source: str) -> None:
    error_of(source, tokenizer)
    assert MESSAGES == [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize("name", EXPENSIVE)
def test_expensive(tokenizer: Tokenizer, name: str) -> None:
    start = time.process_time()
    error_of(EXPENSIVE[name], tokenizer)
    assert time.process_time() - start < 4  # twice what it may take


@pytest.mark.parametrize("name", FAULTY)
def test_faulty(tokenizer: Tokenizer, name: str) -> None:
    error_of(FAULTY[name], tokenizer)


def test_what_the_author_says_is_passed_on(tokenizer: Tokenizer) -> None:
    assert error_of(FAULTY["a refusal"], tokenizer).endswith("roles must alternate")
    assert "line 1" in error_of(FAULTY["not closed"], tokenizer)


def test_loops_count_but_still_know_their_length(tokenizer: Tokenizer) -> None:
    source = (
        "{% for a, b in {'x': 1, 'y': 2}.items() %}"
        "{{ loop.index }}/{{ loop.length }}{{ a }}{{ b }}{{ ',' if not loop.last }}"
        "{% if loop.first %}{% continue %}{% endif %}{% break %}{% endfor %}"
        "{% for i in [] %}{% else %}!{% endfor %}{% for c in 'ab' %}{{ c }}{% endfor %}"
    )
    template = ChatTemplate(source, tokenizer, Path("model.gguf"))
    assert template.render(MESSAGES) == "1/2x1,2/2y2!ab"


def test_a_long_chat_is_no_attack(tokenizer: Tokenizer) -> None:
    source = "{% for m in messages %}{{ '<' + m.role + '>' + m.content | trim + '\n' }}{% endfor %}"
    template = ChatTemplate(source, tokenizer, Path("model.gguf"))
    turns = [{"role": "user", "content": "x" * 1000}] * 1000
    assert len(template.render(turns)) == 1000 * 1007
