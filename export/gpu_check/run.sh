#!/usr/bin/env bash
# Unpack the parts that pack.sh made, and run the GPU check without a network.
# Usage, in the project's root: export/gpu_check/run.sh [options of python -m export.gpu_check]
# GPU_PARTS names the folder of the parts (default .gpu), GPU_SITE that to unpack to (default .gpu/unpacked).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd); cd "$root"
parts=${GPU_PARTS:-.gpu} site=${GPU_SITE:-.gpu/unpacked} python=${PYTHON:-python3}
rm -rf "$site"; mkdir -p "$site"
cat "$parts"/part-* | tar -xJ -C "$site"
site=$(cd "$site" && pwd)
# ONNX Runtime uses the CUDA libraries that came with PyTorch. The dynamic linker reads this variable at start only.
libraries=$("$python" - <<'PYTHON'
from glob import glob
from importlib.util import find_spec

spec = find_spec("nvidia")
roots = list(spec.submodule_search_locations) if spec else []
print(":".join(folder for root in roots for folder in sorted(glob(f"{root}/*/lib"))))
PYTHON
)
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export PYTHONPATH="runtime:.:$site/site" ORT_DISABLE_TELEMETRY=1
exec "$python" -m export.gpu_check --data "$site/data" "$@"
