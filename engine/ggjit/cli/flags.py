"""The options that several commands share, as dataclasses; `spread` lets typer see their fields."""

from __future__ import annotations

import functools
import inspect
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from .wording import counted

if TYPE_CHECKING:
    from ..generate import Generation, Model

BIAS = re.compile(r"(\d+)([+-](?:inf|\d+(?:\.\d*)?|\.\d+))", re.IGNORECASE)

ModelArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="MODEL",
        help="A GGUF file, a known name (ggjit pull lists them) or hf:OWNER/REPO[:QUANT].",
        show_default=False,
    ),
]


def option(*names: str, metavar: str, help: str, **more: Any) -> Any:
    """Return a typer option that shows no type and no default of its own."""
    return typer.Option(*names, metavar=metavar, help=help, show_default=False, **more)


Activations = Annotated[
    int, option("--activations", metavar="BITS", help="16 (default): exact; 8: faster prompts.")
]


@dataclass(frozen=True)
class ComputeFlags:
    """How a model is computed."""

    backend: Annotated[
        str, option("--backend", metavar="NAME", help="cpu (default), or reference: plain NumPy.")
    ] = "cpu"
    activations: Activations = 16
    cache_type_k: Annotated[
        str,
        option("-ctk", "--cache-type-k", metavar="TYPE", parser=str.lower,
               help="Keys: f16, bf16, q8_0 or q4_0."),
    ] = "f16"  # fmt: skip
    cache_type_v: Annotated[
        str,
        option("-ctv", "--cache-type-v", metavar="TYPE", parser=str.lower,
               help="Values, likewise (f16)."),
    ] = "f16"  # fmt: skip
    pack: Annotated[
        str,
        option("--pack", metavar="WHEN",
               help="Lay weights out anew for speed: always, never, or auto: what memory has no"
                    " room for stays in the mapped file, experts first."),
    ] = "auto"  # fmt: skip
    experts: Annotated[
        str | None,
        option("--experts", metavar="WHERE",
               help="mmap: all experts stay in the file, which may be larger than memory."),
    ] = None  # fmt: skip
    latent: Annotated[
        str,
        option("--latent", metavar="FORM",
               help="Latent attention (DeepSeek): absorbed: the same bits however a prompt is"
                    " cut; expanded; auto: whichever is cheaper."),
    ] = "auto"  # fmt: skip

    def arguments(self) -> dict[str, Any]:
        """Return arguments of `ggjit.load`. Raises: ValueError for a place there is not."""
        if self.experts not in (None, "mmap"):
            raise ValueError(f"--experts is {self.experts!r}, expected mmap")
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "experts"}
        return given | ({"pack": "experts-mmap"} if self.experts else {})


@dataclass(frozen=True)
class ModelFlags:
    """Which model, and how it is opened."""

    model_option: Annotated[
        str | None, option("-m", "--model", metavar="MODEL", help="The same as MODEL.")
    ] = None
    threads: Annotated[
        int | None,
        option("-t", "--threads", metavar="N", help="Threads (default: the physical cores)."),
    ] = None
    context: Annotated[
        int | None,
        option("-c", "--ctx-size", metavar="N", help="Context in tokens (default: 8192 at most)."),
    ] = None
    check: Annotated[
        bool, typer.Option("--check", "--check-tensors", help="Look for damaged weights first.")
    ] = False
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Timings and notes, on stderr.")
    ] = False

    def load(
        self, argument: str | None, compute: ComputeFlags, suits: Callable[[Model], object]
    ) -> Model:
        """Fetch the model if it must be, open it, and show progress on a terminal.

        `suits` sees it before weights are read, and may raise an error.
        """
        from .. import load
        from ..hub import resolve
        from .status import load_status

        path = resolve(one_model(argument, self.model_option))
        logging.basicConfig(level="INFO" if self.verbose else "WARNING", format="%(message)s")
        with load_status() as progress:
            return load(
                path,
                threads=self.threads,
                context=self.context,
                progress=progress,
                check=self.check,
                suits=suits,
                **compute.arguments(),
            )


def chats_or(advice: str) -> Callable[[Model], None]:
    """Return what raises ValueError, with advice, for a model without a chat template."""

    def chats(model: Model) -> None:
        if model.chat_template is None:
            problem = "has no chat template, it is a base model"
            raise ValueError(f"{model.file.path} {problem}: {advice}")

    return chats


