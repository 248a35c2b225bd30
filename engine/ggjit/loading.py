"""From a file to a model that is ready: graph, backend, tokenizer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Literal

from .backends import Executor, Latent, Packing, Progress
from .checking import check_tensors
from .generate import LoadStats, Model
from .gguf import GGUFFile, open_gguf
from .gguf.ahead import reading_ahead
from .graph import Attention, ExpertLinear, Graph
from .models import architecture_of
from .models.config import Config
from .text import Tokenizer, has_vocabulary

Backend = Literal["cpu", "reference"]

log = logging.getLogger("ggjit")

DEFAULT_CONTEXT = 8192  # tokens, where the model was trained for more


def load(
    path: str | Path, *, threads: int | None = None, context: int | None = None,
    backend: Backend = "cpu", vocab_only: bool = False, activations: int = 16,
    progress: Progress | None = None, check: bool = False, cache_type_k: str = "f16",
    cache_type_v: str = "f16", sequences: int = 1, pack: Packing = "auto",
    latent: Latent = "auto", suits: Callable[[Model], object] | None = None,
) -> Model:  # fmt: skip
    """Open a GGUF file (any shard of a split one) and make it ready.

    `context` is in tokens, up to what the model was trained for (default: that, at most 8192);
    `threads` defaults to what `ggjit tune` found, else to the fast physical cores (on Windows:
    logical CPUs) that this process may use. `activations` is the number of bits (8 or 16) that they
    are rounded to before quantized weights: 16 is as exact as float32, 8 is faster on prompts.
    `check` looks at all weights first and refuses what is not finite. Keys and values are kept as
    `cache_type_k` and `cache_type_v`: f16, bf16, q8_0 or q4_0; memory for them grows by what so
    many `sequences` need. `pack`: weights are laid out anew for speed if memory allows ("auto"),
    "always", "never", or all but experts ("experts-mmap": for models larger than memory).
    `latent`: latent attention (DeepSeek) is computed in the form that is cheaper for each batch, or
    only "absorbed", so that results are the same bits however a prompt is cut, or "expanded".
    `suits` sees the file and its vocabulary before weights are read, and may raise an error.
    A file without a vocabulary has logits, but no text.
    Raises: GGUFError or ValueError for a file or argument that cannot be used, OSError.
    """
    start = perf_counter()
    if not Path(path).exists():
        known = "`ggjit pull NAME` fetches a known model and prints where it is"
        raise FileNotFoundError(f"{path}: no such file; {known}")
    file = open_gguf(path)
    architecture = None if vocab_only else architecture_of(file)
    packs = architecture is not None and backend == "cpu" and pack in ("auto", "always")
    with reading_ahead(file.paths if packs else ()):
        tokenizer = Tokenizer.from_gguf(file) if has_vocabulary(file) else None
    model = Model(file, tokenizer)
    if suits is not None:
        suits(model)
    if check:
        check_tensors(file, progress)
    if architecture is None:
        return model
    n_context = context_length(file, context)
    graph = architecture.build(file, n_context)
    if tokenizer and graph.output.width < tokenizer.n_vocab:
        raise ValueError(
            f"{file.path}: {tokenizer.n_vocab} tokens but only {graph.output.width} rows of logits"
        )
    _warn_of_no_effect(graph, file, pack, latent)
    cache_types = cache_type_k, cache_type_v
    executor = _executor(
        graph, n_context, backend, threads, activations, progress, cache_types, sequences, pack,
        latent,
    )  # fmt: skip
    compile_s = getattr(getattr(executor, "times", None), "compile", 0.0)
    return Model(file, tokenizer, executor, LoadStats(perf_counter() - start, compile_s))


def _warn_of_no_effect(graph: Graph, file: GGUFFile, pack: Packing, latent: Latent) -> None:
    """Warn of arguments about parts that a model does not have."""
    is_latent = any(isinstance(op, Attention) and op.latent for op in graph.ops)
    if latent in ("absorbed", "expanded") and not is_latent:
        log.warning(
            "%s has no latent attention for --latent (latent=) to choose a form of", file.path
        )
    has_experts = any(isinstance(op, ExpertLinear) for op in graph.ops)
    if pack == "experts-mmap" and not has_experts:
        log.warning("%s has no experts for --experts (pack=) to leave in the file", file.path)


def graph_of(path: str | Path) -> Graph:
    """Return what a file computes. Raises: as `load`."""
    file = open_gguf(path)
    return architecture_of(file).build(file)


def context_length(file: GGUFFile, wanted: int | None) -> int:
    """Return the context to allocate. Raises: ValueError beyond what the model was trained for."""
    trained = Config(file).n_context_trained
    if wanted is None or wanted == 0:
        return min(trained, DEFAULT_CONTEXT)
    if not 0 < wanted <= trained:
        raise ValueError(f"{file.path}: context {wanted} is not within the trained 1 to {trained}")
    return wanted


def _executor(
    graph: Graph, n_context: int, backend: Backend, threads: int | None, activations: int,
    progress: Progress | None, cache_types: tuple[str, str], n_sequences: int,
    packing: Packing, latent: Latent = "auto",
) -> Executor:  # fmt: skip
    if n_sequences < 1:
        raise ValueError(f"sequences is {n_sequences}, expected 1 or more")
    if activations not in (8, 16):
        raise ValueError(f"activations is {activations}, expected 8 or 16")
    if backend == "cpu":
        from .backends.cpu import CPUExecutor
        from .backends.cpu.cores import usable_threads
        from .backends.cpu.shapes import shape_of
        from .backends.cpu.tuning import remembered

        tuned = remembered(graph, activations)
        shape = tuned.shape if tuned else shape_of(graph, activations, progress)
        n_threads = usable_threads(threads) or (tuned.n_threads if tuned else None)
        return CPUExecutor(
            graph, n_context, n_threads, progress, activations, cache_types, n_sequences, packing,
            shape, latent,
        )  # fmt: skip
    if backend == "reference":
        from .backends.reference import ReferenceExecutor

        return ReferenceExecutor(graph, n_context)
    raise ValueError(f"backend is {backend!r}, expected 'cpu' or 'reference'")
