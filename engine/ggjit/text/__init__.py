"""Text: the tokenizer and the chat template that a GGUF file carries. No numba."""

from .chat_template import ChatTemplate
from .reply_parts import PartReader, ReplyParts, ReplySplitter
from .stream import TokenStream
from .tokenizer import Tokenizer
from .vocab import has_vocabulary

__all__ = [
    "ChatTemplate", "PartReader", "ReplyParts", "ReplySplitter", "TokenStream", "Tokenizer",
    "has_vocabulary",
]  # fmt: skip
