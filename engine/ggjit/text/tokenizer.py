"""The tokenizer of a GGUF file: text to ids and back.

Not supported: `tokenizer.ggml.model` other than those in `vocab.MODELS`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Protocol

from ..gguf import GGUFFile
from .special_tokens import SpecialTokens
from .stream import TokenStream
from .vocab import KEY, OWN_KEY, TokenType, Vocab, byte_value, has_own_rules, read_vocab


class PlainTextModel(Protocol):
    """What tokenizes the text between special tokens."""

    def encode(self, text: str) -> list[int]: ...

    def token_bytes(self, token: str) -> bytes: ...


class Tokenizer:
    """Text to ids and back.

    `bos_id` and `eos_id` are None where the file names none. `eog_ids` are the tokens after which a
    generation is over. `add_bos` says whether `encode` puts a BOS first when not told.
    """

    def __init__(self, file: GGUFFile, vocab: Vocab) -> None:
        self.vocab = vocab
        self.n_vocab = len(vocab.tokens)
        self.bos_id = vocab.special_ids.get("bos")
        self.eos_id = vocab.special_ids.get("eos")
        self.eog_ids = vocab.eog_ids
        self.special_tokens = SpecialTokens(file, vocab)
        self._model, add_bos = _model(file, vocab)
        self.add_bos = self._adds(file, "bos", add_bos and self.bos_id is not None)
        self.add_eos = self._adds(file, "eos", vocab.model in ("t5", "bert"))
        # Rules of a file's own say themselves what comes before a text.
        self._add_space_prefix = (
            vocab.model == "llama"
            and not has_own_rules(file)
            and file.get(KEY + "add_space_prefix", bool, True)
        )
        self._starts_with_space = self._add_space_prefix or vocab.model in ("t5", "bert")
        prefix = file.get(OWN_KEY + "space_prefix", str, "always")
        self._only_first, self._only_missing = "first" in prefix, "missing" in prefix
        self._bytes: dict[int, bytes] = {}

    @classmethod
    def from_gguf(cls, file: GGUFFile) -> Tokenizer:
        """Build the tokenizer that `file` describes.

        Raises: GGUFError naming the key for a vocabulary that is damaged or not supported.
        """
        return cls(file, read_vocab(file))

    def encode(self, text: str, *, special: bool = False, bos: bool | None = None) -> list[int]:
        """Return the ids of `text`.

        special: recognise control tokens, such as <|im_end|>, written in the text; tokens that
        the file calls user-defined always are. bos: put a BOS token first; None does as the file
        says, for the EOS at the end as well.
        Raises: ValueError for text that is not Unicode (lone surrogates), or without a BOS token.
        """
        _check_unicode(text)
        ids = self.encode_parts(self.special_tokens.split(text, control=special))
        if self.add_bos if bos is None else bos:
            if self.bos_id is None:
                raise ValueError(f"{self.vocab.path}: the vocabulary has no BOS token")
            ids.insert(0, self.bos_id)
        if bos is None and self.add_eos and self.eos_id is not None:
            ids.append(self.eos_id)
        return ids

    def encode_parts(self, parts: Iterable[str | int]) -> list[int]:
        """Return the ids of text in parts: an int is a token, a str has no control tokens."""
        ids: list[int] = []
        starts = True  # the text, or a piece of it after a special token
        for whole in parts:
            pieces = (
                [whole]
                if isinstance(whole, int)
                else self.special_tokens.split(whole, control=False)
            )
            for part in pieces:
                if isinstance(part, int):
                    ids.append(part)
                    starts = not self._only_first
                else:
                    ids += self._model.encode(self._prefixed(part) if starts else part)
                    starts = False
        return ids

    def _prefixed(self, text: str) -> str:
        has_one = self._only_missing and text.startswith((" ", "\u2581"))
        return " " + text if self._add_space_prefix and not has_one else text

    def decode(self, ids: Iterable[int], *, special: bool = True) -> str:
        """Return the text of `ids`; `special` False leaves out control tokens.

        Bytes that are not UTF-8 become U+FFFD. The space that SentencePiece puts before a text is
        taken off again.
        """
        stream = self.stream(special=special)
        pieces = [stream.push(id) for id in ids]
        return "".join(pieces) + stream.flush()

    def stream(self, *, special: bool = True, continues: bool = False) -> TokenStream:
        """Return a decoder for ids that come one by one.

        continues: the ids go on after other text, so a leading space is theirs.
        """
        strip_space = self._starts_with_space and not continues
        visible = self._token_bytes if special else self._text_bytes
        return TokenStream(visible, strip_space=strip_space)

    def piece(self, id: int) -> str:
        """Return the text of one token; bytes that are no text by themselves are like <0xF0>."""
        text = self._token_bytes(id).decode(errors="surrogateescape")
        return "".join(f"<0x{ord(c) & 255:02X}>" if "\udc80" <= c <= "\udcff" else c for c in text)

    def is_control(self, id: int) -> bool:
        """Return whether `id` is a control token, one that does not stand for text."""
        return bool(self.vocab.types[self._checked(id)] in (TokenType.CONTROL, TokenType.UNKNOWN))

    def _text_bytes(self, id: int) -> bytes:
        return b"" if self.is_control(id) else self._token_bytes(id)

    def _token_bytes(self, id: int) -> bytes:
        data = self._bytes.get(id)
        if data is None:
            data = self._bytes[id] = self._decode_token(self._checked(id))
        return data

    def _decode_token(self, id: int) -> bytes:
        token, type = self.vocab.tokens[id], self.vocab.types[id]
        if type == TokenType.NORMAL:
            return self._model.token_bytes(token)
        if type == TokenType.BYTE and (byte := byte_value(token)) is not None:
            return bytes((byte,))
        return b"" if type == TokenType.UNUSED else token.encode()

    def _checked(self, id: int) -> int:
        id = operator.index(id)
        if not 0 <= id < self.n_vocab:
            raise ValueError(f"token id {id} is outside the vocabulary of {self.n_vocab} tokens")
        return id

    def _adds(self, file: GGUFFile, name: str, default: bool) -> bool:
        """Return `add_bos_token` or `add_eos_token`, which need a token to add."""
        adds = file.get(f"{KEY}add_{name}_token", bool, default)
        if adds and name not in self.vocab.special_ids:
            problem = f"the key is missing, but {KEY}add_{name}_token is true"
            raise self.vocab.error(f"{name}_token_id", problem)
        return adds


def _model(file: GGUFFile, vocab: Vocab) -> tuple[PlainTextModel, bool]:
    """Return the model for plain text and whether a BOS comes first by default."""
    # Each library takes its time to import, and only one is needed.
    if vocab.model == "gpt2":
        from .bpe import BytePairEncoding, pre_tokenizer

        return BytePairEncoding(file, vocab), pre_tokenizer(vocab).add_bos
    if vocab.model == "gemma4" or has_own_rules(file):
        from .character_bpe import CharacterPairEncoding
        from .own_rules import own_rules

        return CharacterPairEncoding(file, vocab, own_rules(file, vocab)), True
    if vocab.model == "bert":
        from .wordpiece import WordPieces

        return WordPieces(file, vocab), True
    from .spm import SentencePiece

    return SentencePiece(file, vocab), vocab.model == "llama"


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        surrogate = ord(text[error.start])
        raise ValueError(
            f"the text has the lone surrogate U+{surrogate:04X} at character {error.start}, "
            "which is not Unicode"
        ) from None
