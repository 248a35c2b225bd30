"""How text is cut into words before byte-level BPE, by the names of `tokenizer.ggml.pre`.

Each recipe is the pre-tokenizer of the models' own tokenizer.json: regular expressions applied one
after the other, each cutting out its matches. Which name means which recipe, and which of them take
a whole word from the vocabulary before trying merges, is in llama.cpp `src/llama-vocab.cpp`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class PreTokenizer:
    """A recipe.

    ignore_merges: a word that is a token is taken whole. add_bos: the default where the file does
    not say. nfc: text is normalised to Unicode's NFC first.
    """

    patterns: tuple[str, ...]
    ignore_merges: bool = False
    add_bos: bool = False
    nfc: bool = False


CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
IDEOGRAPHS_AND_HANGUL = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
IDEOGRAPHS_AND_KANA = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
# DeepSeek lists the letters that have a case, as of one version of Unicode.
CASED_LETTERS = (
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af"
    "\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1"
    "\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5"
    "\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a"
    "\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d"
    "\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3"
    "\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115"
    "\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149"
    "\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d"
    "\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06"
    "\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3"
    "\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df"
    "\U0001e900-\U0001e943"
)

GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def _gpt4(digits: str, contractions: str = CONTRACTIONS + "|") -> str:
    words = r"[^\r\n\p{L}\p{N}]?\p{L}+"
    return rf"{contractions}{words}|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{SPACES}"


def _gpt4o(digits: str, contractions: str) -> str:
    upper, lower = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
    start = r"[^\r\n\p{L}\p{N}]?"
    words = f"{start}{upper}*{lower}+{contractions}|{start}{upper}+{lower}*{contractions}"
    return rf"{words}|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{SPACES}"


GPT2 = PreTokenizer((GPT2_PATTERN,))
SINGLE_DIGITS = PreTokenizer((r"\p{N}", GPT2_PATTERN))
LLAMA3 = PreTokenizer((_gpt4(r"\p{N}{1,3}"),), ignore_merges=True, add_bos=True)
QWEN2 = PreTokenizer((_gpt4(r"\p{N}"),))
DEEPSEEK_LLM = PreTokenizer(
    (
        "[\r\n]",
        rf"\s?[{CASED_LETTERS}]+",
        "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
        r"\s+$",
        IDEOGRAPHS_AND_HANGUL,
        r"\p{N}",
    )
)
DEEPSEEK_CODER = PreTokenizer(
    ("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", IDEOGRAPHS_AND_HANGUL, r"\p{N}")
)
DEEPSEEK_V3 = PreTokenizer(
    (
        r"\p{N}{1,3}",
        IDEOGRAPHS_AND_KANA,
        r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
        rf"| ?[\p{{P}}\p{{S}}]+[\r\n]*|{SPACES}",
    )
)
FALCON = PreTokenizer((r"[\p{P}\$\+<=>\^~\|`]+", GPT2_PATTERN, "[0-9][0-9][0-9]"))
# What llama.cpp does with files of the time before `pre` existed.
DEFAULT = PreTokenizer((r"[\p{P}\$\+<=>\^~\|]+", GPT2_PATTERN, r"\p{N}+", "[0-9][0-9][0-9]"))
BLOOM = PreTokenizer((" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+",))
VIKING = PreTokenizer((*BLOOM.patterns, r"\p{N}"))
QWEN35 = PreTokenizer(
    (
        rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}"
        rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{SPACES}",
    )
)
GPT4O = PreTokenizer((_gpt4o(r"\p{N}{1,3}", CONTRACTIONS + "?"),))
TEKKEN = PreTokenizer((_gpt4o(r"\p{N}", ""),), ignore_merges=True, add_bos=True)


def _kimi() -> str:
    upper = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
    lower = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
    start, end = r"[^\r\n\p{L}\p{N}]?", CONTRACTIONS + "?"
    words = f"{start}{upper}*{lower}+{end}|{start}{upper}+{lower}*{end}"
    return rf"[\p{{Han}}]+|{words}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{SPACES}"


KIMI_K2 = PreTokenizer((_kimi(),), ignore_merges=True)
BAILING = PreTokenizer(
    (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*"
        r"|\s*[\r\n]|\s+(?!\S)|\s+",
    )
)
SEED_CODER = PreTokenizer(
    (
        rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}"
        rf"| ?[^\s\p{{L}}\p{{N}}\r\n]+|{SPACES}",
    )
)

# Cut first, then as gpt-4o and the like.
MINICPM5 = PreTokenizer((r"\p{N}{1,3}", _gpt4(r"\p{N}+")), ignore_merges=True)
TINY_AYA = PreTokenizer((r"\d{1,3}(?=(?:\d{3})*\b)", *GPT4O.patterns))
LAGUNA = PreTokenizer((r"[^\n]+|[\n]+", *QWEN2.patterns))
YOUTU = PreTokenizer(
    (
        "[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c"
        "\u3001-\u303f\ufe30-\ufe4f]+|[\u3105-\u312f]+|" + IDEOGRAPHS_AND_KANA,
        _gpt4o(r"\p{N}", CONTRACTIONS + "?"),
    ),
    ignore_merges=True,
)
SPARK = PreTokenizer(
    (
        *DEEPSEEK_V3.patterns[:2],
        DEEPSEEK_V3.patterns[2].replace(rf"+[\r\n]*|{SPACES}", r"+|[\r\n]|\s+(?!\S)|\s+"),
        r"\p{N}",
    )
)
WORDS_WITH_SPACES = r"[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+"
EXAONE_MOE = PreTokenizer(
    (
        rf"{CONTRACTIONS}|{WORDS_WITH_SPACES}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]?"
        r"|\s*[\r\n]|\s+(?!\S)|\s+",
    )
)
HALVES = "|".join(
    rf"\s{{{n}}}(?!\S)" for n in ("512", "256", "128", "64", "32", "16", "8", "4", "1,2")
)
JAIS2 = PreTokenizer((_gpt4(r"\p{N}{1,3}").replace(r"\s+(?!\S)|\s+", HALVES + r"|\s{1}"),))

RECIPES: tuple[tuple[str, PreTokenizer], ...] = (
    ("default", DEFAULT),
    ("llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano", LLAMA3),
    ("dbrx smaug-bpe chatglm-bpe", replace(LLAMA3, ignore_merges=False, add_bos=False)),
    ("glm4 glm5", replace(LLAMA3, add_bos=False)),
    ("gpt-2 phi-2 jina-es jina-de gigachat a.x-4.0 mellum jais trillion", GPT2),
    ("exaone4 granite-docling modern-bert roberta-bpe", GPT2),
    ("jina-v1-en jina-v2-en jina-v2-es jina-v2-de jina-v2-code", GPT2),
    ("mpt olmo", replace(GPT2, nfc=True)),
    ("smollm starcoder refact codeshell exaone minerva-7b mellum2", SINGLE_DIGITS),
    ("command-r", replace(SINGLE_DIGITS, nfc=True)),
    ("qwen2", replace(QWEN2, nfc=True)),
    ("qwen35", QWEN35),
    ("deepseek-r1-qwen stablelm2 kormo f2llmv2 megrez hunyuan solar-open grok-2", QWEN2),
    ("deepseek-llm", DEEPSEEK_LLM),
    ("deepseek-coder", DEEPSEEK_CODER),
    ("deepseek-v3 hunyuan-dense joyai-llm hy_v4", DEEPSEEK_V3),
    ("falcon", FALCON),
    ("poro-chat bloom gpt3-finnish", BLOOM),
    ("viking", VIKING),
    ("gpt-4o llama4 kanana2 minimax-m2 talkie", GPT4O),
    ("granite-embed-multi-97m", replace(GPT4O, ignore_merges=True)),
    ("minicpm5", MINICPM5),
    ("tiny_aya cohere2moe", TINY_AYA),
    ("laguna", LAGUNA),
    ("youtu", YOUTU),
    ("spark2_5", SPARK),
    ("exaone-moe", EXAONE_MOE),
    ("jais-2", JAIS2),
    ("ufakzeka", PreTokenizer((_gpt4(r"\p{N}", contractions=""),))),
    ("tekken", TEKKEN),
    ("kimi-k2", KIMI_K2),
    ("bailingmoe bailingmoe2 llada-moe", BAILING),
    ("seed-coder", SEED_CODER),
)

PRE_TOKENIZERS = {name: recipe for names, recipe in RECIPES for name in names.split()}
