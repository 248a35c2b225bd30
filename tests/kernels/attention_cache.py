"""A cache of keys and values to store into and attend to."""

from __future__ import annotations

from typing import Any

import numpy as np
from calls import MAX_THREADS, Threads
from guarded import Guarded, padded, run
from quantized import Quantized, guarded_parts, integers_of, quantized_operands

from ggjit.kernels import attention
from ggjit.kernels.attention_store import store_kv
from ggjit.kernels.cache_formats import F16, CacheFormat


class Cache:
    """The keys and values of one layer of one sequence, in blocks whose places are shuffled."""

    def __init__(
        self, n_kv_heads: int, k_dim: int, v_dim: int, n_context: int,
        k_format: CacheFormat = F16, v_format: CacheFormat = F16,
    ) -> None:  # fmt: skip
        self.n_kv_heads, self.k_dim, self.v_dim = n_kv_heads, k_dim, v_dim
        self.formats = k_format, v_format
        self.k_head, self.v_head = k_format.key_bytes(k_dim), v_format.value_bytes(v_dim)
        self.n_chunks = (n_context + 63) // 64
        self.block = Guarded((self.n_chunks, n_kv_heads * (self.k_head + self.v_head)), np.uint8)
        self.order = np.random.default_rng(n_context).permutation(self.n_chunks)
        places = self.block.address + self.order * self.block.array.shape[1]
        self.table = Guarded.of(np.concatenate([[-1, -1], places]))  # behind two of another layer

    @property
    def operands(self) -> dict[str, float]:
        return {
            "k_offset": 0, "v_offset": self.n_kv_heads * self.k_head, "k_head": self.k_head,
            "v_head": self.v_head, "n_kv_heads": self.n_kv_heads, "k_dim": self.k_dim,
            "v_dim": self.v_dim, "table_offset": 16,
        }  # fmt: skip

    def _heads(self, start: int, head_bytes: int) -> Any:
        """Shapes: returns [n_chunks, n_kv_heads, head_bytes]."""
        end = start + self.n_kv_heads * head_bytes
        return self.block.array[self.order, start:end].reshape(
            self.n_chunks, self.n_kv_heads, head_bytes
        )

    def keys(self) -> Any:
        """Float16 keys. Shapes: returns [n_context, n_kv_heads, k_dim]."""
        heads = self._heads(0, self.k_head).view(np.float16)
        heads = heads.reshape(self.n_chunks, self.n_kv_heads, -1, 64)[:, :, : self.k_dim]
        return heads.transpose(0, 3, 1, 2).reshape(-1, self.n_kv_heads, self.k_dim)

    def values(self) -> Any:
        """Float16 values. Shapes: returns [n_context, n_kv_heads, v_dim]."""
        heads = self._heads(self.n_kv_heads * self.k_head, self.v_head).view(np.float16)
        heads = heads.reshape(self.n_chunks, self.n_kv_heads, -1, 64, 32).transpose(0, 3, 1, 2, 4)
        return heads.reshape(64 * self.n_chunks, self.n_kv_heads, -1)[..., : self.v_dim]

    def store(self, k: Any, v: Any, first: int, n_threads: Threads = 1) -> None:
        """Append [T, K, D] keys and [T, K, E] values from position `first` on."""
        keys, values = Guarded.rows(k.reshape(len(k), -1)), Guarded.rows(v.reshape(len(v), -1))
        batch = BatchLists([(self, np.arange(first, first + len(k)))])
        run(
            store_kv(*self.formats), n_threads, self.block, k=keys.address, v=values.address,
            k_stride=keys.stride, v_stride=values.stride, **self.operands, **batch.operands,
        )  # fmt: skip

    def attend(
        self, q: Any, positions: Any, scale: float, n_threads: Threads = 1, form: int = 0,
        **options: Any,
    ) -> tuple[Any, Quantized | None]:  # fmt: skip
        """Shapes: q [T, H, D]; returns [T, H, E]."""
        return attend([(self, positions)], q, scale, n_threads, form, **options)


def attend(
    parts: list[tuple[Cache, Any]], q: Any, scale: float, n_threads: Threads = 1, form: int = 0,
    *, window: int | None = None, cap: float = 0, sinks: Any = None,
) -> tuple[Any, Quantized | None]:  # fmt: skip
    """Attend from several sequences of one shape. Shapes: q [T, H, D]; returns [T, H, E]."""
    cache, (n, n_heads) = parts[0][0], q.shape[:2]
    queries = Guarded.rows(q.reshape(n, -1))
    out = Guarded((n, padded(n_heads * cache.v_dim)), np.float32)
    q8 = integers_of((n, n_heads * cache.v_dim), form)
    step = (attention.scratch_bytes(cache.k_dim, cache.v_dim) + 127) // 64 * 64
    scratch = Guarded((MAX_THREADS, step), np.uint8)
    n_context = 64 * max(c.n_chunks for c, _ in parts)
    shared = Guarded(attention.shared_bytes(cache.v_dim, n_context), np.uint8)
    counts = shared.array[: attention.LINE * (1 + attention.SPLIT)]
    counts[:] = 0
    heads = Guarded.of(np.array(np.zeros(0) if sinks is None else sinks, np.float32))
    batch = BatchLists(parts)
    run(
        attention.attention(*cache.formats, n_heads // cache.n_kv_heads), n_threads, out, scratch,
        shared, *(c.block for c, _ in parts), *guarded_parts(q8), q=queries.address,
        out=out.address, q_stride=queries.stride, stride=out.stride, **cache.operands,
        n_heads=n_heads, scale=scale, window=window or attention.EVERYTHING, cap=cap,
        sinks=0 if sinks is None else heads.address, scratch=scratch.address, scratch_step=step,
        work_bytes=attention.work_bytes(cache.k_dim), shared=shared.address,
        **quantized_operands(q8, "q8"), **batch.operands, **batch.parts,
    )  # fmt: skip
    assert not counts.any(), "left for the next run as they were not found"
    return out.array[:, : n_heads * cache.v_dim].reshape(n, n_heads, cache.v_dim), q8


class BatchLists:
    """What a batch's header points to: tokens' positions and tables, and where parts begin."""

    def __init__(self, parts: list[tuple[Cache, Any]]) -> None:
        sizes = [len(positions) for _, positions in parts]
        positions = np.concatenate([np.asarray(p, np.int32) for _, p in parts])
        tables = np.repeat([cache.table.address for cache, _ in parts], sizes)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        self._lists = [Guarded.of(positions), Guarded.of(tables), Guarded.of(starts)]
        numbers = [len(positions), len(parts), *(a.address for a in self._lists)]
        self._slots = Guarded.of(np.array(numbers, np.int64))

    @property
    def operands(self) -> dict[str, float]:
        at = self._slots.address
        return {"count": at, "batch_positions": at + 16, "batch_tables": at + 24}

    @property
    def parts(self) -> dict[str, float]:
        return {"part_count": self._slots.address + 8, "batch_starts": self._slots.address + 32}
