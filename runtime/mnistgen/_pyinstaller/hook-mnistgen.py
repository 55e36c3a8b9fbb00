"""The manifest and the models go where the bundled package looks for them, from a checkout, too."""

from mnistgen.manifest import Manifest, artifacts_folder

manifest = Manifest(artifacts_folder())
files = [manifest.path, *(manifest.folder / model.file for model in manifest.models.values())]
datas = [(str(file), "mnistgen/artifacts") for file in files]
