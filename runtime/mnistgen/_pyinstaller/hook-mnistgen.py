"""Bundle the manifest, the models and the verifier, also from a checkout."""

from mnistgen.manifest import Manifest, artifacts_folder

manifest = Manifest(artifacts_folder())
names = [model.file for model in manifest.models.values()]
if manifest.verifier:
    names.append(manifest.verifier.file)
datas = [(str(manifest.folder / name), "mnistgen/artifacts") for name in (manifest.path.name, *names)]
