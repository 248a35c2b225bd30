"""`ggjit chat` through a pipe, and its loop with a person's keys played in."""

import json
import os
import sys
from types import SimpleNamespace

import pytest
from fake_engine import fake_model, ids_of, rambling

from ggjit.cli.chat import ChatLoop
from ggjit.cli.chat_input import is_unfinished, message_of
from ggjit.cli.conversation import Conversation

USER_DEFINED = 4


@pytest.fixture
def chat(ggjit_command, fake_load, model_file):
    def chat(stdin, *args, model="hello"):
        fake_load.model = fake_model(model) if isinstance(model, str) else model
        return ggjit_command("chat", model_file, "--temp", "0", *args, stdin=stdin)

    return chat


class Keys:
    """Messages typed one after another; an exception is a key such as Ctrl-C."""

    def __init__(self, *typed):
        self._typed = iter(typed)

    def read(self):
        item = next(self._typed, EOFError())
        if isinstance(item, BaseException):
            raise item
        return item() if callable(item) else item


@pytest.fixture
def person(monkeypatch):
    """Somebody at a terminal."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)


def loop_of(model, **limits):
    return ChatLoop(model, Conversation(), {"temperature": 0.0, **limits})


def test_a_reply_for_every_line(chat):
    outcome = chat("hi\n\nhow are you\n")
    assert (outcome.code, outcome.out, outcome.err) == (0, "hello\nhello\n", "")


def test_thoughts_are_shown_but_not_remembered(capsys):
    model = fake_model("{hm}fine")
    ids = {"<think>": ids_of("{")[0], "</think>": ids_of("}")[0]}
    model.tokenizer.vocab = SimpleNamespace(ids=ids, types=[USER_DEFINED] * model.n_vocab)
    loop = loop_of(model)
    loop.run(Keys("hi"))
    assert capsys.readouterr().out == "{hm}fine\n"
    assert loop.conversation.messages[-1] == {"role": "assistant", "content": "fine"}


def test_the_conversation_goes_on(chat):
    model = fake_model("fine")
    chat("hi\nhow are you\n", "-sys", "be brief", model=model)
    template = model.chat_template
    said = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "fine"},
        {"role": "user", "content": "how are you"},
    ]
    assert model._idle[0].ids[:-4] == template.encode(said)
    n_new = len(template.encode(said)) - len(template.encode(said[:2])) - len("fine")
    assert model.executor.runs == [len(template.encode(said[:2])), *[1] * 4, n_new, *[1] * 4]


def test_many_lines_in_one_message(chat):
    model = fake_model("ok")
    outcome = chat('one \\\ntwo\n"""\nthree\n\nfour\n"""\nlast', model=model)
    assert outcome.out == "ok\nok\nok\n"
    text = bytes(id - 4 for id in model._idle[0].ids if id >= 4).decode()
    assert text == "user:one \ntwookuser:three\n\nfourokuser:lastok"


def test_commands(chat, tmp_path):
    path = tmp_path / "kept talk.json"
    outcome = chat(f"hi\n/system be brief\n/save {path}\n/reset\n/load {path}\n/help\n/exit\nhi\n")
    assert outcome.code == 0
    assert outcome.out.count("hello") == 1
    assert "/reset" in outcome.out
    assert json.loads(path.read_text()) == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
    ]


def test_reset_and_load_change_what_the_model_sees(chat, tmp_path):
    path = tmp_path / "talk.json"
    path.write_text(json.dumps([{"role": "user", "content": "old"}]))
    model = fake_model("a")
    chat(f"hi\n/reset\n/load {path}\nnew\n", model=model)
    text = bytes(id - 4 for id in model._idle[0].ids if id >= 4).decode()
    assert text == "user:olduser:newa"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("/dance", "/dance: no such command"),
        ("/save", "/save: the name of a file is missing"),
        ("/load /nowhere/talk.json", "/load: /nowhere/talk.json: No such file"),
        ("/save /nowhere/talk.json", "/save: /nowhere/talk.json: No such file"),
        ("/save /dev", "/save: /dev is not a regular file, and is not written over"),
    ],
)
def test_a_mistyped_command_is_said_and_the_chat_goes_on(person, capsys, typed, message):
    assert loop_of(fake_model("hello")).run(Keys(typed, "hi")) == 0
    out, err = capsys.readouterr()
    assert message in err
    assert out == "hello\n"


def test_a_mistyped_command_in_a_pipe_ends_it(chat):
    outcome = chat("/load /nowhere/talk.json\nhi\n")
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err == "ggjit: error: /nowhere/talk.json: No such file or directory\n"


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        ("/dance\nhi\n", "/dance: no such command, /help lists them"),
        (b"hi\n\n\xff\xfe\n", "standard input is not UTF-8 text at byte 4"),
        (b"\xff\xfe\n", "standard input is not UTF-8 text at byte 0"),
        ("x" * 2000 + "\n", "/reset starts over, /save FILE keeps the conversation\n"),
    ],
)
def test_what_ends_a_chat_through_a_pipe(chat, stdin, message):
    outcome = chat(stdin)
    assert outcome.code == 2
    assert outcome.err.startswith("ggjit: error: ")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


@pytest.mark.skipif(os.name == "nt", reason="a POSIX pipe")
def test_what_is_no_regular_file_is_never_replaced(chat, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    outcome = chat(f"/save {pipe}\n")
    assert outcome.code == 2
    assert f"{pipe} is not a regular file, and is not written over" in outcome.err
    assert pipe.is_fifo()
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]


def test_ctrl_c_stops_the_reply_and_keeps_what_there_is(person, capsys):
    model = fake_model(rambling)
    loop = loop_of(model)
    runs = model.executor.run

    def interrupted(state, ids, logits="last"):
        if len(model.executor.runs) == 4:
            raise KeyboardInterrupt
        return runs(state, ids, logits)

    model.executor.run = interrupted
    assert loop.run(Keys("hi")) == 0
    reply = capsys.readouterr().out.strip()
    assert len(reply) == 4
    assert loop.conversation.messages[1:] == [{"role": "assistant", "content": reply}]


def test_ctrl_c_before_the_first_word_takes_the_question_back(person):
    model = fake_model("hello")
    loop = loop_of(model)
    model.executor.fail = KeyboardInterrupt()
    assert loop.run(Keys("hi")) == 0
    assert loop.conversation.messages == []


def test_ctrl_c_twice_leaves_with_130_once_with_0(person):
    model = fake_model("hello")
    assert loop_of(model).run(Keys(KeyboardInterrupt())) == 0
    assert loop_of(model).run(Keys("hi", KeyboardInterrupt())) == 0
    model.executor.fail = KeyboardInterrupt()
    assert loop_of(model).run(Keys("hi", KeyboardInterrupt())) == 130


def test_ctrl_c_with_nothing_running_warns_once(person, capsys):
    loop = loop_of(fake_model("hello"))
    ctrl_c = KeyboardInterrupt
    assert loop.run(Keys(ctrl_c(), "hi", ctrl_c(), ctrl_c(), "too late")) == 0
    assert capsys.readouterr().err == "press Ctrl-C again or Ctrl-D to leave\n" * 2
    assert [m["content"] for m in loop.conversation.messages] == ["hi", "hello"]


def test_commands_say_what_they_did(person, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    path = tmp_path / "talk.json"
    typed = ("/system be brief", f"/save {path}", f"/load {path}", "/reset", "/system")
    assert loop_of(fake_model("hello")).run(Keys(*typed)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "the system message is set",
        f"saved 1 message in {path}",
        f"loaded 1 message from {path}",
        "the conversation starts over",
        "the system message is removed",
    ]


def test_ctrl_c_after_another_message_leaves_with_0(person):
    model = fake_model("hello")
    loop = loop_of(model)
    model.executor.fail = KeyboardInterrupt()

    def again():
        model.executor.fail = None
        return "again"

    keys = Keys("hi", again, KeyboardInterrupt())
    assert loop.run(keys) == 0
    assert [m["content"] for m in loop.conversation.messages] == ["again", "hello"]


def test_a_full_context_is_said_and_nothing_is_lost(person, capsys):
    loop = loop_of(fake_model(rambling, n_context=15))
    assert loop.run(Keys("hi", "and")) == 0
    out, err = capsys.readouterr()
    question, answer = loop.conversation.messages
    assert question["content"] == "hi"
    assert answer["content"] == out.split()[0]
    assert err.count("not fit; /reset starts over") == 2
    loop.conversation.reset()
    loop.run(Keys("hi"))
    assert len(loop.conversation.messages) == 2


def test_a_reply_that_the_context_ends_is_one_in_a_pipe_too(chat):
    outcome = chat("hi\n/reset\nho\n", model=fake_model(rambling, n_context=15))
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == outcome.err.count("/reset starts over") == 2
    outcome = chat("hi\nho\n", model=fake_model(rambling, n_context=15))
    assert (outcome.code, len(outcome.out.splitlines())) == (2, 1)  # the second has no room


def test_limits_and_stop_strings(chat):
    assert chat("hi\n", "-n", "3").out == "hel\n"
    assert chat("hi\n", "-r", "lo").out == "hel\n"


def test_a_base_model_is_refused_with_advice(chat):
    model = fake_model("x")
    model.chat_template = None
    outcome = chat("hi\n", model=model)
    assert outcome.code == 2
    assert "no chat template" in outcome.err
    assert "ggjit run --raw" in outcome.err


@pytest.mark.parametrize(
    ("text", "unfinished", "message"),
    [
        ("a", False, "a"),
        ("", False, ""),
        ("a\\", True, None),
        ("a\\\nb", False, "a\nb"),
        ('"""', True, None),
        ('"""a', True, None),
        ('"""a"', True, None),
        ('"""a"""', False, "a"),
        ('"""\na\\\n\nb\n"""', False, "a\\\n\nb"),
        ('""""""', False, ""),
        ('say """', False, 'say """'),
    ],
)
def test_what_makes_a_message(text, unfinished, message):
    assert is_unfinished(text) == unfinished
    if not unfinished:
        assert message_of(text) == message
