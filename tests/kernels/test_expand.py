"""Latent vectors to keys and values: matrices as panels, and what chunks become."""

import chosen
import gguf
import numpy as np
import pytest
from attention_cache import BatchLists
from blocks import random_blocks
from calls import MAX_THREADS, fields_of, pack_matrix
from guarded import Guarded, run

from ggjit.kernels import expand, panels
from ggjit.kernels.attention_store import store_latent
from ggjit.kernels.cache_formats import F16, FORMATS


def panels_of(fmt, blocks, turned, mapped, n_threads):
    """Shapes: blocks [n, rows, n_blocks, bytes]; returns [n, panels, inputs, 16]."""
    n, n_rows, n_columns = *blocks.shape[:2], blocks.shape[2] * fmt.n_columns
    n_inputs, n_outputs = (n_rows, n_columns) if turned else (n_columns, n_rows)
    stack, fields = stack_of(fmt, blocks, mapped), fields_of(fmt)
    out = Guarded((n, expand.n_panels(n_outputs), n_inputs, 16), np.float32)
    step = (panels.scratch_bytes(fmt, n_columns) + 63) // 64 * 64
    scratch = Guarded((MAX_THREADS, step), np.uint8)
    run(
        panels.panels(fmt, mapped, turned), n_threads, out, scratch, weights=stack.address,
        stack_step=stack.array.strides[0], n_rows=n_rows, n_columns=n_columns,
        fields=fields.address, n_fields=len(fields.array), out=out.address,
        out_step=out.array.strides[0], n_stack=n, scratch=scratch.address, scratch_step=step,
    )  # fmt: skip
    return out.array


def stack_of(fmt, blocks, mapped):
    """Return matrices as in a file or, each packed by itself, in lanes."""
    if mapped:
        return Guarded.of(blocks.reshape(len(blocks), -1))
    return Guarded.of(np.stack([pack_matrix(fmt, each, len(each)).array for each in blocks]))


@chosen.chosen
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_panels_hold_the_matrices(rng, fmt, turned, mapped):
    check_panels(rng, fmt, turned, mapped)


@chosen.every_type
@pytest.mark.parametrize("fmt", chosen.OTHERS, ids=chosen.name_of)
def test_panels_of_every_other_type(rng, fmt):
    check_panels(rng, fmt, turned=True, mapped=False)


def check_panels(rng, fmt, turned, mapped):
    n, n_rows, n_blocks = 3, int(rng.integers(1, 50)), int(rng.integers(1, 3))
    n_blocks *= 1 if fmt.n_columns > 1 else int(rng.integers(1, 50))
    blocks = np.stack([random_blocks(fmt, rng, n_rows, n_blocks * fmt.n_columns) for _ in range(n)])
    blocks = blocks.reshape(n, n_rows, n_blocks, -1)
    got = panels_of(fmt, blocks, turned, mapped, int(rng.integers(1, 4)))
    got = got.transpose(0, 2, 1, 3).reshape(n, got.shape[2], -1)  # [n, inputs, outputs]
    expected = fmt.decode(blocks).reshape(n, n_rows, -1)
    expected = expected if turned else expected.swapaxes(1, 2)
    np.testing.assert_allclose(got[..., : expected.shape[2]], expected, rtol=1e-5, atol=1e-6)


class Latents:
    """Latent vectors of one sequence, in blocks whose places are shuffled."""

    def __init__(self, fmt, x):
        self.n, self.width = x.shape
        n_chunks = (self.n + 63) // 64
        self.block = Guarded((n_chunks, fmt.value_bytes(self.width)), np.uint8)
        order = np.random.default_rng(n_chunks).permutation(n_chunks)
        places = self.block.address + order * self.block.array.strides[0]
        self.table = Guarded.of(np.concatenate([[-1], places]))
        rows, batch = Guarded.rows(x), BatchLists([(self, np.arange(self.n))])
        run(
            store_latent(fmt), 1, self.block, k=rows.address, v=0, k_stride=rows.stride, v_stride=0,
            k_offset=0, v_offset=0, k_head=0, v_head=0, n_kv_heads=1, k_dim=self.width, v_dim=0,
            table_offset=8, **batch.operands,
        )  # fmt: skip


