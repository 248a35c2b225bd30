"""Quantized checkpoints fold into plain tensors: each number by itself, as the format says."""

import numpy as np
import pytest
from checkpoint_files import bf16, write
from folding import AUTO_ROUND, check, e4m3, scales_of
from small_llama import config, llama

from ggjit.gguf import open_gguf
from ggjit_convert import convert
from ggjit_convert.quantized import plain
from ggjit_convert.sources import open_checkpoint
from ggjit_convert.verifying import origin_of, verify


def packed(codes, bits):
    """Put neighbours of the last axis into words, the first lowest."""
    per = 32 // bits
    codes = np.pad(codes, [(0, 0)] * (codes.ndim - 1) + [(0, -codes.shape[-1] % per)])
    parts = codes.reshape(*codes.shape[:-1], -1, per).astype(np.uint32)
    words = sum(parts[..., i] << np.uint32(bits * i) for i in range(per))
    return words.astype(np.uint32).view(np.int32)


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


def test_scales_that_are_powers_of_two(folded, rng):
    weight, values = e4m3(rng, 8, 8)
    exponents = np.array([[0, 1], [127, 140]], np.uint8)
    out = folded(
        {"a.weight": weight, "a.weight_scale_inv": ("F8_E8M0", exponents)},
        quant_method="fp8", weight_block_size=[4, 4],
    )  # fmt: skip
    scales = np.repeat(np.repeat(2.0 ** (exponents - 127.0), 4, 0), 4, 1)
    check(out["a.weight"], (values * scales).astype(np.float32), rng)


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


def three_bits(codes):
    """Put 32 neighbours of the last axis into 3 words, as AutoGPTQ's pack does."""
    v = codes.reshape(*codes.shape[:-1], -1, 32).astype(np.uint64)
    first = sum(v[..., j] << np.uint64(3 * j) for j in range(11))
    second = v[..., 10] >> np.uint64(2)
    second += sum(v[..., 11 + j] << np.uint64(3 * j + 1) for j in range(11))
    third = v[..., 21] >> np.uint64(1)
    third += sum(v[..., 22 + j] << np.uint64(3 * j + 2) for j in range(10))
    words = np.stack([first, second, third], -1).astype(np.uint32)  # without what does not fit
    return words.reshape(*codes.shape[:-1], -1).view(np.int32)


@pytest.mark.parametrize("bits", [3, 4])
@pytest.mark.parametrize(("size", "n_groups"), [(32, 3), (-1, 1), (40, 3), (None, 1)])
def test_gptq_without_an_order(folded, rng, bits, size, n_groups):
    n_in, n_out = 96, 64
    codes = rng.integers(0, 1 << bits, (n_in, n_out))
    zeros = rng.integers(0, 1 << bits, (n_groups, n_out))
    scales = scales_of(rng, n_groups, n_out).astype(np.float16)
    words = [three_bits(x) if bits == 3 else packed(x, bits) for x in (codes.T, zeros)]
    tensors = {"a.qweight": words[0].T, "a.qzeros": words[1], "a.scales": scales}
    said = {} if size is None else {"group_size": size}
    group = np.arange(n_in) // (96 if n_groups == 1 else size)
    expected = scales[group].astype(np.float32) * (codes - zeros[group] - 1).astype(np.float32)
    for method in ({"quant_method": "gptq", "desc_act": False}, AUTO_ROUND):
        check(folded(tensors, bits=bits, **said, **method)["a.weight"], expected.T, rng)


def test_awq(folded, rng):
    n_in, n_out, n_groups = 24, 40, 4
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    codes, zeros = rng.integers(0, 16, (n_in, n_out)), rng.integers(0, 16, (n_groups, n_out))
    scales = scales_of(rng, n_groups, n_out).astype(np.float16)
    tensors = {
        f"a.{name}": packed(x.reshape(len(x), -1, 8)[..., order].reshape(len(x), -1), 4)
        for name, x in (("qweight", codes), ("qzeros", zeros))
    }
    group = np.arange(n_in) // 6
    expected = (codes - zeros[group]).astype(np.float32) * scales[group].astype(np.float32)
    awq = AUTO_ROUND | {"packing_format": "auto_round:auto_awq"}
    for method in ({"quant_method": "awq", "version": "gemm"}, awq):
        out = folded(tensors | {"a.scales": scales}, bits=4, **method)
        check(out["a.weight"], expected.T, rng)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zero_points", [False, True])
@pytest.mark.parametrize("reordered", [False, True, None])
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
    if reordered is None:
        tensors["a.weight_g_idx"] = np.full(n_in, -1, np.int32)
    groups = {"group_0": {"weights": {"strategy": "group", "num_bits": bits, "type": "int"}}}
    config = {"format": "pack-quantized", "config_groups": groups}
    merged = {"R1": {"apply": [{"location": "weight_output"}]}}
    config["transform_config"] = {"config_groups": merged}
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
    checkpoint = open_checkpoint(
        write(tmp_path, model__safetensors={"x": np.ones((8, 8), np.float32)})
    )
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
