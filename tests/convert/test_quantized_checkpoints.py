"""Quantized checkpoints fold into plain tensors: each number by itself, as the format says."""

from pathlib import Path

import numpy as np
import pytest
from checkpoint_files import bf16, write
from small_llama import config, llama

from ggjit.formats import all_formats
from ggjit.gguf import GGMLType, open_gguf
from ggjit_convert import convert
from ggjit_convert.errors import CheckpointError
from ggjit_convert.quantized import plain
from ggjit_convert.sources import open_checkpoint
from ggjit_convert.verifying import origin_of, verify


@pytest.fixture
def folded(tmp_path):
    """Write a checkpoint and return its tensors, folded."""

    def folded(tensors, **config):
        kind = config.pop("model_type", "llama")
        files = {
            "config__json": {"model_type": kind, "quantization_config": config},
            "model__safetensors": tensors,
        }
        return plain(open_checkpoint(write(tmp_path, **files))).tensors

    return folded


def check(a, expected, rng):
    """Compare all rows, and parts that begin and end anywhere."""
    assert a.shape == expected.shape
    assert a.type is GGMLType.F32
    np.testing.assert_array_equal(a.rows(0, len(expected)), expected)
    for _ in range(5):
        start, stop = np.sort(rng.integers(0, len(expected) + 1, 2))
        np.testing.assert_array_equal(a.rows(start, stop), expected[start:stop])
        stored = a.blocks(start, stop)
        np.testing.assert_array_equal(stored.view(np.float32), expected[start:stop])


def packed(codes, bits):
    """Put neighbours of the last axis into words, the first lowest."""
    per = 32 // bits
    codes = np.pad(codes, [(0, 0)] * (codes.ndim - 1) + [(0, -codes.shape[-1] % per)])
    parts = codes.reshape(*codes.shape[:-1], -1, per).astype(np.uint32)
    words = sum(parts[..., i] << np.uint32(bits * i) for i in range(per))
    return words.astype(np.uint32).view(np.int32)


def e4m3(rng, *shape):
    bits = (rng.integers(0, 127, shape) | rng.integers(0, 2, shape) << 7).astype(np.uint8)
    exponent, mantissa = (bits >> 3 & 15).astype(float), (bits & 7).astype(float)
    small = exponent == 0
    size = np.where(small, mantissa / 8 * 2**-6, (1 + mantissa / 8) * 2.0 ** (exponent - 7))
    values = np.where(bits < 128, size, -size).astype(np.float32)
    return ("F8_E4M3", bits), values


def scales_of(rng, *shape):
    return rng.uniform(0.5, 2, shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(9, 21), (8, 16), (3, 5, 11)])