def expanded(fmt, latents, k_b, v_b, n_rot, n_threads):
    """Shapes: k_b [H, L, D], v_b [H, V, L]; returns keys [T, H, D + rot], values [T, H, V]."""
    (n_heads, n_latent, n_plain), v_dim, n = k_b.shape, v_b.shape[1], latents.n
    matrices = Guarded.of(np.concatenate([panelled(k_b), panelled(v_b.swapaxes(1, 2))], axis=1))
    v_offset = F16.key_bytes(n_plain + n_rot)
    head, n_chunks = v_offset + F16.value_bytes(v_dim), (n + 63) // 64
    out = Guarded((n_chunks, n_heads, head), np.uint8)
    step = (expand.scratch_bytes(latents.width, matrices.array.shape[1]) + 63) // 64 * 64
    scratch, batch = Guarded((MAX_THREADS, step), np.uint8), BatchLists([(latents, np.arange(n))])
    run(
        expand.expand(fmt), n_threads, out, scratch, panels=matrices.address,
        panels_step=matrices.array.strides[0], out=out.address, chunk_step=out.array.strides[0],
        head_step=head, v_offset=v_offset, n_heads=n_heads, n_latent=n_latent, n_rot=n_rot,
        n_plain=n_plain, v_dim=v_dim, k_offset=0, table_offset=8, scratch=scratch.address,
        scratch_step=step, **batch.operands,
    )  # fmt: skip
    keys = out.array[:, :, :v_offset].copy().view(np.float16).reshape(n_chunks, n_heads, -1, 64)
    values = out.array[:, :, v_offset:].copy().view(np.float16)
    values = values.reshape(n_chunks, n_heads, -1, 64, 32).transpose(0, 3, 1, 2, 4)
    keys = keys[:, :, : n_plain + n_rot].transpose(0, 3, 1, 2).reshape(-1, n_heads, n_plain + n_rot)
    return keys[:n], values.reshape(64 * n_chunks, n_heads, -1)[:n, :, :v_dim]


def panelled(matrices):
    """Shapes: [n, inputs, outputs] to [n, panels, inputs, 16]; what fills a panel up is poison."""
    n, n_inputs, n_outputs = matrices.shape
    filled = np.full((n, n_inputs, expand.n_panels(n_outputs), 16), np.nan, np.float32)
    filled.reshape(n, n_inputs, -1)[..., :n_outputs] = matrices
    return filled.transpose(0, 2, 1, 3)


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=lambda f: f.name)
@pytest.mark.parametrize("seed", range(4))
def test_keys_and_values_of_heads(fmt, seed):
    rng = np.random.default_rng(seed)
    n_heads, n_plain, v_dim = (int(rng.integers(1, high)) for high in (4, 70, 70))
    n_rot = 2 * int(rng.integers(1, 20))
    n_latent = int(rng.integers(1, 90))
    if fmt.has_scales:
        n_latent = 96 - n_rot
    n = int(rng.choice([1, 63, 64, 150]))
    x = rng.normal(size=(n, n_latent + n_rot)).astype(np.float32)
    k_b = (rng.normal(size=(n_heads, n_latent, n_plain)) / n_latent**0.5).astype(np.float32)
    v_b = (rng.normal(size=(n_heads, v_dim, n_latent)) / n_latent**0.5).astype(np.float32)
    latents = Latents(fmt, x)
    keys, values = expanded(fmt, latents, k_b, v_b, n_rot, 1)
    kind = gguf.GGMLQuantizationType[fmt.name.upper()]
    x = gguf.quants.dequantize(gguf.quants.quantize(x, kind), kind)  # as it is kept
    c, rot = x[:, :n_latent], x[:, n_latent:]
    expected = np.einsum("tl,hld->thd", c, k_b)
    np.testing.assert_allclose(keys[..., :n_plain], expected, atol=4e-3)
    np.testing.assert_array_equal(
        keys[..., n_plain:], np.broadcast_to(rot[:, None], (n, n_heads, n_rot)).astype(np.float16)
    )
    np.testing.assert_allclose(values, np.einsum("tl,hvl->thv", c, v_b), atol=4e-3)
    for n_threads in (2, 3):
        again = expanded(fmt, latents, k_b, v_b, n_rot, n_threads)
        np.testing.assert_array_equal(again[0], keys)
        np.testing.assert_array_equal(again[1], values)
