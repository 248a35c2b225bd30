"""A small Llama as a checkpoint: its config.json and its tensors."""

import numpy as np

N_LAYERS, N_EMBD, N_FF, N_VOCAB = 2, 32, 64, 40


def config(**changes):
    return {
        "architectures": ["LlamaForCausalLM"], "num_hidden_layers": N_LAYERS,
        "hidden_size": N_EMBD, "intermediate_size": N_FF, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": N_VOCAB, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 64,
    } | changes  # fmt: skip


def llama(rng):
    shapes = {"model.embed_tokens": (N_VOCAB, N_EMBD), "model.norm": (N_EMBD,)}
    for i in range(N_LAYERS):
        layer = f"model.layers.{i}."
        shapes |= {
            f"{layer}self_attn.q_proj": (N_EMBD, N_EMBD), f"{layer}self_attn.k_proj": (16, N_EMBD),
            f"{layer}self_attn.v_proj": (16, N_EMBD), f"{layer}self_attn.o_proj": (N_EMBD, N_EMBD),
            f"{layer}mlp.gate_proj": (N_FF, N_EMBD), f"{layer}mlp.up_proj": (N_FF, N_EMBD),
            f"{layer}mlp.down_proj": (N_EMBD, N_FF), f"{layer}input_layernorm": (N_EMBD,),
            f"{layer}post_attention_layernorm": (N_EMBD,),
        }  # fmt: skip
    return {f"{n}.weight": rng.normal(size=s).astype(np.float32) for n, s in shapes.items()}
