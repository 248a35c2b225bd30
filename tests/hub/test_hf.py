"""hf: references, with huggingface_hub asking a hub on loopback, each in a process of its own.

The client reads HF_ENDPOINT and HF_HOME once, when it is imported.
"""

import os
import subprocess
import sys

import pytest
from fake_hub import FakeHub

from ggjit.hub.hf import choose

pytest.importorskip("huggingface_hub")

RESOLVE = """
import sys
from ggjit.hub import resolve
try:
    print(resolve(sys.argv[1]))
except (ValueError, OSError) as error:
    print(type(error).__name__, str(error))
"""
REPO = "someone/model-GGUF"


@pytest.fixture
def hub():
    hub = FakeHub()
    yield hub
    hub.stop()


@pytest.fixture
def ask(hub, tmp_path):
    def ask(reference, **environment):
        own = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
        run = subprocess.run(
            [sys.executable, "-c", RESOLVE, reference],
            env={**os.environ, **own, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert run.stderr == ""
        [line] = run.stdout.splitlines()
        return line

    return ask


def test_a_quant_is_fetched_then_found_without_the_hub(hub, ask):
    hub.repos[REPO] = {"README.md": b"#", "m-Q4_0.gguf": b"GGUF four", "m-Q8_0.gguf": b"GGUF 8"}
    path = ask(f"hf:{REPO}:q4_0")
    with open(path, "rb") as file:
        assert file.read() == b"GGUF four"
    hub.stop()
    assert ask(f"hf:{REPO}:q4_0") == path
    assert ask(f"hf:{REPO}:Q4_0", HF_HUB_OFFLINE="1") == path
    missing = ask(f"hf:{REPO}:Q8_0", HF_HUB_OFFLINE="1")
    assert missing == f"ValueError hf:{REPO} has no Q8_0, only: m-Q4_0.gguf"


def test_all_shards_are_fetched_and_the_first_is_the_model(hub, ask):
    shards = {f"q/m-Q8_0-0000{i}-of-00002.gguf": b"shard %d" % i for i in (2, 1)}
    hub.repos[REPO] = {**shards, "q/m-Q4_0.gguf": b"x"}
    path = ask(f"hf:{REPO}:Q8_0")
    assert path.endswith("q/m-Q8_0-00001-of-00002.gguf")
    with open(path.replace("00001-of", "00002-of"), "rb") as file:
        assert file.read() == b"shard 2"


def test_what_the_hub_refuses_is_one_sentence(hub, ask):
    assert ask("hf:no/such").startswith("ValueError hf:no/such: no such repository")
    hub.gated.add("gated/model")
    assert ask("hf:gated/model").startswith("FetchError hf:gated/model asks for consent")
    hub.repos[REPO] = {"README.md": b"#"}
    assert ask(f"hf:{REPO}") == f"ValueError hf:{REPO} has no GGUF file"


def test_no_hub_and_nothing_fetched_is_one_sentence(hub, ask):
    hub.stop()
    said = ask(f"hf:{REPO}")
    assert said.startswith(f"FetchError could not fetch hf:{REPO}: ")
    assert said.endswith("name a GGUF file of your own with -m FILE")


@pytest.mark.parametrize("reference", ["hf:", "hf:alone", "hf:a/b/c", "hf:a/", "hf:a b/c"])
def test_a_reference_that_is_none(ask, reference):
    assert ask(reference).startswith(f"ValueError {reference}: expected hf:OWNER/REPO")


def test_without_the_extra_it_is_named(ask, tmp_path):
    (tmp_path / "shadow" / "huggingface_hub").mkdir(parents=True)
    blocker = tmp_path / "shadow" / "huggingface_hub" / "__init__.py"
    blocker.write_text("raise ImportError('not here')")
    path = os.pathsep.join([str(tmp_path / "shadow"), *sys.path])
    said = ask(f"hf:{REPO}", PYTHONPATH=path)
    assert said == "FetchError hf: references need huggingface_hub: pip install 'ggjit[hf]'"


SHARDS = ["Q8_0/m-00001-of-00002.gguf", "Q8_0/m-00002-of-00002.gguf"]
NAMES = [
    "config.json",
    "m-IQ4_XS.gguf",
    "m-Q4_K.gguf",
    "m-Q4_K_M.gguf",
    "m.f16.gguf",
    "mmproj-m-f16.gguf",
    *reversed(SHARDS),
]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("Q4_K_M", ["m-Q4_K_M.gguf"]),
        ("q4_k", ["m-Q4_K.gguf"]),
        ("F16", ["m.f16.gguf"]),
        ("Q8_0", ["Q8_0/m-00001-of-00002.gguf", "Q8_0/m-00002-of-00002.gguf"]),
        (
            "Q8_0/m-00002-of-00002.gguf",
            ["Q8_0/m-00001-of-00002.gguf", "Q8_0/m-00002-of-00002.gguf"],
        ),
        ("mmproj-m-f16.gguf", ["mmproj-m-f16.gguf"]),
    ],
)
def test_which_files_a_quant_or_a_name_means(wanted, chosen):
    assert choose(NAMES, "o/r", wanted) == chosen


def test_one_model_needs_no_name():
    assert choose(["README.md", "only.gguf"], "o/r", "") == ["only.gguf"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("", r"hf:o/r has several models, name one of: Q8_0/m\.gguf, m-IQ4_XS\.gguf, "),
        ("Q5_0", r"hf:o/r has no Q5_0, only: "),
        ("Q4_0", "has no Q4_0"),
        ("other.gguf", r"has no other\.gguf"),
        ("config.json", r"has no config\.json"),
    ],
)
def test_several_or_none_are_listed(wanted, message):
    with pytest.raises(ValueError, match=message):
        choose(NAMES, "o/r", wanted)