def test_float8_in_blocks(folded, rng, shape):
    weight, values = e4m3(rng, *shape)
    block = (4, 8)
    n = [-(-size // b) for size, b in zip(shape[-2:], block, strict=True)]
    scales = scales_of(rng, *shape[:-2], *n)
    at = np.ix_(*[np.arange(size) // b for size, b in zip(shape[-2:], block, strict=True)])
    tensors = {"a.weight": weight, "a.weight_scale_inv": scales, "a.input_scale": scales[:1]}
    tensors |= {"plain.weight": scales}
    out = folded(tensors, quant_method="fp8", weight_block_size=list(block))
    assert list(out) == ["a.weight", "plain.weight"]
    check(out["a.weight"], values * scales[(..., *at)], rng)


@pytest.mark.parametrize("n_scales", [(), (1,), (7,), (7, 1), (1, 1)])
def test_float8_of_rows_and_of_all(folded, rng, n_scales):
    weight, values = e4m3(rng, 7, 10)
    scales = scales_of(rng, *n_scales)
    tensors = {"a.weight": weight, "a.weight_scale": scales}
    expected = values * (scales if scales.ndim == 2 else scales.reshape(-1, 1))
    check(folded(tensors, quant_method="fbgemm_fp8")["a.weight"], expected, rng)
    groups = {"group_0": {"weights": {"strategy": "channel", "num_bits": 8, "type": "float"}}}
    config = {"format": "float-quantized", "config_groups": groups}
    out = folded(tensors, quant_method="compressed-tensors", **config)
    check(out["a.weight"], expected, rng)


def test_float8_of_model_optimizer(folded, rng):
    weight, values = e4m3(rng, 7, 10)
    scale = scales_of(rng)
    tensors = {"a.weight": weight, "a.weight_scale": scale, "a.input_scale": scale,
               "a.k_proj.k_scale": scale}  # fmt: skip
    out = folded(tensors, quant_method="modelopt", quant_algo="FP8")
    assert list(out) == ["a.weight"]
    check(out["a.weight"], values * scale, rng)


def test_scales_of_bfloat16_are_multiplied_as_float32(folded, rng):
    weight, values = e4m3(rng, 6, 8)
    kind, bits = bf16(scales_of(rng, 6, 1))
    scales = (bits.astype(np.uint32) << 16).view(np.float32)
    out = folded({"a.weight": weight, "a.weight_scale": (kind, bits)}, quant_method="fp8")
    check(out["a.weight"], values * scales, rng)


@pytest.mark.parametrize(("bits", "form"), [(4, "gptq"), (4, "gptq_v2"), (8, "gptq"), (2, "gptq")])
def test_gptq(folded, rng, bits, form):
    n_in, n_out, n_groups = 48, 32, 3
    codes = rng.integers(0, 1 << bits, (n_in, n_out))
    zeros = rng.integers(0, 1 << bits, (n_groups, n_out))
    scales = scales_of(rng, n_groups, n_out).astype(np.float16)
    groups = rng.integers(0, n_groups, n_in).astype(np.int32)
    tensors = {
        "a.qweight": packed(codes.T, bits).T, "a.qzeros": packed(zeros, bits), "a.scales": scales,
        "a.g_idx": groups, "a.bias": scales[0],
    }  # fmt: skip
    out = folded(tensors, quant_method="gptq", bits=bits, checkpoint_format=form)
    assert set(out) == {"a.weight", "a.bias"}
    offsets = zeros + (form == "gptq")
    expected = scales[groups].astype(np.float32) * (codes - offsets[groups]).astype(np.float32)
    check(out["a.weight"], expected.T, rng)


def test_awq(folded, rng):
    n_in, n_out, n_groups = 24, 40, 4
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    codes, zeros = rng.integers(0, 16, (n_in, n_out)), rng.integers(0, 16, (n_groups, n_out))
    scales = scales_of(rng, n_groups, n_out).astype(np.float16)
    tensors = {
        f"a.{name}": packed(x.reshape(len(x), -1, 8)[..., order].reshape(len(x), -1), 4)
        for name, x in (("qweight", codes), ("qzeros", zeros))
    }
    out = folded(tensors | {"a.scales": scales}, quant_method="awq", bits=4, version="gemm")
    group = np.arange(n_in) // 6
    expected = (codes - zeros[group]).astype(np.float32) * scales[group].astype(np.float32)
    check(out["a.weight"], expected.T, rng)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zero_points", [False, True])
@pytest.mark.parametrize("reordered", [False, True])
def test_packed_integers(folded, rng, bits, zero_points, reordered):
    n_out, n_in, n_groups = 13, 42, 3
    codes = rng.integers(0, 1 << bits, (n_out, n_in))
    zeros = np.full((n_out, n_groups), 1 << (bits - 1))
    scales = scales_of(rng, n_out, n_groups)
    group = np.arange(n_in) // 14
    tensors = {
        "a.weight_packed": packed(codes, bits), "a.weight_scale": scales,
        "a.weight_shape": np.array([n_out, n_in]), "a.k_scale": scales[:1],
    }  # fmt: skip
    if zero_points:
        zeros = rng.integers(0, 1 << bits, (n_out, n_groups))
        tensors["a.weight_zero_point"] = packed(zeros.T, bits).T
    if reordered:
        group = rng.integers(0, n_groups, n_in)
        tensors["a.weight_g_idx"] = group.astype(np.int32)
    groups = {"group_0": {"weights": {"strategy": "group", "num_bits": bits, "type": "int"}}}
    config = {"format": "pack-quantized", "config_groups": groups}
    out = folded(tensors, quant_method="compressed-tensors", **config)
    assert list(out) == ["a.weight"]
    expected = (codes - zeros[:, group]).astype(np.float32) * scales[:, group]
    check(out["a.weight"], expected, rng)


def stream(codes, bits):
    """Put numbers into words, bit after bit."""
    each = (codes[..., None] >> np.arange(bits) & 1).astype(np.uint8)
    bytes = np.packbits(each.reshape(*codes.shape[:-1], -1), axis=-1, bitorder="little")
    return np.ascontiguousarray(bytes).view(np.uint32)


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("shape", [(7, 64), (3, 5, 96)])
def test_mlx(folded, rng, bits, shape):
    codes = rng.integers(0, 1 << bits, shape)
    scales, biases = (scales_of(rng, *shape[:-1], shape[-1] // 32) for _ in range(2))
    name = "a.mlp.switch_mlp.x" if len(shape) == 3 else "a"
    tensors = {f"{name}.weight": stream(codes, bits), f"{name}.scales": scales,
               f"{name}.biases": biases}  # fmt: skip
    each = {name: {"bits": bits, "group_size": 32}, "b": False}
    out = folded(tensors, bits=4, group_size=64, **each)
    groups = codes.reshape(*shape[:-1], -1, 32).astype(np.float32)
    expected = (groups * scales[..., None] + biases[..., None]).reshape(shape)
    check(out[f"{name.replace('switch_mlp', 'experts')}.weight"], expected, rng)


def test_mxfp4_only_moves(folded, rng):
    codes = rng.integers(0, 16, (3, 4, 2, 32)).astype(np.uint8)
    scales = rng.integers(118, 130, (3, 4, 2)).astype(np.uint8)
    pairs = codes[..., ::2] | codes[..., 1::2] << 4
    a = folded({"e.down_proj_blocks": pairs, "e.down_proj_scales": scales}, quant_method="mxfp4")
    assert list(a) == ["e.down_proj"]
    a = a["e.down_proj"]
    assert (a.type, a.shape) == (GGMLType.MXFP4, (3, 4, 64))
    table = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    values = np.where(codes < 8, 1, -1) * table[codes & 7] * 2.0 ** (scales[..., None] - 127.0)
    np.testing.assert_array_equal(a.rows(1, 3), values.reshape(3, 4, 64)[1:])
    blocks = a.blocks(0, 2)
    assert blocks.shape == (2, 4, 2 * 17)
    decoded = all_formats()[GGMLType.MXFP4].decode_rows(blocks.reshape(-1), 64)
    np.testing.assert_array_equal(decoded, values[:2].reshape(8, 64))


def test_gpt_oss_is_what_llama_cpps_converter_makes_of_it(tmp_path):
    """Made by make_mxfp4_golden.py, which keeps both sides."""
    folder = Path(__file__).parent / "mxfp4"
    ours = convert(folder, tmp_path / "x.gguf", "auto", vocabulary=False)
    with open_gguf(ours) as a, open_gguf(folder / "expected.gguf") as b:
        assert a.tensors.keys() == b.tensors.keys()
        for name, tensor in b.tensors.items():
            assert (a.tensors[name].type, a.tensors[name].shape) == (tensor.type, tensor.shape)
            np.testing.assert_array_equal(a.tensors[name].data, tensor.data, name)
        assert a.tensors["blk.0.ffn_gate_exps.weight"].type is GGMLType.MXFP4


# -- what does not fit ----------------------------------------------------------------------------

X = np.ones((8, 8), np.float32)
WORDS = np.ones((1, 8), np.int32)
GPTQ = {
    "a.qweight": WORDS, "a.qzeros": np.ones((1, 1), np.int32), "a.scales": X[:1],
    "a.g_idx": np.zeros(8, np.int32),
}  # fmt: skip
AWQ = {"a.qweight": np.ones((8, 1), np.int32), "a.qzeros": WORDS[:, :1], "a.scales": X[:1]}
PACKED = {"a.weight_packed": np.ones((8, 1), np.int32), "a.weight_scale": X[:, :1],
          "a.weight_shape": np.array([8, 8])}  # fmt: skip
CT = {"quant_method": "compressed-tensors", "format": "pack-quantized",
      "config_groups": {"group_0": {"weights": {"num_bits": 4}}}}  # fmt: skip
MLX = {"a.weight": np.ones((8, 1), np.uint32), "a.scales": X[:, :1], "a.biases": X[:, :1]}
MLX_4 = {"bits": 4, "group_size": 8}
BLOCKS = np.ones((2, 3, 1, 16), np.uint8)
FP8 = {"quant_method": "fp8", "weight_block_size": [4, 4]}
BAD = {
    "an unknown way": ({}, {"quant_method": "exl2"}, "quant_method: is 'exl2', known: awq"),
    "fp4": ({}, {"quant_method": "modelopt", "quant_algo": "NVFP4"}, "known: FP8"),
    "no way": ({}, {}, "quant_method: is None"),
    "a list": ({}, {"quant_method": ["fp8"]}, r"quant_method: is \['fp8'\]"),
    "mlx of 7 bits": (MLX | {"a.weight": np.ones((8, 7), np.uint32)}, MLX_4 | {"group_size": 32},
                      "has 7 words, expected 32 inputs of 2, 3"),
    "mlx without biases": (MLX | {"a.biases": None}, MLX_4, "'a.biases' is missing"),
    "mlx's biases": (MLX | {"a.biases": X}, MLX_4, r"shape \(8, 8\)"),
    "mlx's shifted norms": (MLX, MLX_4 | {"model_type": "qwen3_next"}, "of MLX are read: gemma"),
    "mlx's mode": (MLX, MLX_4 | {"mode": "mxfp4"}, "mode: is 'mxfp4', known: affine"),
    "mlx's groups": (MLX, MLX_4 | {"group_size": 0}, "group_size: is '0'"),
    "bits": (GPTQ, {"quant_method": "gptq", "bits": 3}, "bits: is '3', known: 2, 4, 8"),
    "bits of text": (GPTQ, {"quant_method": "gptq", "bits": "4"}, "bits: is '4'"),
    "another form": (GPTQ, {"quant_method": "gptq", "checkpoint_format": "marlin"}, "marlin"),
    "no scales": (GPTQ | {"a.scales": None}, {"quant_method": "gptq"}, "'a.scales' is missing"),
    "a group beyond": (GPTQ | {"a.g_idx": WORDS[0]}, {"quant_method": "gptq"}, "beyond"),
    "other groups": (GPTQ | {"a.scales": X[:2]}, {"quant_method": "gptq"}, r"shape \(2, 8\)"),
    "more inputs": (GPTQ | {"a.g_idx": np.zeros(16, np.int32)}, {"quant_method": "gptq"}, "shape"),
    "gemv": (AWQ, {"quant_method": "awq", "version": "gemv"}, "version: is 'gemv'"),
    "awq of 3 bits": (AWQ, {"quant_method": "awq", "bits": 3}, "bits: is '3'"),
    "awq's zeros": (AWQ | {"a.qzeros": WORDS}, {"quant_method": "awq"}, "shape"),
    "another shape": (PACKED | {"a.weight_shape": np.array([8, 99])}, CT, "shape"),
    "a shape of three": (PACKED | {"a.weight_shape": np.array([8, 8, 1])}, CT, "expected a matrix"),
    "odd groups": (PACKED | {"a.weight_scale": X[:, :3]}, CT, "3 groups, odd for 8 inputs"),
    "several groups": ({}, CT | {"config_groups": {"a": {}, "b": {}}}, "has 2 groups"),
    "no groups": ({}, CT | {"config_groups": None}, "config_groups: must be an object"),
    "another format": ({}, CT | {"format": "marlin-24"}, "format: is 'marlin-24'"),
    "scales that do not fit": ({"a.weight": X, "a.weight_scale_inv": X}, FP8, "does not fit"),
    "scales of nothing": ({"a.weight_scale_inv": X}, FP8, "'a.weight' is missing"),
    "blocks of text": ({}, {"quant_method": "fp8", "weight_block_size": "4"}, "list of sizes"),
    "blocks of zero": ({}, {"quant_method": "fp8", "weight_block_size": [0, 4]}, "list of sizes"),
    "blocks alone": ({"a_blocks": BLOCKS}, {"quant_method": "mxfp4"}, "'a_scales' is missing"),
    "other blocks": (
        {"a_blocks": BLOCKS[..., :8], "a_scales": BLOCKS[..., 0]}, {"quant_method": "mxfp4"},
        r"shape \(2, 3, 1, 8\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("tensors", "config", "says"), BAD.values(), ids=BAD)
def test_what_does_not_fit_is_named(folded, tensors, config, says):
    kept = {"x": X, **{name: a for name, a in tensors.items() if a is not None}}
    with pytest.raises(CheckpointError, match=says) as caught:
        folded(kept, **config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("said", "type"), [
    ({"torch_dtype": "bfloat16"}, "BF16"), ({"dtype": "float16"}, "F16"),
    ({"dtype": "float32"}, "F32"), ({}, "F32"), ({"dtype": None, "torch_dtype": "odd"}, "F32"),
    ({"text_config": {"dtype": "bfloat16"}, "dtype": "float32"}, "BF16"),
])  # fmt: skip
def test_auto_is_what_the_model_computes_in(tmp_path, rng, said, type):
    tensors = {}
    for name, values in llama(rng).items():
        if values.ndim == 2:
            tensors[name] = e4m3(rng, *values.shape)[0]
            tensors[f"{name}_scale_inv"] = scales_of(rng, len(values), 1)
        else:
            tensors[name] = values
    settings = config(quantization_config={"quant_method": "fp8"}) | said
    source = write(tmp_path / "x", config__json=settings, model__safetensors=tensors)
    made = convert(source, tmp_path / "a.gguf", vocabulary=False)
    exact = convert(source, tmp_path / "b.gguf", "f32", vocabulary=False)
    asked = convert(source, tmp_path / "c.gguf", type.lower(), vocabulary=False)
    with open_gguf(made) as file, open_gguf(asked) as same:
        assert {t.type.name for t in file.tensors.values() if len(t.shape) == 2} == {type}
        for name, tensor in same.tensors.items():
            np.testing.assert_array_equal(file.tensors[name].data, tensor.data)
    assert not verify(exact, origin_of(source), n_tokens=4).problems
    assert not verify(made, origin_of(source), n_tokens=4).problems


def test_what_is_not_quantized_stays(tmp_path):
    checkpoint = open_checkpoint(write(tmp_path, model__safetensors={"x": X}))
    assert plain(checkpoint) is checkpoint


def test_what_only_the_text_model_inside_says_is_read(tmp_path, rng):
    weight, values = e4m3(rng, 4, 6)
    scale = scales_of(rng, 4, 1)
    inner = {"quant_method": "fp8"}
    files = {
        "config__json": {"text_config": {"quantization_config": inner}},
        "model__safetensors": {"x.weight": weight, "x.weight_scale_inv": scale},
    }
    [a] = plain(open_checkpoint(write(tmp_path, **files))).tensors.values()
    check(a, values * scale, rng)
