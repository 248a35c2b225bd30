"""Quantized checkpoints that do not fit together are refused in one sentence."""

import json

import numpy as np
import pytest
from folding import AUTO_ROUND

from ggjit_convert.errors import CheckpointError

X = np.ones((8, 8), np.float32)
WORDS = np.ones((1, 8), np.int32)
GPTQ = {
    "a.qweight": WORDS, "a.qzeros": np.ones((1, 1), np.int32), "a.scales": X[:1],
    "a.g_idx": np.zeros(8, np.int32),
}  # fmt: skip
AWQ = {"a.qweight": np.ones((8, 1), np.int32), "a.qzeros": WORDS[:, :1], "a.scales": X[:1]}
PACKED = {"a.weight_packed": np.ones((8, 1), np.int32), "a.weight_scale": X[:, :1],
          "a.weight_shape": np.array([8, 8])}  # fmt: skip
BITS_4 = {"weights": {"num_bits": 4}}
CT = {"quant_method": "compressed-tensors", "format": "pack-quantized",
      "config_groups": {"group_0": BITS_4}}  # fmt: skip
MLX = {"a.weight": np.ones((8, 1), np.uint32), "a.scales": X[:, :1], "a.biases": X[:, :1]}
MLX_4 = {"bits": 4, "group_size": 8}
BLOCKS = np.ones((2, 3, 1, 16), np.uint8)
STATE = "a.weight.quant_state.bitsandbytes__nf4"


def state(**values):
    return np.frombuffer(json.dumps(values).encode(), np.uint8)


