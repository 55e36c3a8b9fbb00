"""Step "training": images per second of each model and recipe, as trained and in variants, and on the CPU."""

from collections.abc import Callable
from functools import cache
from types import ModuleType

import torch

from export.gpu_check.context import Context, first_line
from export.gpu_check.timing import ROUNDS, Call, count_flops, measure_peak, take_turns
from training import cgan, gan, vae
from training.trainer import Trainer, has_bfloat16

MODELS: dict[str, ModuleType] = {"vae": vae, "gan": gan, "cgan": cgan}
RECIPES = {"seed": ("Trainer", "Config"), "tuned": ("TunedTrainer", "TunedConfig")}
MIDDLE = 0.5
"""Part of the training that is timed: after the classifier of the VAE, before the last epochs of the GANs."""
_AS_TRAINED, _FLOAT32, _ON_CPU = "as trained", "without bfloat16", "on the CPU"
_GRAPH, _COMPILED = "CUDA graph of the step", "torch.compile of the generator or decoder"
Change = Callable[[Trainer, torch.Tensor, torch.Tensor], Call]


def measure_training(context: Context) -> None:
    """Measure the training steps of both recipes.

    Raises:
        SkippedError: There is no GPU.
    """
    context.require_device()
    peak = measure_peak(context)
    for number, variants in enumerate(_passes(context.device)):
        for name in MODELS:
            for recipe in RECIPES:
                _measure(context, name, recipe, variants, peak, first=number == 0)


def _passes(device: str) -> list[dict[str, Change]]:
    """Return the variants in several passes over the models, the slowest last: rows stay if the time is up."""
    quick: dict[str, Change] = {_FLOAT32: _without_bfloat16}
    compiled: dict[str, Change] = {_COMPILED: _compiled}
    # A pass of its own for the graph, as a failed capture can break later steps that draw random numbers.
    return [quick, {_ON_CPU: _step}, {_GRAPH: _captured}, compiled] if device == "cuda" else [quick, compiled]


def _measure(
    context: Context, name: str, recipe: str, variants: dict[str, Change], peak: dict[str, float], first: bool
) -> None:
    """Time `variants` in turns with the step as trained, whose own row belongs to the `first` pass."""
    batch = 4 if context.tiny else _new(name, recipe).config.batch_size
    calls = _prepared(context, name, recipe, batch, {_AS_TRAINED: _step, **variants}, first)
    if _AS_TRAINED not in calls or (len(calls) == 1 and not first):
        return
    flops = _count_flops(name, recipe, batch)
    kind = "bfloat16" if has_bfloat16(context.torch_device) else "float32"
    taken = take_turns(context, calls, rounds=1 if _ON_CPU in variants else ROUNDS)
    for variant, seconds in taken.items():
        if variant == _AS_TRAINED and not first:
            continue
        share = None if variant in (_ON_CPU, _FLOAT32) else flops / seconds / peak[kind]
        context.emit(
            model=name,
            recipe=recipe,
            batch=batch,
            variant=variant,
            images_per_s=batch / seconds,
            times_as_trained=taken[_AS_TRAINED] / seconds,
            share_of_peak=share,
        )


def tuned_cgan_rate(context: Context) -> float:
    """Return the images per second of the tuned CGAN as trained."""
    batch = 8 if context.tiny else _new("cgan", "tuned").config.batch_size
    call = _step(*_moved(_new("cgan", "tuned"), context.torch_device, batch))
    return batch / take_turns(context, {"": call})[""]


def _prepared(
    context: Context, name: str, recipe: str, batch: int, variants: dict[str, Change], first: bool
) -> dict[str, Call]:
    """Return a training step of each variant that works here; report the others.

    Raises:
        Exception: In the `first` pass, the step as trained fails.
    """
    calls = {}
    for variant, change in variants.items():
        if variant == _GRAPH and recipe == "tuned":
            continue  # the tuned recipes decide on the CPU, at each step, what to compute
        device = torch.device("cpu") if variant == _ON_CPU else context.torch_device
        try:
            call = change(*_moved(_new(name, recipe), device, batch))
            call()
            context.wait()
            calls[variant] = call
        except Exception as error:  # a variant that fails is reported; the others go on
            if variant == _AS_TRAINED and first:
                raise
            context.emit(model=name, recipe=recipe, variant=variant, left_out=first_line(error))
    return calls


def _new(name: str, recipe: str) -> Trainer:
    trainer, config = (getattr(MODELS[name], attribute) for attribute in RECIPES[recipe])
    return trainer(config())


def _moved(trainer: Trainer, device: torch.device, batch: int) -> tuple[Trainer, torch.Tensor, torch.Tensor]:
    """Return `trainer` on `device`, and random images (batch, 1, 28, 28) and labels (batch,)."""
    trainer.to(device)
    trainer.progress = MIDDLE
    images = torch.rand(batch, 1, 28, 28, device=device)
    return trainer, images, torch.randint(10, (batch,), device=device)


def _step(trainer: Trainer, images: torch.Tensor, labels: torch.Tensor) -> Call:
    return lambda: trainer.step(images, labels)


def _without_bfloat16(trainer: Trainer, images: torch.Tensor, labels: torch.Tensor) -> Call:
    trainer.autocast = lambda: torch.autocast(trainer.device.type, enabled=False)
    return _step(trainer, images, labels)


def _compiled(trainer: Trainer, images: torch.Tensor, labels: torch.Tensor) -> Call:
    """Compile the network that draws; the gradient penalty needs second derivatives, which torch.compile lacks."""
    network = trainer.networks["decoder" if "decoder" in trainer.networks else "generator"]
    network.compile(backend="inductor" if trainer.device.type == "cuda" else "eager")
    return _step(trainer, images, labels)


def _captured(trainer: Trainer, images: torch.Tensor, labels: torch.Tensor) -> Call:
    """Capture the whole step in a CUDA graph, as PyTorch's notes on CUDA graphs describe."""
    for optimizer in trainer.optimizers.values():
        for group in optimizer.param_groups:
            group["capturable"] = True
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            trainer.step(images, labels)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        trainer.step(images, labels)
    return graph.replay


@cache
def _count_flops(name: str, recipe: str, batch: int) -> int:
    """Return the floating-point operations of a step, counted on the CPU."""
    return count_flops(_step(*_moved(_new(name, recipe), torch.device("cpu"), batch)))
