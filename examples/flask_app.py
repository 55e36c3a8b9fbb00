"""A web server of digits: /5.png?seed=7&index=3 is image 3 of seed 7, a five. Browsers and proxies can cache it.

Install:  pip install -e '.[cpu]' flask
Run:      flask --app examples/flask_app.py run
"""

import secrets

from flask import Flask, Response, redirect, request, url_for

import mnistgen
from mnistgen import encode_png, grid

app = Flask(__name__)
generator = mnistgen.load("cgan")  # shared by threads; forked workers open their own sessions


@app.get("/<int:digit>.png")
def picture(digit: int) -> Response:
    if "seed" not in request.args:  # redirect to a random seed
        return redirect_to_random(digit)
    seed, index, scale = (number(name, default) for name, default in [("seed", 0), ("index", 0), ("scale", 4)])
    if not 1 <= scale <= 32:
        raise mnistgen.InputError(f"scale is {scale}; expected an integer from 1 to 32", code="invalid-scale")
    response = Response(mimetype="image/png")
    response.set_etag(generator.model.sha256[:16])  # with the URL, it identifies the image
    response.headers["Cache-Control"] = "public, max-age=86400"  # one day; then the tag shows whether the model changed
    if generator.model.sha256[:16] in request.if_none_match:
        response.status_code = 304
    else:
        images = generator.generate(digit=digit, seed=seed, start=index)  # (1, 28, 28)
        response.data = encode_png(grid(images, scale))
    return response


def redirect_to_random(digit: int) -> Response:
    address = url_for("picture", digit=digit, **request.args, seed=secrets.randbits(32))
    response = redirect(address)
    response.headers["Cache-Control"] = "no-store"
    return response


def number(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    try:
        return int(text)
    except ValueError as error:
        raise mnistgen.InputError(f"{name} is {text!r}; expected an integer", code=f"invalid-{name}") from error


@app.errorhandler(mnistgen.InputError)
def bad_request(error: mnistgen.InputError) -> tuple[str, int, dict[str, str]]:
    return f"{error}\n", 400, {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
