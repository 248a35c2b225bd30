"""What is said of types before a file is written."""

import numpy as np
from small_llama import N_EMBD, N_FF, N_VOCAB, llama

from ggjit.gguf import GGMLType
from ggjit_convert.conversion import Conversion
from ggjit_convert.origins import FromCheckpoint
from ggjit_convert.quantize.policy import Wishes


def notes_of(folder, type, wishes=None):
    return Conversion.of(FromCheckpoint.at(folder, vocabulary=False), type, wishes).notes()


def test_types_that_do_not_fit_are_noted(checkpoint):
    folder = checkpoint()
    assert notes_of(folder, "q8_0") == []
    lines = notes_of(folder, "q4_k_s")
    assert "12 tensors are q5_0, not q4_k: rows are no multiple of 256" in lines
    embedding = Wishes(embedding=GGMLType.Q6_K)
    [note] = notes_of(folder, "q8_0", embedding)
    assert note == "1 tensor is q8_0, not q6_k: rows are no multiple of 256"


def test_an_output_that_is_not_there_is_noted(checkpoint, rng):
    [note] = notes_of(checkpoint(tie_word_embeddings=False), "q8_0")
    assert "the output is not the embedding, but there is no other" in note
    assert not notes_of(checkpoint(tie_word_embeddings=True), "q8_0")
    output = {"lm_head.weight": rng.normal(size=(N_VOCAB, N_EMBD)).astype(np.float32)}
    assert not notes_of(checkpoint(output, tie_word_embeddings=False), "q8_0")


def test_types_that_make_no_sense_are_noted(checkpoint, rng):
    down = [("blk.0.ffn_down", GGMLType.IQ2_S)]
    wide = {"hidden_size": 256, "intermediate_size": 256}
    shapes = {n: w.shape for n, w in llama(rng).items()}
    wider = {n: tuple(256 if d in (N_EMBD, N_FF) else d for d in s) for n, s in shapes.items()}
    wider = {n: (128, *s[1:]) if s[0] == 16 else s for n, s in wider.items()}
    normal = {n: rng.normal(size=s).astype(np.float32) for n, s in wider.items()}
    folder = checkpoint(normal, **wide)
    [note] = notes_of(folder, "q8_0", Wishes(overrides=down))
    assert note.startswith("iq2_s without --imatrix loses much")
    [note] = notes_of(folder, "tq1_0")
    assert note.startswith("tq1_0 keeps of a weight")
    ternary = {n: np.sign(w) * (np.abs(w) > 0.5) * 0.25 for n, w in normal.items()}
    ternary = {n: w.astype(np.float32) for n, w in ternary.items()}
    assert notes_of(checkpoint(ternary, **wide), "tq2_0") == []
