"""What looks at one token by itself: names in a layer of a checkpoint, and shapes."""

from __future__ import annotations

from .attention import Config, Shapes, inside

GATED = ("gate_proj", "up_proj", "down_proj")
NUMBERED = ("w1", "w3", "w2")
COUNTS = ("num_experts", "num_local_experts", "n_routed_experts")  # config.json's names


def mlp(name: str, n_ff: int, n: int, parts: tuple[str, str, str] = GATED) -> Shapes:
    """Return the matrices of a gated layer."""
    gate, up, down = (f"{name}.{part}.weight" for part in parts)
    return {gate: (n_ff, n), up: (n_ff, n), down: (n, n_ff)}


def gated(c: Config, i: int) -> Shapes:
    return mlp("mlp", c["intermediate_size"], c["hidden_size"])


def fused(c: Config, i: int) -> Shapes:
    """Return a layer with the gate and the up matrix in one."""
    n, n_ff = c["hidden_size"], c["intermediate_size"]
    return {"mlp.gate_up_proj.weight": (2 * n_ff, n), "mlp.down_proj.weight": (n, n_ff)}


def experts(
    c: Config, i: int, block: str = "mlp", parts: tuple[str, str, str] = GATED,
    has_bias: bool = False,
) -> Shapes:  # fmt: skip
    """Return experts one by one, the layer that all tokens take; in the first layers none.

    With `has_bias` there are numbers that are added to scores to choose by.
    """
    if i < c.get("first_k_dense_replace", 0):
        return gated(c, i)
    n, n_ff, n_experts = c["hidden_size"], expert_width(c), expert_count(c)
    shapes: Shapes = {"gate.weight": (n_experts, n)}
    for e in range(n_experts):
        shapes |= mlp(f"experts.{e}", n_ff, n, parts)
    if has_bias:
        shapes["gate.e_score_correction_bias"] = (n_experts,)
    if n_shared := c.get("n_shared_experts", c.get("num_shared_experts", 0)):
        shapes |= mlp("shared_experts", n_shared * n_ff, n)
    if width := c.get("shared_expert_intermediate_size"):
        shapes |= mlp("shared_expert", width, n) | {"shared_expert_gate.weight": (1, n)}
    return inside(block, shapes)


def llama4(c: Config, i: int) -> Shapes:
    """Return stacked experts with inputs as rows, in the last of each few layers."""
    n, n_ff, n_experts = c["hidden_size"], c["intermediate_size"], expert_count(c)
    if (i + 1) % c["interleave_moe_layer_step"]:
        return mlp("feed_forward", c["intermediate_size_mlp"], n)
    return mlp("feed_forward.shared_expert", n_ff, n) | inside("feed_forward", {
        "router.weight": (n_experts, n), "experts.gate_up_proj": (n_experts, n, 2 * n_ff),
        "experts.down_proj": (n_experts, n_ff, n),
    })  # fmt: skip


def gpt_oss(c: Config, i: int) -> Shapes:
    """Return the same with biases."""
    n, n_ff, n_experts = c["hidden_size"], c["intermediate_size"], expert_count(c)
    return inside("mlp", {
        "router.weight": (n_experts, n), "router.bias": (n_experts,),
        "experts.gate_up_proj": (n_experts, n, 2 * n_ff),
        "experts.gate_up_proj_bias": (n_experts, 2 * n_ff),
        "experts.down_proj": (n_experts, n_ff, n), "experts.down_proj_bias": (n_experts, n),
    })  # fmt: skip


def granite(c: Config, i: int) -> Shapes:
    """Return stacked experts if there are any, and the layer that all tokens take."""
    n, n_ff, n_experts = c["hidden_size"], c["intermediate_size"], expert_count(c)
    shapes: Shapes = {}
    if n_experts:
        shapes = inside("block_sparse_moe", {
            "router.layer.weight": (n_experts, n), "input_linear.weight": (n_experts, 2 * n_ff, n),
            "output_linear.weight": (n_experts, n, n_ff),
        })  # fmt: skip
    if shared := c.get("shared_intermediate_size"):
        shapes |= {"shared_mlp.input_linear.weight": (2 * shared, n),
                   "shared_mlp.output_linear.weight": (n, shared)}  # fmt: skip
    return shapes


def lfm2(c: Config, i: int) -> Shapes:
    """Return a layer of two thirds of the width that config.json names, rounded up."""
    n_ff, multiple = c["intermediate_size"], c["block_multiple_of"]
    if c["block_auto_adjust_ff_dim"]:
        n_ff = -(-(2 * n_ff // 3) // multiple) * multiple
    return mlp("feed_forward", n_ff, c["hidden_size"], NUMBERED)


def expert_width(c: Config) -> int:
    return int(c.get("moe_intermediate_size") or c["intermediate_size"])


def expert_count(c: Config) -> int:
    """Return how many experts a layer has, 0 for none."""
    return next((int(c[name]) for name in COUNTS if name in c), 0)
