"""The choice of an instruction set."""

import platform

import pytest

from ggjit.simd import target


@pytest.fixture
def choose(monkeypatch):
    """Let GGJIT_TARGET be something else, and choose again."""

    def choose(name):
        if name is None:
            monkeypatch.delenv("GGJIT_TARGET", raising=False)
        else:
            monkeypatch.setenv("GGJIT_TARGET", name)
        monkeypatch.setattr(target.numba.config, "CPU_NAME", None)
        monkeypatch.setattr(target.numba.config, "CPU_FEATURES", None)
        return target.current.__wrapped__()

    return choose


def test_the_best_is_the_default(choose):
    assert choose(None) is target.runnable()[0]
    assert choose("") is target.runnable()[0]


@pytest.mark.parametrize("able", target.runnable(), ids=lambda t: t.name)
def test_any_that_runs_can_be_forced(choose, able):
    assert choose(able.name) is able
    features = target.numba.config.CPU_FEATURES.split(",")
    assert {f"+{need}" for need in able.needs} <= set(features)


def test_generic_is_always_there_and_last():
    assert target.runnable()[-1].name == "generic"


@pytest.mark.parametrize("name", ["avx9000", "AVX2", "avx512"])
def test_an_unknown_target_is_refused_with_those_that_run(choose, name):
    with pytest.raises(ValueError, match=f"GGJIT_TARGET={name!r}.*generic") as caught:
        choose(name)
    assert all(able.name in str(caught.value) for able in target.runnable())


def test_a_target_is_not_offered_without_its_features(monkeypatch):
    have = dict.fromkeys(target.host_features(), True)
    monkeypatch.setattr(target, "host_features", lambda: {**have, "avx512vnni": False})
    monkeypatch.setattr(target.platform, "machine", lambda: "x86_64")
    assert [t.name for t in target.runnable()] == ["avx2", "generic"]
    monkeypatch.setattr(target, "host_features", lambda: {"avx2": True})
    assert [t.name for t in target.runnable()] == ["generic"]


def test_other_machines_get_what_needs_nothing(monkeypatch):
    monkeypatch.setattr(target.platform, "machine", lambda: "riscv64")
    assert [t.name for t in target.runnable()] == ["generic"]


def test_amx_needs_the_permission_of_linux(monkeypatch):
    monkeypatch.setattr(target.sys, "platform", "win32")
    assert not any("amx" in t.name for t in target.runnable())


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86 features")
def test_a_forced_target_lowers_to_its_own_features_only(monkeypatch):
    monkeypatch.setattr(target, "runnable", lambda: [target.TARGETS[0]])
    cpu, features = target.machine_of(target.TARGETS[-1])
    assert (cpu, features) == ("x86-64", "")
    avx2 = next(t for t in target.TARGETS if t.name == "avx2")
    assert "avx512" not in target.machine_of(avx2)[1]
