"""What this machine's CPU and operating system offer, by LLVM's names of features."""

from __future__ import annotations

import ctypes
import platform
import sys

import llvmlite.binding as llvm

ARM = ("aarch64", "arm64", "ARM64")
X86 = ("x86_64", "AMD64")

# LLVM does not look for these two on every system. Linux: bits of the auxiliary vector's entries
# 16 and 26 (asm/hwcap.h); macOS: names of sysctl.
_ARM_HWCAPS = {"dotprod": (16, 1 << 20), "i8mm": (26, 1 << 13)}
_ARM_SYSCTLS = {"dotprod": b"hw.optional.arm.FEAT_DotProd", "i8mm": b"hw.optional.arm.FEAT_I8MM"}


def host_features() -> dict[str, bool]:
    """Return which features can be used."""
    features = dict(llvm.get_host_cpu_features())
    if platform.machine() in ARM:
        features |= _arm_features()
    if features.get("amx-tile"):
        features["amx-tile"] = _amx_permitted()
    return features


def _arm_features() -> dict[str, bool]:
    if sys.platform.startswith("linux"):
        getauxval = ctypes.CDLL(None).getauxval
        getauxval.argtypes, getauxval.restype = [ctypes.c_ulong], ctypes.c_ulong
        return {name: bool(getauxval(k) & bit) for name, (k, bit) in _ARM_HWCAPS.items()}
    if sys.platform == "darwin":
        return {name: _sysctl(key) for name, key in _ARM_SYSCTLS.items()}
    return {}


def _sysctl(key: bytes) -> bool:
    value, size = ctypes.c_int(0), ctypes.c_size_t(4)
    failed = ctypes.CDLL(None).sysctlbyname(
        key, ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0)
    )
    return not failed and value.value == 1


def _amx_permitted() -> bool:
    """Ask Linux for the tile registers (arch_prctl ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)."""
    if not sys.platform.startswith("linux"):
        return False
    return ctypes.CDLL(None, use_errno=True).syscall(158, 0x1023, 18) == 0