@dataclass(frozen=True)
class SamplingFlags:
    """How tokens are chosen; what is not given is taken from the file, else llama.cpp's."""

    temperature: Annotated[
        float | None, option("--temp", metavar="X", help="Temperature (0.8); 0: the likeliest.")
    ] = None
    top_k: Annotated[
        int | None, option("--top-k", metavar="N", help="The N likeliest (40; 0: all).")
    ] = None
    top_p: Annotated[
        float | None, option("--top-p", metavar="X", help="The likeliest that sum to X (0.95).")
    ] = None
    min_p: Annotated[
        float | None, option("--min-p", metavar="X", help="X times the likeliest's share (0.05).")
    ] = None
    typical_p: Annotated[
        float | None,
        option("--typical", "--typical-p", metavar="X", help="Locally typical share (1: off)."),
    ] = None
    repeat_penalty: Annotated[
        float | None, option("--repeat-penalty", metavar="X", help="For repeated tokens (1: off).")
    ] = None
    repeat_last_n: Annotated[
        int | None,
        option("--repeat-last-n", metavar="N", help="Tokens that penalties look at (64; -1: all)."),
    ] = None
    presence_penalty: Annotated[
        float | None, option("--presence-penalty", metavar="X", help="Once per token (0: off).")
    ] = None
    frequency_penalty: Annotated[
        float | None, option("--frequency-penalty", metavar="X", help="Per occurrence (0: off).")
    ] = None
    logit_bias: Annotated[
        list[str] | None,
        option("--logit-bias", "-l", metavar="ID+X", help="Add X to a token's logit; ID-inf bans."),
    ] = None
    seed: Annotated[
        int | None, option("-s", "--seed", metavar="N", help="Seed (-1: another every time).")
    ] = None

    def changes(self) -> dict[str, Any]:
        """Return what was given, by the names of SamplingOptions. Raises: ValueError."""
        from ..generate import SamplingOptions

        given = {f.name: getattr(self, f.name) for f in fields(self)}
        given = {name: value for name, value in given.items() if value is not None}
        if self.seed == -1:
            del given["seed"]
        if self.logit_bias:
            given["logit_bias"] = dict(map(parse_bias, self.logit_bias))
        SamplingOptions(**given)  # before a model is loaded for nothing
        return given


@dataclass(frozen=True)
class ReplyFlags:
    """How long a reply may be, and what ends it."""

    n_predict: Annotated[
        int,
        option("-n", "--predict", "--n-predict", metavar="N", help="At most N tokens (-1: any)."),
    ] = -1
    stop: Annotated[
        list[str] | None,
        option("-r", "--reverse-prompt", metavar="TEXT", help="End the reply before TEXT."),
    ] = None
    ignore_eos: Annotated[
        bool, typer.Option("--ignore-eos", help="Never choose a token that ends the reply.")
    ] = False

    def limits(self) -> dict[str, Any]:
        """Return the arguments of Model.generate and Model.chat."""
        if self.n_predict < -1:
            raise ValueError(f"-n must be -1 or more, not {self.n_predict}")
        max_tokens = None if self.n_predict == -1 else self.n_predict
        return {"max_tokens": max_tokens, "stop": self.stop or (), "ignore_eos": self.ignore_eos}


def one_model(argument: str | None, option: str | None) -> str | None:
    """Return the model that was named; None for the default one."""
    if argument is not None and option is not None:
        raise ValueError(f"two models were named, {argument} and -m {option}")
    return option if argument is None else argument


def parse_bias(text: str) -> tuple[int, float]:
    """Read `ID+BIAS` or `ID-BIAS`, as llama.cpp does."""
    match = BIAS.fullmatch(text)
    if match is None:
        raise ValueError(f"--logit-bias must be like 15043+1, 15043-1.5 or 2-inf, not {text!r}")
    return int(match[1]), float(match[2])


def timings(reply: Generation) -> str:
    """Return one line about what a reply cost."""
    stats = reply.stats
    reused = f" ({stats.n_reused} known)" if stats.n_reused else ""
    return (
        f"prompt {counted(stats.n_prompt, 'token')}{reused} {stats.prompt_per_s:.1f} t/s, "
        f"reply {counted(stats.n_generated, 'token')} {stats.decode_per_s:.1f} t/s, "
        f"context {stats.n_past} / {stats.n_context}"
    )


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter of `command` that is a dataclass by one option per field."""
    groups: dict[str, Any] = {}
    parameters = []
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        if is_dataclass(parameter.annotation):
            group = groups[name] = parameter.annotation
            types = get_type_hints(group, include_extras=True)
            parameters += [_parameter(f.name, f.default, types[f.name]) for f in fields(group)]
        else:
            parameters.append(_parameter(name, parameter.default, parameter.annotation))

    @functools.wraps(command)
    def flat(**values: Any) -> None:
        built = {
            name: group(**{f.name: values.pop(f.name) for f in fields(group)})
            for name, group in groups.items()
        }
        command(**values, **built)

    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    flat.__annotations__ = {p.name: p.annotation for p in parameters}
    return flat


def _parameter(name: str, default: Any, annotation: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)
