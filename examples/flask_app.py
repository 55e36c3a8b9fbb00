"""A web server of digits: /5.png?seed=7&index=3 is image 3 of seed 7, a five. Browsers and proxies can cache it.

The page / shows digits of a random seed, and /?seed=7 those of seed 7.

Install:  pip install -e '.[cpu]' flask
Run:      flask --app examples/flask_app.py run
"""

import secrets

from flask import Flask, Response, redirect, render_template_string, request, url_for

import mnistgen
from mnistgen import encode_png, grid

app = Flask(__name__)
generator = mnistgen.load("cgan")  # shared by threads; forked workers open their own sessions

PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Handwritten digits</title>
    <link rel="icon" href="data:,">
    <style>
      h1 { font-size: 1.5rem; }
      input, button { font: inherit; }
      body { font: 1.05rem/1.5 system-ui, sans-serif; max-width: 38rem; margin: 0 auto; padding: 1rem; }
      p { display: grid; grid-template-columns: repeat(10, 1fr); background: #000; }
      img { width: 100%; height: auto; }
      @media (max-width: 38rem) { p { grid-template-columns: repeat(5, 1fr); } }
    </style>
  </head>
  <body>
    <h1>Handwritten digits</h1>
    {% for index in range(3) %}
    <p>
      {% for digit in range(10) %}
      <img src="{{ url_for('picture', digit=digit, seed=seed, index=index) }}" width="112" height="112"
        alt="{{ digit }}, handwritten">
      {% endfor %}
    </p>
    {% endfor %}
    <form>
      <label>Seed <input name="seed" value="{{ seed }}" inputmode="numeric" pattern="[0-9]+" required></label>
      <button>Draw</button> <a href="{{ url_for('page') }}">Random seed</a>
    </form>
  </body>
</html>
"""


@app.get("/")
def page() -> Response:
    seed = number("seed", secrets.randbits(32))
    generator.latents(seed=seed)  # raises InputError if the seed is out of range
    response = Response(render_template_string(PAGE, seed=seed))
    response.headers["Cache-Control"] = "no-store"
    return response


@app.get("/<int:digit>.png")
def picture(digit: int) -> Response:
    if "seed" not in request.args:  # redirect to a random seed
        return redirect_to_random(digit)
    seed, index, scale = (number(name, default) for name, default in [("seed", 0), ("index", 0), ("scale", 4)])
    if not 1 <= scale <= 32:
        raise mnistgen.InputError(f"scale is {scale}; expected an integer from 1 to 32", code="invalid-scale")
    images = generator.generate(digit=digit, seed=seed, start=index)  # (1, 28, 28)
    response = Response(encode_png(grid(images, scale)), mimetype="image/png")
    response.headers["Cache-Control"] = "public, max-age=86400"  # one day; then the tag shows whether the image changed
    response.add_etag()  # a hash of the PNG: other models, versions and devices may draw other pixels
    return response.make_conditional(request)  # 304 without the PNG if the client has it


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
