"""What is missing, maps nowhere or disagrees with config.json is named before a byte is written."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_llama import N_EMBD, N_VOCAB

from ggjit_convert.architectures import architecture_of
from ggjit_convert.errors import CheckpointError
from ggjit_convert.mapping import named
from ggjit_convert.origins import FromCheckpoint
from ggjit_convert.rehearsal import rehearsed
from ggjit_convert.sources import Checkpoint, open_checkpoint
from ggjit_convert.transforms import floats

DATA = Path(__file__).parent / "data"


def test_tensors_of_another_shape_are_named_together(tmp_path):
    shutil.copytree(DATA / "qwen2_odd", tmp_path / "m")
    config = json.loads((tmp_path / "m/config.json").read_text())
    config["intermediate_size"] += 8
    (tmp_path / "m/config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError) as error:
        FromCheckpoint.at(tmp_path / "m", vocabulary=False)
    named = re.findall(r"blk\.\d+\.ffn_\w+\.weight", str(error.value))
    assert len(named) == len(set(named)) == min(3 * config["num_hidden_layers"], 8)
    assert "have other shapes than config.json says" in str(error.value)


def refused(folder):
    with pytest.raises(CheckpointError) as error:
        FromCheckpoint.at(folder, vocabulary=False)
    return str(error.value).partition(": ")[2]


def test_all_that_is_wrong_is_said_at_once(checkpoint):
    x = np.zeros((3, 5), np.float32)
    layer = "model.layers.{}.{}.weight".format
    folder = checkpoint({
        "model.odd.weight": x, layer(0, "mlp.up_proj"): x, layer(1, "input_layernorm"): None,
        **{layer(i, "mlp.down_proj"): None for i in range(2)}, layer(1, "self_attn.o_proj"): x[0],
    })  # fmt: skip
    assert refused(folder).split("; ") == [
        "1 tensor has no place in this architecture: 'model.odd.weight'",
        "3 tensors are missing: 'blk.1.attn_norm.weight', 'blk.0.ffn_down.weight', "
        "'blk.1.ffn_down.weight'",
        "2 tensors have other shapes than config.json says: "
        "'blk.0.ffn_up.weight [3, 5] instead of [64, 32]', "
        "'blk.1.attn_output.weight [5] instead of [32, 32]'",
    ]


def test_integers_are_no_weights_and_none_is_empty(checkpoint):
    layer = "model.layers.{}.{}.weight".format
    folder = checkpoint({
        layer(0, "mlp.up_proj"): np.ones((64, N_EMBD), np.int8),
        layer(1, "self_attn.q_proj"): np.ones((N_EMBD, N_EMBD), np.uint8),
        "lm_head.weight": np.ones((0, N_EMBD), np.float32),
    })  # fmt: skip
    assert refused(folder).split("; ")[-2:] == [
        "2 tensors are of integers, which nothing says the scales of: 'blk.0.ffn_up.weight', "
        "'blk.1.attn_q.weight'",
        "1 tensor is empty: 'output.weight'",
    ]


@pytest.mark.parametrize("name", ["blk.0.odd.weight", f"blk.{'9' * 5000}.ffn_up.weight"])
def test_names_of_gguf_are_only_made_by_families(checkpoint, name):
    folder = checkpoint({name: np.ones((64, N_EMBD), np.float32)})
    assert refused(folder) == f"1 tensor has no place in this architecture: {name[:96]!r}"


@pytest.mark.parametrize("rows", [N_VOCAB - 1, N_VOCAB, N_VOCAB + 1])
def test_rows_of_the_embedding(checkpoint, rows):
    names = ("model.embed_tokens.weight", "lm_head.weight")
    folder = checkpoint({name: np.ones((rows, N_EMBD), np.float32) for name in names})
    if rows >= N_VOCAB:
        FromCheckpoint.at(folder, vocabulary=False)
        return
    assert refused(folder).endswith(
        "'token_embd.weight [39, 32] instead of [40, 32]', 'output.weight [39, 32] instead of "
        "[40, 32]'"
    )


def test_an_embedding_that_is_missing_is_all_that_is_said(checkpoint):
    changes = {"model.embed_tokens.weight": None, "model.norm.weight": None}
    output = {"lm_head.weight": np.ones((N_VOCAB, N_EMBD), np.float32)}
    says = "2 tensors are missing: 'token_embd.weight', 'output_norm.weight'"
    assert refused(checkpoint(changes)) == says
    assert refused(checkpoint(changes | output)) == says


def test_experts_that_are_missing_or_of_another_shape(tmp_path):
    known = open_checkpoint(DATA / "mixtral_1_of_3")
    expert = "model.layers.{}.block_sparse_moe.experts.{}.{}.weight".format
    tensors = dict(known.tensors)
    del tensors[expert(0, 1, "w1")], tensors[expert(1, 2, "w2")]
    tensors[expert(0, 0, "w3")] = floats("odd", np.ones((3, 5)))
    with pytest.raises(CheckpointError) as error:
        FromCheckpoint(Checkpoint(known.path, known.config, tensors))
    assert str(error.value).partition(": ")[2] == (
        "2 tensors have not the 3 experts that config.json says: "
        "'model.layers.0.block_sparse_moe.experts.w1.weight', "
        "'model.layers.1.block_sparse_moe.experts.w2.weight'; "
        "1 tensor has experts of different shapes: "
        "'model.layers.0.block_sparse_moe.experts.w3.weight'"
    )


def test_experts_are_counted_without_a_list_of_all():
    known = open_checkpoint(DATA / "mixtral_1_of_3")
    config = known.config | {"num_local_experts": (1 << 32) - 1}
    with pytest.raises(CheckpointError, match="have not the 4294967295 experts"):
        FromCheckpoint(Checkpoint(known.path, config, known.tensors))


@pytest.mark.parametrize("name", ["deepseek2_v3", "kimi_wide", "qwen3next_wide", "gptoss_1_of_3"])
def test_what_is_missing_does_not_make_others_wrong(name):
    family = architecture_of(open_checkpoint(DATA / name))
    found, _ = named(family, family.more_tensors())
    for part in {re.sub(r"^blk\.\d+", "", name) for name in found}:
        left = {name: a for name, a in found.items() if not name.endswith(part)}
        missing, wrong = rehearsed(family, left, [])
        assert not wrong, part
        assert not set(missing) & left.keys()
