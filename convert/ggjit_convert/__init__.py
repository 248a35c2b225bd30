"""Checkpoints to GGUF. Nothing is here yet; the package reserves its place beside the engine."""
