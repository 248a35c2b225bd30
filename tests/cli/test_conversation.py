"""Messages, and the file that keeps them."""

import json
import os

import pytest

from ggjit.cli.conversation import Conversation


def roles(conversation):
    return [m["role"] for m in conversation.messages]


@pytest.fixture
def talk():
    conversation = Conversation("be brief")
    conversation.ask("hi")
    conversation.answer("hello é")
    return conversation


def test_messages_in_turn(talk):
    assert [m["content"] for m in talk.messages] == ["be brief", "hi", "hello é"]
    talk.reset()
    assert roles(talk) == ["system"]
    talk.set_system("")
    assert talk.messages == []


def test_a_question_without_reply_is_taken_back(talk):
    talk.ask("and now?")
    talk.answer("")
    assert roles(talk) == ["system", "user", "assistant"]


def test_a_new_system_message_keeps_the_conversation(talk):
    talk.set_system("be long")
    assert [m["content"] for m in talk.messages] == ["be long", "hi", "hello é"]


def test_what_is_saved_is_what_is_loaded(talk, tmp_path):
    path = tmp_path / "talk.json"
    talk.save(path)
    assert json.loads(path.read_text("utf-8")) == talk.messages
    other = Conversation()
    other.load(path)
    assert other.messages == talk.messages
    assert os.listdir(tmp_path) == ["talk.json"]


def test_a_failed_save_leaves_the_old_file(talk, tmp_path, monkeypatch):
    path = tmp_path / "talk.json"
    path.write_text("old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        talk.save(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["talk.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"a": 1}', "is not a saved conversation"),
        ('[{"role": "user"}]', "is not a saved conversation"),
        ('[{"role": "pirate", "content": "a"}]', "is not a saved conversation"),
        ('[{"role": "user", "content": 5}]', "is not a saved conversation"),
        ("\udcff", "is not JSON"),
    ],
)
def test_another_file_is_refused_and_changes_nothing(talk, tmp_path, text, message):
    path = tmp_path / "other.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    before = talk.messages.copy()
    with pytest.raises(ValueError, match=message):
        talk.load(path)
    assert talk.messages == before
