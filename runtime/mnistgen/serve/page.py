"""The demo page at /, if this installation has it."""

from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response

from mnistgen import __version__, demo
from mnistgen.errors import ArtifactError


def files(artifacts: Path) -> dict[str, Path]:
    """Return the file at each path of the page; none if it has not been built."""
    try:
        found = demo.list_files(demo.page_folder(), artifacts, api_docs=True)
    except ArtifactError:
        return {}
    return {**found, "/docs/": found["/docs/index.html"]} if "/docs/index.html" in found else found


async def page(request: Any) -> Response:
    """Answer with a file of the page; without the page, / lists where to start."""
    path = request.url.path
    file = request.app.state.files.get(path)
    if file is None:  # then only / is routed here
        content = {"mnistgen": __version__, "openapi": "/openapi.json", "example": "/v1/cgan/7/0.png?digit=5"}
        return JSONResponse(content, headers={"Cache-Control": "no-cache"})
    if not file.is_file():  # removed since the start
        raise HTTPException(404)
    return FileResponse(file, media_type=demo.media_type(file), headers={"Cache-Control": "no-cache"})
