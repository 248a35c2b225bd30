"""Numbers of 4 bits that are no integers: NVFP4, MXFP4, tables of bitsandbytes."""

import json
from pathlib import Path

import numpy as np
import pytest
from checkpoint_files import write
from folding import check, e4m3, scales_of

from ggjit.formats import all_formats
from ggjit.gguf import GGMLType, open_gguf
from ggjit_convert import convert
from ggjit_convert.quantized import plain
from ggjit_convert.sources import open_checkpoint

X = np.ones((8, 8), np.float32)
GROUPS = {
    "quant_method": "compressed-tensors",
    "config_groups": {"group_0": {"weights": {"num_bits": 4}}},
}  # fmt: skip
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)


@pytest.mark.parametrize("shape", [(6, 32), (3, 4, 48)])
@pytest.mark.parametrize("said_in", ["config.json", "hf_quant_config.json"])
def test_nvfp4_of_model_optimizer(folded, rng, tmp_path, shape, said_in):
    codes, (scales, values) = rng.integers(0, 16, shape), e4m3(rng, *shape[:-1], shape[-1] // 16)
    whole = np.float32(0.0371)
    other, others = e4m3(rng, 5, 7)
    tensors = {
        "a.weight": (codes[..., ::2] | codes[..., 1::2] << 4).astype(np.uint8),
        "a.weight_scale": scales, "a.weight_scale_2": np.full((), whole), "a.input_scale": X[0, :1],
        "b.weight": other, "b.weight_scale": np.full((), whole),
    }  # fmt: skip
    config = {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16}
    if said_in == "config.json":
        out = folded(tensors, **config)
    else:
        beside = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4"}}
        files = {"hf_quant_config__json": beside, "model__safetensors": tensors}
        out = plain(open_checkpoint(write(tmp_path, config__json={}, **files))).tensors
    assert set(out) == {"a.weight", "b.weight"}
    expected = E2M1[codes] * np.repeat(values * whole, 16, -1)
    check(out["a.weight"], expected, rng)
    check(out["b.weight"], others * whole, rng)


def test_nvfp4_of_compressed_tensors(folded, rng):
    codes, (scales, values) = rng.integers(0, 16, (6, 32)), e4m3(rng, 6, 2)
    whole = np.array([731.5], np.float32)
    tensors = {
        "a.weight_packed": (codes[:, ::2] | codes[:, 1::2] << 4).astype(np.uint8),
        "a.weight_scale": scales, "a.weight_global_scale": whole, "a.input_global_scale": whole,
    }  # fmt: skip
    expected = E2M1[codes] * np.repeat(values / whole, 16, 1)
    out = folded(tensors, **GROUPS | {"format": "nvfp4-pack-quantized"})
    assert list(out) == ["a.weight"]
    check(out["a.weight"], expected, rng)
    other, others = e4m3(rng, 5, 7)
    tensors |= {"b.weight": other, "b.weight_scale": X[:5, :1] / 2}
    groups = {
        "group_0": {"format": "nvfp4-pack-quantized", "weights": {"num_bits": 4}},
        "group_1": {"format": "float-quantized", "weights": {"strategy": "channel"}},
    }
    out = folded(tensors, **GROUPS | {"format": "mixed-precision", "config_groups": groups})
    assert set(out) == {"a.weight", "b.weight"}
    check(out["a.weight"], expected, rng)
    check(out["b.weight"], others / 2, rng)


def test_mxfp4_of_compressed_tensors_only_moves(folded, rng):
    codes = rng.integers(0, 16, (6, 64))
    scales = rng.integers(118, 130, (6, 2)).astype(np.uint8)
    pairs = (codes[:, ::2] | codes[:, 1::2] << 4).astype(np.uint8)
    config = GROUPS | {"format": "mxfp4-pack-quantized"}
    [a] = folded({"a.weight_packed": pairs, "a.weight_scale": scales}, **config).values()
    assert (a.type, a.shape) == (GGMLType.MXFP4, (6, 64))
    expected = E2M1[codes] * np.repeat(2.0 ** (scales - 127.0), 32, 1)
    np.testing.assert_array_equal(a.rows(0, 6), expected)
    decoded = all_formats()[GGMLType.MXFP4].decode_rows(a.blocks(1, 4).reshape(-1), 64)
    np.testing.assert_array_equal(decoded, expected[1:4])


def bnb(rng, shape, size, kind="nf4", nested=0):
    """Return a tensor's parts, and its values."""
    n = int(np.prod(shape))
    table = np.sort(rng.uniform(-1, 1, 16)).astype(np.float32)
    codes, n_blocks = rng.integers(0, 16, n), -(-n // size)
    even = np.append(codes, 0)[: n + n % 2]
    largest, said = scales_of(rng, n_blocks), {"blocksize": size, "shape": list(shape)}
    parts = {"": (even[::2] << 4 | even[1::2]).astype(np.uint8)[:, None], ".quant_map": table}
    if nested:
        above, by = (
            rng.uniform(-1, 1, 256).astype(np.float32),
            scales_of(rng, -(-n_blocks // nested)),
        )
        bytes, offset = rng.integers(0, 256, n_blocks).astype(np.uint8), np.float32(0.4375)
        said |= {"nested_blocksize": nested, "nested_offset": 0.4375, "nested_dtype": "float32"}
        parts |= {".absmax": bytes, ".nested_absmax": by, ".nested_quant_map": above}
        largest = above[bytes] * by[np.arange(n_blocks) // nested] + offset
    else:
        parts[".absmax"] = largest
    state = json.dumps(said | {"quant_type": kind, "dtype": "bfloat16"}).encode()
    parts[f".quant_state.bitsandbytes__{kind}"] = np.frombuffer(state, np.uint8)
    values = table[codes] * largest[np.arange(n) // size]
    return {f"a.weight{end}": part for end, part in parts.items()}, values.reshape(shape)


@pytest.mark.parametrize(
    ("shape", "size"), [((6, 96), 64), ((5, 33), 16), ((7, 3), 64), ((7, 3), 1 << 31)]
)
@pytest.mark.parametrize("nested", [0, 4])
@pytest.mark.parametrize("kind", ["nf4", "fp4"])
def test_bitsandbytes_of_4_bits(folded, rng, shape, size, nested, kind):
    tensors, expected = bnb(rng, shape, size, kind, nested)
    out = folded(tensors | {"a.bias": X}, quant_method="bitsandbytes", load_in_4bit=True)
    assert set(out) == {"a.weight", "a.bias"}
    check(out["a.weight"], expected, rng)


def test_bitsandbytes_of_8_bits(folded, rng):
    codes, scales = rng.integers(-127, 128, (6, 9)).astype(np.int8), scales_of(rng, 6)
    tensors = {"a.weight": codes, "a.SCB": scales, "a.weight_format": np.zeros((), np.uint8)}
    out = folded(tensors, quant_method="bitsandbytes", load_in_8bit=True)
    assert list(out) == ["a.weight"]
    check(out["a.weight"], codes * scales[:, None] * np.float32(1 / 127), rng)


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
