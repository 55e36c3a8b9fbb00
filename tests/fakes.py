"""Fakes for a GPU, its driver and its libraries."""

from types import SimpleNamespace

import pytest

from mnistgen.inference import cuda, session


class Runtime:
    """ONNX Runtime with CUDA support, on a machine without a GPU."""

    __version__ = "0"
    __file__ = "/site-packages/onnxruntime/__init__.py"
    cuda_version = "13.0"

    def __init__(self, providers=(session.CUDA, session.CPU), preloading="", starting="", starts=False):
        import onnxruntime  # lazy: few tests need it

        self.InferenceSession = self._sessions(onnxruntime.InferenceSession)
        self.SessionOptions = onnxruntime.SessionOptions
        self.opened = []
        self._providers, self._preloading, self._starting, self._starts = providers, preloading, starting, starts

    def get_available_providers(self):
        return list(self._providers)

    def preload_dlls(self):
        print(self._preloading)

    def set_default_logger_severity(self, level):
        self.severity = level

    def _sessions(self, real):
        runtime = self

        class InferenceSession(real):
            def __new__(cls, model, options, providers):
                runtime.opened.append(providers)
                print(runtime._starting)
                if runtime._starts and len(providers) == 2:
                    return OnGpu(real(model, options, providers=[session.CPU]))
                return super().__new__(cls)

            def __init__(self, model, options, providers):
                super().__init__(model, options, providers=[session.CPU])

        return InferenceSession


class OnGpu:
    """A session that claims to run on CUDA and runs on the CPU."""

    def __init__(self, made):
        self.may_fall_back = True
        self._made = made

    def get_providers(self):
        return [session.CUDA, session.CPU]

    def disable_fallback(self):
        self.may_fall_back = False

    def io_binding(self):
        return self._made.io_binding()

    def run_with_iobinding(self, binding, options):
        self._made.run_with_iobinding(binding, options)


LIBRARY = "/site-packages/onnxruntime/capi/libonnxruntime_providers_cuda.so"


@pytest.fixture
def system(monkeypatch):
    """A function that installs a fake runtime; `errors` maps parts of library names to load errors."""

    def set_up(runtime, **errors):
        def load(library):
            if name := next((name for name in errors if name in library), None):
                raise OSError(errors[name])

        monkeypatch.setattr(session, "_import_runtime", lambda: runtime)
        monkeypatch.setattr(cuda, "ctypes", SimpleNamespace(CDLL=load))
        monkeypatch.setattr(cuda, "_DRIVER", "libcuda.so.1")
        monkeypatch.setattr(cuda, "_LIBRARY", "libonnxruntime_providers_cuda.so")
        monkeypatch.setattr(cuda.sys, "platform", "linux")
        return runtime

    return set_up


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A function that installs fake packages that own `file`, in a folder first on `sys.path`."""

    import onnxruntime  # noqa: F401 - before the fakes hide it

    def install(*names, folder="site-packages", file="onnxruntime/__init__.py"):
        for name in names:
            info = tmp_path / folder / f"{name.replace('-', '_')}-1.0.dist-info"
            info.mkdir(parents=True)
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            (info / "RECORD").write_text(f"{file},,\n")
            (tmp_path / folder / file).parent.mkdir(exist_ok=True)
            (tmp_path / folder / file).touch()  # Python 3.12 and later leave out files that do not exist
        monkeypatch.syspath_prepend(tmp_path / folder)

    return install
