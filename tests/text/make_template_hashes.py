"""Write template_hashes.json: what transformers makes of the templates and conversations.

    python make_template_hashes.py FOLDER_OF_TEMPLATES   # with transformers 5.24 installed

A hash stands for a text, "" for templates that refuse the conversation.
"""

from __future__ import annotations

import copy
import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path

import transformers.utils.chat_template_utils as utils
from template_cases import CASES, SPECIAL, TODAY


class Today(datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(*TODAY)


def rendered(source: str, case: dict) -> str:
    case = {"add_generation_prompt": True, "tools": None, **copy.deepcopy(case)}
    conversations = [case.pop("messages")]
    try:
        texts, _ = utils.render_jinja_template(
            conversations=conversations, chat_template=source, **SPECIAL, **case
        )
    except Exception:
        return ""
    return hashlib.sha256(texts[0].encode()).hexdigest()[:16]


if __name__ == "__main__":
    utils.datetime = Today
    found = {}
    for path in sorted(Path(sys.argv[1]).glob("*.jinja")):
        data = path.read_bytes()
        hashes = {name: rendered(data.decode(), case) for name, case in CASES.items()}
        found[path.name] = {"sha256": hashlib.sha256(data).hexdigest(), "cases": hashes}
    out = Path(__file__).with_name("template_hashes.json")
    out.write_text(json.dumps(found, indent=0) + "\n")
