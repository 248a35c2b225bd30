"""Shapes that disagree with config.json are all named before anything is written."""

import json
import re
import shutil
from pathlib import Path

import pytest

from ggjit_convert.errors import CheckpointError
from ggjit_convert.origins import FromCheckpoint

DATA = Path(__file__).parent / "data"


def test_tensors_of_another_shape_are_named_together(tmp_path):
    shutil.copytree(DATA / "qwen2_odd", tmp_path / "m")
    config = json.loads((tmp_path / "m/config.json").read_text())
    config["intermediate_size"] += 8
    (tmp_path / "m/config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError) as error:
        FromCheckpoint.at(tmp_path / "m", vocabulary=False)
    named = re.findall(r"blk\.\d+\.ffn_\w+\.weight", str(error.value))
    assert len(named) == len(set(named)) == min(3 * config["num_hidden_layers"], 8)
    assert "have other shapes than config.json says" in str(error.value)
