"""Where models come from: a path, a known name, or a Hugging Face reference.

`resolve` turns any of them into a local file, fetching it once.
"""

from .errors import FetchError
from .known import DEFAULT, KNOWN, KnownModel, Part
from .reference import resolve

__all__ = ["DEFAULT", "KNOWN", "FetchError", "KnownModel", "Part", "resolve"]
