"""Checkpoints from a hub on loopback: what is fetched, and what the model is called."""

import json
import os
import subprocess
import sys

import pytest
from fake_hub import FakeHub

from ggjit_convert.sources.hub import needed

pytest.importorskip("huggingface_hub")

OPEN = """
import sys
from ggjit_convert.sources import located, open_checkpoint
try:
    checkpoint = open_checkpoint(located(sys.argv[1]))
    files = sorted(path.name for path in checkpoint.folder.iterdir())
    print(checkpoint.name, *checkpoint.tensors, *files)
except (ValueError, OSError) as error:
    print(type(error).__name__, str(error))
"""
REPO = "someone/small-model"


@pytest.fixture
def hub():
    hub = FakeHub()
    yield hub
    hub.stop()


@pytest.fixture
def ask(hub, tmp_path):
    def ask(reference):
        own = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
        run = subprocess.run(
            [sys.executable, "-c", OPEN, reference], env={**os.environ, **own},
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        [line] = run.stdout.splitlines()
        return line

    return ask


def weights():
    header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


def test_a_checkpoint_is_fetched_then_found_without_the_hub(hub, ask):
    hub.repos[REPO] = {
        "config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": weights(),
        "pytorch_model.bin": b"not asked for", "code.py": b"", "onnx/model.safetensors": b"",
    }  # fmt: skip
    said = ask(f"hf:{REPO}")
    assert said == "small-model x config.json model.safetensors tokenizer.json"
    hub.stop()
    assert ask(f"hf:{REPO}") == said


def test_what_cannot_be_fetched_is_one_sentence(hub, ask):
    hub.repos[REPO] = {"README.md": b"#"}
    assert ask(f"hf:{REPO}").startswith(f"ValueError hf:{REPO} holds no weights, looked for model*")
    assert ask("hf:no/such").startswith("ValueError hf:no/such: no such repository")
    assert ask("hf:alone").startswith("ValueError hf:alone: expected hf:OWNER/REPO")
    hub.stop()
    said = ask("hf:an/other")
    assert said.startswith("FetchError could not fetch hf:an/other: ")
    assert said.endswith("; without a network, name a folder that holds the checkpoint")


def test_one_kind_of_weights_is_needed():
    shards = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    beside = ["README.md", "config.json", "tokenizer.model"]
    names = [*shards, *beside, "pytorch_model.bin.index.json", "training_args.bin", "a/b.json"]
    expected = [*beside[:2], "pytorch_model.bin.index.json", beside[2], *shards]
    assert needed(names, REPO) == expected
    assert needed([*names, "model.safetensors"], REPO) == [*beside, "model.safetensors"]
    template = "additional_chat_templates/rag.jinja"
    assert needed([template, *names], REPO) == [*expected, template]
    adapter = ["adapter_config.json", "adapter_model.bin", "adapter_model.safetensors"]
    assert needed(adapter, REPO) == [adapter[0], adapter[2]]
