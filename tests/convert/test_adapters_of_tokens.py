"""Adapters of embeddings and outputs, with other tokens than the base has, by the names PEFT gives.

What is expected is what PEFT 0.21 computes with such an adapter, whatever its own merging makes.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from checkpoint_files import write
from peft_files import PREFIX, pair, tensors_of
from small_tokenizers import byte_level, byte_level_bpe
from small_tokenizers import write as write_tokenizer

from ggjit.gguf import open_gguf
from ggjit_convert import CheckpointError, convert
from ggjit_convert.adapters import Scaled
from ggjit_convert.origins import FromCheckpoint
from ggjit_convert.verifying import origin_of, verify

DATA = Path(__file__).parent / "data"
TIED, UNTIED = DATA / "llama_tied_biases", DATA / "mixtral_1_of_3"
EMBEDDING, OUTPUT = "model.embed_tokens", "lm_head"
BOTH = (EMBEDDING, OUTPUT)


def shape_of(base, n_more=0):
    n_tokens, n_embd = tensors_of(base)[f"{EMBEDDING}.weight"].shape
    return n_tokens + n_more, n_embd


def merged(base, *folders):
    """Return embedding, output (None if it is the embedding), and how many tokens keys tell of."""
    scaled = [Scaled.of(str(folder)) for folder in folders]
    origin = FromCheckpoint.at(base, vocabulary=False, adapters=scaled)
    found = [origin.tensors.get(name) for name in ("token_embd.weight", "output.weight")]
    values = [a if a is None else a.rows(0, a.shape[0]) for a in found]
    return *values, origin.keys()["vocab_size"]


def weights(rng, shape, ends, modules=BOTH):
    """Return whole tensors, by the ends of names under which the same is saved."""
    values = {module: rng.normal(size=shape).astype(np.float32) for module in modules}
    return values, {f"{PREFIX}{m}{end}.weight": x for m, x in values.items() for end in ends}


@pytest.mark.parametrize("n_more", [3, -2])
@pytest.mark.parametrize("ends", [("",), ("", ".modules_to_save")], ids=str)
@pytest.mark.parametrize("base", [TIED, UNTIED], ids=lambda path: path.name)
def test_whole_matrices_of_other_tokens(adapter, rng, base, ends, n_more):
    shape = shape_of(base, n_more)
    values, tensors = weights(rng, shape, ends)
    before = {f"{PREFIX}{m}.original_module.weight": np.zeros(shape, np.float32) for m in BOTH}
    embedding, output, n_tokens = merged(base, adapter(tensors | before))
    np.testing.assert_array_equal(embedding, values[EMBEDDING])
    np.testing.assert_array_equal(output, values[OUTPUT])
    assert n_tokens == shape[0]


def test_an_output_that_is_the_embedding_as_before(adapter, rng):
    values, tensors = weights(rng, shape_of(TIED, 3), ("",), [EMBEDDING])
    for more in ({}, {f"{PREFIX}{OUTPUT}.weight": values[EMBEDDING]}):
        embedding, output, _ = merged(TIED, adapter(tensors | more))
        np.testing.assert_array_equal(embedding, values[EMBEDDING])
        assert output is None


def test_products_upon_resized_matrices(adapter, rng):
    shape = shape_of(UNTIED, 3)
    values, tensors = weights(rng, shape, (".base_layer",))
    first = pair(rng, EMBEDDING, *shape[::-1], embedding=True)
    second = pair(rng, OUTPUT, *shape)
    embedding, output, n_tokens = merged(UNTIED, adapter(tensors | first | second))
    (a, b), (c, d) = first.values(), second.values()
    np.testing.assert_allclose(embedding, values[EMBEDDING] + (b @ a).T * 1.5, rtol=1e-5)
    np.testing.assert_allclose(output, values[OUTPUT] + d @ c * 1.5, rtol=1e-5)
    assert n_tokens == shape[0]


@pytest.mark.parametrize("module", BOTH)
def test_what_concerns_one_of_two_that_were_one(adapter, rng, module):
    shape, before = shape_of(TIED), tensors_of(TIED)[f"{EMBEDDING}.weight"]
    is_embedding = module == EMBEDDING
    tensors = pair(rng, module, *(shape[::-1] if is_embedding else shape), embedding=is_embedding)
    a, b = tensors.values()
    added = (b @ a).T if is_embedding else b @ a
    folder = adapter(tensors)
    found = merged(TIED, folder)
    for values, change in zip(found, (is_embedding, not is_embedding), strict=False):
        np.testing.assert_allclose(values, before + added * 1.5 * change, rtol=1e-5)
    [note] = FromCheckpoint.at(TIED, vocabulary=False, adapters=[Scaled.of(str(folder))]).notes()
    assert "which were one tensor: the file has both" in note


@pytest.mark.parametrize("base", [TIED, UNTIED], ids=lambda path: path.name)
def test_single_tokens(adapter, rng, base):
    rows = rng.normal(size=(2, shape_of(base)[1])).astype(np.float32)
    tensors = {f"{PREFIX}{EMBEDDING}.token_adapter.trainable_tokens_delta": rows}
    embedding, output, _ = merged(base, adapter(tensors, trainable_token_indices=[7, 1]))
    expected = tensors_of(base)[f"{EMBEDDING}.weight"].copy()
    expected[[7, 1]] = rows
    np.testing.assert_array_equal(embedding, expected)
    whole = tensors_of(base).get(f"{OUTPUT}.weight")
    assert output is None if whole is None else np.array_equal(output, whole)


def test_single_tokens_of_both_upon_resized_matrices(adapter, rng):
    shape = shape_of(UNTIED, 3)
    values, tensors = weights(rng, shape, (".token_adapter.base_layer",))
    rows = rng.normal(size=(1, shape[1])).astype(np.float32)
    tensors |= {f"{PREFIX}{m}.token_adapter.trainable_tokens_delta": rows for m in BOTH}
    ids = {"embed_tokens": [shape[0] - 1], "lm_head": [2]}
    embedding, output, _ = merged(UNTIED, adapter(tensors, trainable_token_indices=ids))
    for found, module, id in ((embedding, EMBEDDING, shape[0] - 1), (output, OUTPUT, 2)):
        values[module][id] = rows
        np.testing.assert_array_equal(found, values[module])


def test_lengths_of_rows(adapter, rng, tmp_path):
    """DoRA."""
    name = "model.layers.0.self_attn.o_proj"
    before = tensors_of(TIED)[f"{name}.weight"]
    factors, lengths = pair(rng, name, *before.shape), rng.uniform(1, 2, len(before)).astype("f4")
    tensors = factors | {f"{PREFIX}{name}.lora_magnitude_vector": lengths}
    folder = adapter(tensors, use_dora=True)
    with pytest.raises(CheckpointError, match="use_dora: only merging"):
        convert(folder, tmp_path / "a.gguf", base=TIED)
    scaled = Scaled.of(str(folder))
    found = FromCheckpoint.at(TIED, vocabulary=False, adapters=[scaled])
    a, b = factors.values()
    sum = before + b @ a * 1.5
    expected = sum / np.linalg.norm(sum, axis=1, keepdims=True) * lengths[:, None]
    values = found.tensors["blk.0.attn_output.weight"].rows(0, len(before))
    np.testing.assert_allclose(values, expected, rtol=1e-5)


# -- tokenizers -----------------------------------------------------------------------------------


@pytest.fixture
def tokenized(tmp_path, rng):
    """Return a base and an adapter of three tokens more, each with its tokenizer."""
    tokenizer = byte_level_bpe(byte_level(use_regex=True))
    n = tokenizer.get_vocab_size()
    config = json.loads((TIED / "config.json").read_text()) | {"vocab_size": n}
    tensors = tensors_of(TIED)
    tensors[f"{EMBEDDING}.weight"] = rng.normal(size=(n, 20)).astype(np.float32)
    base = write_tokenizer(tmp_path / "base", tokenizer, config=config)
    write(base, model__safetensors=tensors, generation_config__json={"eos_token_id": [2, 5]})
    tokenizer.add_special_tokens(["<|user|>", "<|assistant|>", "<|tool|>"])
    whole = {f"{PREFIX}{EMBEDDING}.weight": rng.normal(size=(n + 3, 20)).astype(np.float32)}
    files = {"chat_template": "T", "eos_token": "<|end|>"}
    folder = write_tokenizer(tmp_path / "more", tokenizer, tokenizer_config=files)
    return base, folder, whole


def test_the_tokenizer_is_the_adapters(adapter, tokenized, tmp_path):
    base, folder, whole = tokenized
    adapter(whole, "more")
    out = convert(base, tmp_path / "out.gguf", "f32", lora=[str(folder)])
    with open_gguf(out) as file:
        tokens = file.metadata["tokenizer.ggml.tokens"]
        assert tokens[-3:] == ["<|user|>", "<|assistant|>", "<|tool|>"]
        assert len(tokens) == len(file.tensors["token_embd.weight"].data) // 80
        assert file.metadata["tokenizer.chat_template"] == "T"
        assert 5 in file.metadata["tokenizer.ggjit.eog_token_ids"]  # of the base
    found = verify(out, origin_of(base, [str(folder)]), n_tokens=9, n_random=20)
    assert found.problems == []
    assert found.vocabulary.agrees
    assert "replaced by an adapter's" in str(found)
    [note] = FromCheckpoint.at(base, adapters=[Scaled.of(str(folder))]).notes()
    assert note == f"the tokenizer is that of {folder}"


# -- what is wrong --------------------------------------------------------------------------------

DELTA = f"{PREFIX}{EMBEDDING}.token_adapter.trainable_tokens_delta"
BAD = [
    ({f"{PREFIX}{OUTPUT}.weight": (40, 3)}, {}, "another shape .*: 'lm_head.weight"),
    ({f"{PREFIX}model.norm.weight": (3,)}, {}, "another shape .*: 'model.norm.weight"),
    ({DELTA: (1, 20)}, {"trainable_token_indices": [99]}, "another shape .*: .* 20"),
    ({DELTA: (1, 20)}, {"trainable_token_indices": [1, 2]}, "are 2, tensor .* is"),
    ({DELTA: (1, 20)}, {"trainable_token_indices": {"x": [1]}}, "lists no tokens of 'model.emb"),
    ({DELTA: (1, 20)}, {"trainable_token_indices": [-1]}, "lists no tokens"),
    ({DELTA: (2, 20)}, {"trainable_token_indices": [4, 4]}, "lists a token of .* twice"),
    ({DELTA: (1, 20)}, {}, "trainable_token_indices: lists no tokens"),
]


@pytest.mark.parametrize(("shapes", "changes", "says"), BAD, ids=lambda v: str(v)[:60])
def test_refused(adapter, shapes, changes, says):
    tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    with pytest.raises(CheckpointError, match=says):
        merged(TIED, adapter(tensors, **changes))


def test_refused_of_dora(adapter, rng):
    name = "model.layers.0.self_attn.o_proj"
    factors = pair(rng, name, *tensors_of(TIED)[f"{name}.weight"].shape)
    with pytest.raises(CheckpointError, match=f"1 tensor lacks the magnitudes of DoRA: '{name}'"):
        merged(TIED, adapter(factors, use_dora=True))
    lengths = {f"{PREFIX}{name}.lora_magnitude_vector": np.ones(20, np.float32)}
    with pytest.raises(CheckpointError, match=r"is of DoRA, which adapter_config.json does not"):
        merged(TIED, adapter(factors | lengths))
    whole = pair(rng, EMBEDDING, *shape_of(TIED)[::-1], embedding=True)
    lengths = {f"{PREFIX}{EMBEDDING}.lora_magnitude_vector": np.ones(20, np.float32)}
    with pytest.raises(CheckpointError, match=r"another shape .*DoRA's magnitudes"):
        merged(TIED, adapter(whole | lengths, use_dora=True))


@pytest.mark.parametrize("n_more", [0, 3])
def test_what_a_gguf_adapter_cannot_hold_of_tokens(adapter, rng, tmp_path, n_more):
    factors = pair(rng, EMBEDDING, shape_of(TIED)[1], shape_of(TIED, n_more)[0], embedding=True)
    base_layer = {f"{PREFIX}{EMBEDDING}.base_layer.weight": np.zeros(shape_of(TIED, n_more), "f4")}
    folder = adapter(factors | base_layer)
    if not n_more:
        convert(folder, tmp_path / "a.gguf", base=TIED)
        return
    with pytest.raises(CheckpointError, match="is whole, which only merging"):
        convert(folder, tmp_path / "a.gguf", base=TIED)
