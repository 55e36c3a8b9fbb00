"""The manifest, the models and the verifier go where the bundled package looks for them, from a checkout, too."""

from mnistgen.manifest import Manifest, artifacts_folder

manifest = Manifest(artifacts_folder())
listed = [*manifest.models.values(), *([manifest.verifier] if manifest.verifier else [])]
files = [manifest.path, *(manifest.folder / each.file for each in listed)]
datas = [(str(file), "mnistgen/artifacts") for file in files]
