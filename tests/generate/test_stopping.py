"""Stop strings over text that comes in pieces."""

import random

import pytest

from ggjit.generate import StopRules
from ggjit.generate.stopping import StopStrings


def streamed(pieces, strings):
    stops, shown = StopStrings(strings), []
    for piece in pieces:
        shown.append(stops.push(piece))
        if stops.matched is not None:
            break
    else:
        shown.append(stops.flush())
    return shown, stops.matched


def plainly(text, strings):
    """The text before the first stop string to be complete."""
    for end in range(1, len(text) + 1):
        for string in sorted(strings, key=len, reverse=True):
            if text[:end].endswith(string):
                return text[: end - len(string)], string
    return text, None


def test_nothing_of_a_stop_string_is_shown():
    shown, matched = streamed(["Hello ", "\n", "Us", "er", ": hi"], ["\nUser:"])
    assert shown == ["Hello ", "", "", "", ""]
    assert matched == "\nUser:"


def test_a_beginning_that_comes_to_nothing_is_shown_late():
    shown, matched = streamed(["a", "\nU", "s", "x", "y"], ["\nUser:"])
    assert shown == ["a", "", "", "\nUsx", "y", ""]
    assert matched is None


def test_the_end_of_the_text_releases_what_was_held():
    assert streamed(["abc\nUse"], ["\nUser:"]) == (["abc", "\nUse"], None)


def test_a_string_inside_one_piece_cuts_it():
    assert streamed(["one. two. three"], [". "]) == (["one"], ". ")


def test_no_strings_hold_nothing_back():
    assert streamed(["a", "b"], []) == (["a", "b", ""], None)


def test_any_division_gives_the_same_text():
    rng = random.Random(3)
    for _ in range(2000):
        text = "".join(rng.choices("ab", k=rng.randrange(12)))
        strings = ["".join(rng.choices("ab", k=rng.randrange(1, 5))) for _ in range(3)]
        cuts = sorted(rng.choices(range(len(text) + 1), k=3))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        shown, matched = streamed(pieces, strings)
        assert ("".join(shown), matched) == plainly(text, strings)


def test_senseless_rules_are_refused():
    with pytest.raises(ValueError, match="must not be empty"):
        StopRules(strings=("a", ""))
    with pytest.raises(ValueError, match="max_tokens must be 0 or more, not -3"):
        StopRules(max_tokens=-3)
