#!/bin/bash
# Run tests of kernels as on an Arm machine, under user-mode emulation, on each of its targets.
#
#     tests/emulate_aarch64.sh [arguments of pytest]
#
# Needs Debian, and from its packages qemu-user. An arm64 Python of the same release and the aarch64
# wheels, 600 MB, are kept in $GGJIT_AARCH64 (~/.cache/ggjit-aarch64). Emulation is some 20 times
# slower than the machine: without arguments it takes a quarter of an hour.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
folder=${GGJIT_AARCH64:-$HOME/.cache/ggjit-aarch64}
root=$folder/root site=$folder/site
few=(tests/simd tests/kernels/test_linear.py tests/kernels/test_quantize.py tests/kernels/test_norm.py)

unpack_python() {
    mkdir -p "$root" "$folder"/apt/{lists,archives}/partial
    touch "$folder/apt/status"
    local apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64
        -o Dir::State="$folder/apt" -o Dir::State::status="$folder/apt/status"
        -o Dir::Cache="$folder/apt")
    "${apt[@]}" update
    "${apt[@]}" install -y --no-install-recommends --download-only python3 libstdc++6
    for package in "$folder"/apt/archives/*.deb; do dpkg -x "$package" "$root"; done
}

install_wheels() {
    local version needs
    version=$(readlink "$root/usr/bin/python3" | tr -d a-z)
    needs=$(python3 - <<< 'import tomllib
print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"])')
    python3 -m pip install -q --target "$site" --only-binary=:all: --no-warn-conflicts \
        --implementation cp --python-version "$version" \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_17_aarch64 \
        pytest hypothesis $needs
}

cd "$repository"
if [ ! -e "$folder/ready" ]; then
    unpack_python
    install_wheels
    touch "$folder/ready"
fi
[ $# -gt 0 ] || set -- "${few[@]}"
export PYTHONHOME=$root/usr PYTHONPATH=$repository/engine:$repository/convert:$site
export PYTHONDONTWRITEBYTECODE=1 GGJIT_CACHE=$folder/kernels
for target in neon-i8mm neon-dotprod neon; do
    echo "== $target"
    GGJIT_TARGET=$target qemu-aarch64 -L "$root" "$root/usr/bin/python3" -m pytest \
        -p no:cacheprovider "$@"
done
