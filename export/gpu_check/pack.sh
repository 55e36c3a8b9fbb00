#!/usr/bin/env bash
# Pack what the GPU check imports, for a machine with Python 3.12, PyTorch for CUDA and no network (x86-64 Linux).
# Usage, in the project's root: export/gpu_check/pack.sh [part size in MiB, default 60] [folder of MNIST, default data]
# It leaves parts in .gpu/ (which git ignores): wheels, unpacked, and MNIST if it is there. run.sh unpacks and runs them.
# XZ_LEVEL sets the compression (default 1: on two cores, higher levels take many minutes and save one part).
set -euo pipefail
part=${1:-60} data=${2:-data} python=${PYTHON:-python3}
work=$(mktemp -d); trap 'rm -rf "$work" .gpu.part' EXIT
download() {
  "$python" -m pip --disable-pip-version-check download -q --only-binary=:all: --python-version 3.12 \
    --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
    --platform manylinux2014_x86_64 -d "$work/wheels" "$@"
}
download "onnxruntime-gpu${ORT_GPU:-}" onnx onnxscript numpy safetensors tqdm click pillow
# PyTorch is on the machine, so torchvision, which reads MNIST and writes grids, comes without what it depends on.
download --no-deps "torchvision${TORCHVISION:->=0.28,<0.29}"
mkdir -p "$work/pack/site"
for wheel in "$work"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$work/pack/site"; done
if compgen -G "$data/MNIST/raw/*.gz" > /dev/null; then
  mkdir -p "$work/pack/data/MNIST/raw"; cp "$data"/MNIST/raw/*.gz "$work/pack/data/MNIST/raw"
else
  echo "MNIST is not in $data, so the step cgan will be skipped." >&2
fi
# The parts get their final place once all are there: a pack that was cut off must not look complete.
rm -rf .gpu.part; mkdir .gpu.part
tar -C "$work/pack" -c . | xz -T0 "-${XZ_LEVEL:-1}" | split -b "${part}m" -d - .gpu.part/part-
rm -rf .gpu; mv .gpu.part .gpu
ls -l .gpu
