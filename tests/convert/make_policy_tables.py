"""Write policy_tables.json: `python tests/convert/make_policy_tables.py .../llama-quantize`.

What `llama-quantize --dry-run` (llama.cpp of October 2026) says of the made-up models, each a
sparse file of F32 zeros: by model and mix, for each kind of tensor its types in order of layers.
With importance and with wishes only what differs from the model's first table is kept.
"""

import json
import re
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path

import gguf
import numpy as np
from policy_models import MODELS, WISHED, WISHED_MIXES, WISHES, tensors_of

from ggjit.gguf import GGMLType
from ggjit_convert.quantize.mixes import MIXES

FILE = Path(__file__).with_name("policy_tables.json")
LINE = re.compile(r"^\[ *\d+/ *\d+\] (\S+) .*, type = +f32, size =.*?(?:\((\w+)\))?$", re.MULTILINE)
EXTRA = {  # that llama.cpp wants to know, by architecture
    "deepseek2": {
        "attention.q_lora_rank": 0, "attention.kv_lora_rank": 512, "expert_shared_count": 1,
        "expert_feed_forward_length": 512, "leading_dense_block_count": 1,
        "attention.key_length": 576, "attention.value_length": 512, "rope.dimension_count": 64,
        "attention.key_length_mla": 192, "attention.value_length_mla": 128,
    },
}  # fmt: skip


def write(path, name):
    """Write a file that has all but the data."""
    model = MODELS[name][0]
    writer = gguf.GGUFWriter(path, model.architecture)
    for add, value in (
        (writer.add_block_count, model.n_layers), (writer.add_context_length, 512),
        (writer.add_embedding_length, 512), (writer.add_feed_forward_length, 512),
        (writer.add_head_count, model.n_heads), (writer.add_head_count_kv, model.n_key_heads),
        (writer.add_layer_norm_eps, 1e-5), (writer.add_layer_norm_rms_eps, 1e-5),
        (writer.add_vocab_size, 512),
    ):  # fmt: skip
        add(value)
    if model.n_experts:
        writer.add_expert_count(model.n_experts)
        writer.add_expert_used_count(2)
    for key, value in EXTRA.get(model.architecture, {}).items():
        writer.add_uint32(f"{model.architecture}.{key}", value)
    n_bytes = 0
    for tensor, shape in tensors_of(name):
        size = 4
        for n in shape:
            size *= n
        writer.add_tensor_info(tensor, shape, np.dtype("float32"), size)
        n_bytes += -(-size // 32) * 32
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size + n_bytes + 64)


def told(program, path, mix, *options):
    """Return llama-quantize's types by name; F32 is what it does not touch."""
    command = [program, "--dry-run", *options, path, mix]
    run = subprocess.run(command, capture_output=True, text=True)
    types = dict(LINE.findall(run.stdout + run.stderr))
    assert types, run.stderr[-2000:]
    return {name: GGMLType[type.upper()] if type else GGMLType.F32 for name, type in types.items()}


def short(mix, types):
    """Return types by kind of tensor, as `TYPE*LAYERS` ; none for a kind all of the mix's type."""
    kinds = {}
    for name in sorted(types, key=lambda n: int((re.findall(r"^blk\.(\d+)", n) or [-1])[0])):
        kinds.setdefault(re.sub(r"^blk\.\d+\.", "", name), []).append(types[name].name)
    return {
        kind: " ".join(f"{t}*{len(list(run))}" for t, run in groupby(found))
        for kind, found in kinds.items()
        if set(found) != {MIXES[mix].type.name}
    }


def runs(name, importance):
    """Return title, mixes and options of what a model is tried with."""
    write_importance(importance)
    yield name, MIXES, []
    yield f"{name}, with importance", MIXES, ["--imatrix", importance]
    for wish, (options, _) in WISHES.items() if name in WISHED else []:
        yield f"{name}, {wish}", WISHED_MIXES, options


def write_importance(path):
    """Write an importance matrix of one tensor: that there is one is all that counts."""
    writer = gguf.GGUFWriter(path, "")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", ["none"])
    writer.add_uint32("imatrix.chunk_count", 1)
    writer.add_uint32("imatrix.chunk_size", 512)
    writer.add_tensor("blk.0.attn_q.weight.in_sum2", np.ones((1, 512), np.float32))
    writer.add_tensor("blk.0.attn_q.weight.counts", np.ones((1, 1), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(program):
    tables = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            path = Path(folder) / "model.gguf"
            write(path, name)
            for title, mixes, options in runs(name, Path(folder) / "imatrix.gguf"):
                types = {mix: told(program, path, mix, *options) for mix in mixes}
                found = {mix: short(mix, chosen) for mix, chosen in types.items()}
                before = tables.get(name, {})
                tables[title] = {m: kinds for m, kinds in found.items() if kinds != before.get(m)}
    FILE.write_text(json.dumps(tables, indent=0) + "\n", encoding="ascii")


if __name__ == "__main__":
    main(sys.argv[1])
