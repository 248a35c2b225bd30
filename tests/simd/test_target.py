"""The choice of an instruction set."""

import platform

import pytest

from ggjit.simd import host, target

BY_NAME = {t.name: t for t in target.TARGETS}


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


@pytest.fixture
def offered(monkeypatch):
    """Tell what a machine with some features is offered, best first."""

    def offered(machine, *features):
        monkeypatch.setattr(target.platform, "machine", lambda: machine)
        monkeypatch.setattr(target, "host_features", lambda: dict.fromkeys(features, True))
        return [t.name for t in target.runnable()]

    return offered


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


@pytest.mark.parametrize("name", ["avx9000", "AVX2", "vnni"])
def test_an_unknown_target_is_refused_with_those_that_run(choose, name):
    with pytest.raises(ValueError, match=f"GGJIT_TARGET={name!r}.*generic") as caught:
        choose(name)
    assert all(able.name in str(caught.value) for able in target.runnable())


@pytest.mark.parametrize(
    ("machine", "best", "others"),
    [
        ("x86_64", "avx512-amx", ["avx512-vnni", "avx512", "avx2", "generic"]),
        ("AMD64", "avx512-vnni", ["avx512", "avx2", "generic"]),
        ("x86_64", "avx512", ["avx2", "generic"]),
        ("x86_64", "avx-vnni", ["avx2", "generic"]),
        ("x86_64", "avx2", ["generic"]),
        ("aarch64", "neon-i8mm", ["neon-dotprod", "neon", "generic"]),
        ("arm64", "neon-dotprod", ["neon", "generic"]),
        ("ARM64", "neon", ["generic"]),
        ("riscv64", "generic", []),
    ],
)
def test_a_target_is_offered_where_its_features_are(offered, machine, best, others):
    assert offered(machine, *BY_NAME[best].needs) == [best, *others]


@pytest.mark.parametrize("lacking", [t for t in target.TARGETS if t.needs], ids=lambda t: t.name)
def test_a_target_is_not_offered_without_one_of_its_features(offered, lacking):
    for feature in lacking.needs:
        have = {f for t in target.TARGETS for f in t.needs} - {feature}
        assert lacking.name not in offered(lacking.machines[0], *have)


def test_amx_needs_the_permission_of_linux(monkeypatch):
    monkeypatch.setattr(host.llvm, "get_host_cpu_features", lambda: {"amx-tile": True})
    monkeypatch.setattr(host.sys, "platform", "win32")
    assert host.host_features()["amx-tile"] is False


def test_arm_features_come_from_the_auxiliary_vector(monkeypatch):
    vector = {16: 1 << 20 | 1, 26: 0xFFFFFFFF & ~(1 << 13)}

    def getauxval(entry):
        return vector[entry]

    monkeypatch.setattr(host.llvm, "get_host_cpu_features", dict)  # not those of this machine
    monkeypatch.setattr(host.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(host.sys, "platform", "linux")
    monkeypatch.setattr(host.ctypes, "CDLL", lambda _: type("Libc", (), {"getauxval": getauxval}))
    features = host.host_features()
    assert (features["dotprod"], features["i8mm"]) == (True, False)


@pytest.mark.skipif(platform.machine() not in host.X86, reason="x86 features")
@pytest.mark.parametrize("forced", target.TARGETS, ids=lambda t: t.name)
def test_a_forced_target_lowers_to_its_own_features_only(monkeypatch, forced):
    monkeypatch.setattr(target, "runnable", lambda: [None])
    cpu, features = target.machine_of(forced)
    assert cpu in ("x86-64", "x86-64-v3", "x86-64-v4", "generic")
    wide = ["-prefer-256-bit"] if "avx512f" in forced.needs else []
    assert sorted(features.split(",")) == sorted([f"+{f}" for f in forced.needs] + wide or [""])


def test_512_bits_are_preferred_whatever_the_host_prefers(monkeypatch):
    best = target.runnable()[0]
    have = {"avx512f": True, "prefer-256-bit": True}
    monkeypatch.setattr(target, "runnable", lambda: [best])
    monkeypatch.setattr(target, "host_features", lambda: have)
    assert target.machine_of(best)[1] == "+avx512f,-prefer-256-bit"