BNB = {
    "a.weight": np.ones((8, 1), np.uint8), "a.weight.quant_map": np.ones(16, np.float32),
    "a.weight.absmax": X[0, :1],
    STATE: state(blocksize=64, shape=[2, 8]),
}  # fmt: skip
FP8 = {"quant_method": "fp8", "weight_block_size": [4, 4]}
BAD = {
    "an unknown way": ({}, {"quant_method": "exl2"}, "is 'exl2', known: auto-round, awq"),
    "int4": ({}, {"quant_method": "modelopt", "quant_algo": "INT4_AWQ"}, "known: FP8, NVFP4"),
    "no way": ({}, {}, "quant_method: is None"),
    "a list": ({}, {"quant_method": ["fp8"]}, r"quant_method: is \['fp8'\]"),
    "mlx of 7 bits": (MLX | {"a.weight": np.ones((8, 7), np.uint32)}, MLX_4 | {"group_size": 32},
                      "has 7 words, expected 32 inputs of 2, 3"),
    "mlx without biases": (MLX | {"a.biases": None}, MLX_4, "'a.biases' is missing"),
    "mlx's biases": (MLX | {"a.biases": X}, MLX_4, r"shape \(8, 8\)"),
    "mlx's shifted norms": (MLX, MLX_4 | {"model_type": "qwen3_next"}, "of MLX are read: gemma"),
    "mlx's mode": (MLX, MLX_4 | {"mode": "mxfp4"}, "mode: is 'mxfp4', known: affine"),
    "mlx's groups": (MLX, MLX_4 | {"group_size": 0}, "group_size: is '0'"),
    "bits": (GPTQ, {"quant_method": "gptq", "bits": 5}, "bits: is '5', known: 2, 3, 4, 8"),
    "no order": (GPTQ | {"a.g_idx": None}, {"quant_method": "gptq", "desc_act": True},
                 "'a.g_idx' is missing"),
    "groups of 4": (GPTQ | {"a.g_idx": None}, {"quant_method": "gptq", "group_size": 4},
                    r"'a.scales' has the shape \(1, 8\), expected \(2, 8\)"),
    "groups of 0": (GPTQ | {"a.g_idx": None}, {"quant_method": "gptq", "group_size": 0},
                    "group_size: is '0'"),
    "bits of text": (GPTQ, {"quant_method": "gptq", "bits": "4"}, "bits: is '4'"),
    "another form": (GPTQ, {"quant_method": "gptq", "checkpoint_format": "marlin"}, "marlin"),
    "no scales": (GPTQ | {"a.scales": None}, {"quant_method": "gptq"}, "'a.scales' is missing"),
    "a group beyond": (GPTQ | {"a.g_idx": WORDS[0]}, {"quant_method": "gptq"}, "beyond"),
    "other groups": (GPTQ | {"a.scales": X[:2]}, {"quant_method": "gptq"}, r"shape \(2, 8\)"),
    "more inputs": (GPTQ | {"a.g_idx": np.zeros(16, np.int32)}, {"quant_method": "gptq"}, "shape"),
    "an order of two axes": (GPTQ | {"a.g_idx": np.zeros((8, 1), np.int32)},
                             {"quant_method": "gptq"}, r"g_idx' has the shape \(8, 1\)"),
    "inputs that fill no word": (GPTQ | {"a.g_idx": np.zeros(9, np.int32)},
                                 {"quant_method": "gptq"}, "9 inputs and 8 outputs, which fill no"),
    "words of floats": (GPTQ | {"a.qweight": X[:1]}, {"quant_method": "gptq"},
                        "'a.qweight' is F32, expected integers"),
    "zero points of floats": (AWQ | {"a.qzeros": X[:1, :1]}, {"quant_method": "awq"},
                              "'a.qzeros' is F32, expected integers"),
    "packed zero points of floats": (PACKED | {"a.weight_zero_point": X[:1, :1]}, CT,
                                     "'a.weight_zero_point' is F32, expected integers"),
    "mlx's words of floats": (MLX | {"a.weight": X[:, :1]}, MLX_4, "'a.weight' is F32, expected"),
    "blocks of floats": ({"a_blocks": BLOCKS.astype(np.float32), "a_scales": BLOCKS[..., 0]},
                         {"quant_method": "mxfp4"}, "'a_blocks' is F32, expected integers"),
    "nested scales of floats": (
        BNB | {STATE: state(nested_offset=1, shape=[2, 8]), "a.weight.nested_absmax": X[0, :1],
               "a.weight.nested_quant_map": np.ones(256, np.float32)},
        {"quant_method": "bitsandbytes"}, "'a.weight.absmax' is F32, expected integers",
    ),
    "int8 of floats": ({"a.weight": X, "a.SCB": X[0]}, {"quant_method": "bitsandbytes"},
                       "'a.weight' is F32, expected integers"),
    "nvfp4 of floats": (
        {"a.weight": X, "a.weight_scale": X[:, :1], "a.weight_scale_2": X[0, :1]},
        {"quant_method": "modelopt", "quant_algo": "NVFP4"}, "'a.weight' is F32, expected integers",
    ),
    "a shape of two axes": (PACKED | {"a.weight_shape": np.array([[8], [8]])}, CT,
                            "expected matrices"),
    "rotations at run time": (PACKED, CT | {"transform_config": {"config_groups": {"R4": {
        "apply": [{"location": "weight_input"}, {"location": "input"}],
    }}}}, "transform_config: has rotations at run time, of the input"),
    "mlx's vector": ({"a.weight": WORDS[0, :4], "a.scales": X[0, :1], "a.biases": X[0, :1]},
                     MLX_4, r"'a.scales' has the shape \(1,\), expected a matrix"),
    "blocks of a vector": (
        {"a_blocks": BLOCKS[0, 0], "a_scales": BLOCKS[0, 0, :, 0]}, {"quant_method": "mxfp4"},
        r"'a_scales' has the shape \(1,\), expected a matrix",
    ),
    "int8 of three axes": ({"a.weight": BLOCKS, "a.SCB": X[0, :2]},
                           {"quant_method": "bitsandbytes"}, r"shape \(2, 3, 1, 16\)"),
    "an endless state": (BNB | {STATE: np.zeros(1 << 17, np.uint8)},
                         {"quant_method": "bitsandbytes"}, "has 131072 bytes, at most 65536"),
    "another packing": (GPTQ, AUTO_ROUND | {"packing_format": "x"}, "format: is 'x', known"),
    "gemv": (AWQ, {"quant_method": "awq", "version": "gemv"}, "version: is 'gemv'"),
    "awq of 3 bits": (AWQ, {"quant_method": "awq", "bits": 3}, "bits: is '3'"),
    "awq's zeros": (AWQ | {"a.qzeros": WORDS}, {"quant_method": "awq"}, "shape"),
    "another shape": (PACKED | {"a.weight_shape": np.array([8, 99])}, CT, "shape"),
    "a shape of three": (PACKED | {"a.weight_shape": np.array([8, 8, 1])}, CT, "expected matrices"),
    "odd groups": (PACKED | {"a.weight_scale": X[:, :3]}, CT, "3 groups, odd for 8 inputs"),
    "several widths": ({}, CT | {"config_groups": {"a": BITS_4, "b": {"weights": {"num_bits": 8}}}},
                       "has 2 groups, those of one number of bits"),
    "several blocks": ({}, CT | {"format": "float-quantized", "config_groups": {
        name: {"weights": {"strategy": "block", "block_structure": [8, 8 + i]}}
        for i, name in enumerate("ab")
    }}, "has 2 groups, those of one number of bits and one block"),
    "a group's format": ({}, CT | {"format": "mixed-precision"}, "format: is 'None', known: pack"),
    "empty groups": ({}, CT | {"config_groups": {}}, "has 0 groups"),
    "no groups": ({}, CT | {"config_groups": None}, "config_groups: must be an object"),
    "another format": ({}, CT | {"format": "marlin-24"}, "format: is 'marlin-24'"),
    "scales that do not fit": ({"a.weight": X, "a.weight_scale_inv": X}, FP8, "does not fit"),
    "scales of nothing": ({"a.weight_scale_inv": X}, FP8, "'a.weight' is missing"),
    "blocks of text": ({}, {"quant_method": "fp8", "weight_block_size": "4"}, "list of sizes"),
    "blocks of zero": ({}, {"quant_method": "fp8", "weight_block_size": [0, 4]}, "list of sizes"),
    "blocks alone": ({"a_blocks": BLOCKS}, {"quant_method": "mxfp4"}, "'a_scales' is missing"),
    "packed blocks": (
        {"a.weight_packed": BLOCKS[0, 0], "a.weight_scale": BLOCKS[0, 0]},
        CT | {"format": "mxfp4-pack-quantized"}, r"shape \(1, 16\), expected \(1, 256\)",
    ),
    "nvfp4 without a scale of all": (
        {"a.weight_packed": BLOCKS[0, 0], "a.weight_scale": X},
        CT | {"format": "nvfp4-pack-quantized"}, "'a.weight_packed' has no shape, nor scales",
    ),
    "bytes of another number": (
        BNB | {"a.weight": BLOCKS[0, 0]}, {"quant_method": "bitsandbytes"},
        r"shape \(1, 16\), expected \(8, 1\)",
    ),
    "no table": (BNB | {"a.weight.quant_map": None}, {"quant_method": "bitsandbytes"},
                 "'a.weight.quant_map' is missing"),
    "a senseless state": (
        BNB | {STATE: np.full(4, 65, np.uint8)},
        {"quant_method": "bitsandbytes"}, "bitsandbytes__nf4': is not valid JSON",
    ),
    "a state of vectors": (
        BNB | {STATE: state(shape=[8])},
        {"quant_method": "bitsandbytes"}, r"nf4': shape: is \[8\], expected a matrix",
    ),
    "endless blocks": (
        BNB | {STATE: state(blocksize=10**30, shape=[2, 8])},
        {"quant_method": "bitsandbytes"}, "blocksize: is '10000000000",
    ),
    "an offset beyond float32": (
        BNB | {STATE: state(nested_offset=10**400, shape=[2, 8]),
               "a.weight.nested_absmax": X[0, :1], "a.weight.nested_quant_map": X[0]},
        {"quant_method": "bitsandbytes"}, "nested_offset: is '10000000000",
    ),
    "a state without an offset": (
        BNB | {"a.weight.nested_absmax": X[0, :1], "a.weight.nested_quant_map": X[0]},
        {"quant_method": "bitsandbytes"}, "nested_offset: is 'None', expected a number",
    ),
    "rows in another order": (
        {"a.weight": BLOCKS, "a.SCB": X[0], "a.weight_format": np.ones(1, np.uint8)},
        {"quant_method": "bitsandbytes"}, "'a.weight_format' is not 0",
    ),
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
