"""Types by mix: the same as llama-quantize chooses, for made-up models of many kinds."""

import json

import pytest
from make_policy_tables import FILE, short
from policy_models import MODELS, WISHED, WISHED_MIXES, WISHES, tensors_of

from ggjit.gguf import GGMLType
from ggjit_convert.flags import TYPES
from ggjit_convert.quantize import encodable
from ggjit_convert.quantize.mixes import MIXES, NAMED, find_mix
from ggjit_convert.quantize.policy import Model, Wishes, that_fits, types_of

TABLES = json.loads(FILE.read_text(encoding="ascii"))


def table(name, kind, mix):
    return TABLES[f"{name}, {kind}"].get(mix, TABLES[name][mix])


def types(name, mix, wishes=Wishes(), has_importance=False):  # noqa: B008
    tensors = tensors_of(name)
    chosen = types_of(mix, tensors, MODELS[name][0], wishes, has_importance)
    return short(mix, {n: that_fits(chosen.get(n, GGMLType.F32), s[-1]) for n, s in tensors})


@pytest.mark.parametrize("name", MODELS)
def test_types_are_those_of_llama_quantize(name):
    for mix in MIXES:
        assert types(name, mix) == TABLES[name][mix], mix
        with_importance = table(name, "with importance", mix)
        assert types(name, mix, has_importance=True) == with_importance, mix


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("name", WISHED)
def test_wishes_are_granted_as_by_llama_quantize(name, wish):
    for mix in WISHED_MIXES:
        assert types(name, mix, WISHES[wish][1]) == table(name, wish, mix), mix


def test_overrides_hold_for_floats_as_well():
    """llama-quantize ignores them there."""
    wishes = Wishes(overrides=[("attn_v", GGMLType.Q8_0)])
    chosen = types_of("f16", tensors_of("uneven"), MODELS["uneven"][0], wishes)
    assert chosen["blk.3.attn_v.weight"] is GGMLType.Q8_0
    assert chosen["blk.3.attn_q.weight"] is GGMLType.F16


def test_mixes_are_found_in_any_case():
    assert find_mix("q4_k") is find_mix("Q4_K_M")
    assert (find_mix("iq3_xs").type, find_mix("iq3_xs").file_type) == (GGMLType.IQ3_S, 22)
    with pytest.raises(ValueError, match="type 'q9_0' is none of f32, f16, q4_0"):
        find_mix("q9_0")


def test_mxfp4_is_that_for_all_matrices_but_the_output():
    chosen = set(types_of("mxfp4", tensors_of("uneven"), MODELS["uneven"][0]).values())
    assert chosen == {GGMLType.MXFP4, GGMLType.Q6_K}
    assert find_mix("mxfp4").file_type == find_mix("mxfp4_moe").file_type


def test_help_lists_the_types_that_there_are():
    assert sorted(TYPES.upper().split(", ")) == sorted(NAMED)
    assert all(encodable(mix.type) for mix in NAMED.values())


def test_no_tensors_have_no_types():
    assert types_of("q4_k_m", [], Model("llama", 0, 1, 1)) == {}
