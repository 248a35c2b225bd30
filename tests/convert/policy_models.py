"""Made-up models whose tensors get types: names and shapes as in files of such sizes."""

from ggjit.gguf import GGMLType
from ggjit_convert.quantize.policy import Model, Wishes

DENSE = {
    "attn_norm": (1, 4096), "attn_q": (4096, 4096), "attn_k": (1024, 4096), "attn_v": (1024, 4096),
    "attn_output": (4096, 4096), "ffn_gate": (11008, 4096), "ffn_up": (11008, 4096),
    "ffn_down": (4096, 11008),
}  # fmt: skip
UNEVEN = {
    "attn_q": (576, 576), "attn_k": (192, 576), "attn_v": (192, 576), "attn_output": (576, 576),
    "ffn_gate": (1536, 576), "ffn_up": (1536, 576), "ffn_down": (576, 1536), "ssm_conv1d": (8, 4),
    "odd": (16, 40),
}  # fmt: skip
EXPERTS = {
    "attn_q": (512, 512), "attn_k": (512, 512), "attn_v": (512, 512), "attn_output": (512, 512),
    "ffn_gate_inp": (8, 512), "ffn_gate_exps": (8, 512, 512), "ffn_up_exps": (8, 512, 512),
    "ffn_down_exps": (8, 512, 512),
}  # fmt: skip
SHARED = EXPERTS | {"ffn_down_shexp": (512, 512), "ffn_up_shexp": (512, 512)}
LATENT = SHARED | {"attn_kv_b": (512, 512), "attn_kv_a_mqa": (576, 512)}
FUSED = {"attn_qkv": (768, 512), "attn_output": (512, 512), "ffn_up": (512, 512),
         "ffn_down": (512, 512)}  # fmt: skip
VALUES = {"attn_v": (256, 512), "ffn_down": (512, 512)}

ENDS = {"token_embd.weight": (512, 512), "output_norm.weight": (1, 512)}
HEAD = ENDS | {"output.weight": (512, 512)}

# By name: the model, its tensors outside of layers, and those of each layer.
MODELS = {
    "dense, 4 query heads a key": (Model("llama", 32, 32, 8), HEAD, DENSE),
    "dense, a key a query, tied": (Model("qwen2", 28, 16, 16), ENDS, DENSE),
    "uneven": (Model("llama", 30, 9, 3), {"token_embd.weight": (512, 576)}, UNEVEN),
    "8 experts": (Model("llama", 32, 32, 8, 8), HEAD, EXPERTS),
    "60 experts": (Model("qwen2moe", 24, 16, 16, 60), HEAD, SHARED),
    "64 experts, latent": (Model("deepseek2", 27, 16, 1, 64), HEAD, LATENT),
    "falcon": (Model("falcon", 32, 71, 1), HEAD, FUSED),
    "70B": (Model("llama", 80, 64, 8), HEAD, VALUES),
    "65B": (Model("llama", 80, 64, 64), HEAD, VALUES),
    "few layers": (Model("gpt2", 12, 12, 12), HEAD | {"position_embd.weight": (64, 512)}, FUSED),
}


def tensors_of(name):
    """Return (name, shape) of all of a model's tensors."""
    model, ends, layer = MODELS[name]
    named = {f"blk.{i}.{part}.weight": shape for i in range(model.n_layers)
             for part, shape in layer.items()}  # fmt: skip
    return list((ends | named).items())


# What a user may ask for, as llama-quantize's options and as wishes.
WISHES = {
    "output": (["--output-tensor-type", "q5_0"], Wishes(output=GGMLType.Q5_0)),
    "embedding": (["--token-embedding-type", "q5_1"], Wishes(embedding=GGMLType.Q5_1)),
    "pure": (["--pure"], Wishes(pure=True)),
    "overrides": (
        ["--tensor-type", r"blk\.[0-9]\.attn_v=q8_0", "--tensor-type", "attn_v|ffn_up=q4_1"],
        Wishes(overrides=[(r"blk\.[0-9]\.attn_v", GGMLType.Q8_0),
                          ("attn_v|ffn_up", GGMLType.Q4_1)]),
    ),
}  # fmt: skip
WISHED = ("dense, a key a query, tied", "8 experts")  # the models that are tried with them
WISHED_MIXES = ("Q4_K_M", "Q2_K", "IQ2_M", "Q8_0")
