"""Step "training": images per second of each model and recipe, as trained and in variants, and on the CPU."""

from collections.abc import Callable
from types import ModuleType

import torch
from torch.utils.flop_counter import FlopCounterMode

from export.gpu_check.context import Context, first_line
from export.gpu_check.timing import Call, measure_peak, take_turns
from training import cgan, gan, vae
from training.trainer import Trainer, has_bfloat16

MODELS: dict[str, ModuleType] = {"vae": vae, "gan": gan, "cgan": cgan}
RECIPES = {"seed": ("Trainer", "Config"), "tuned": ("TunedTrainer", "TunedConfig")}
MIDDLE = 0.5
"""Part of the training that is timed: after the classifier of the VAE, before the last epochs of the GANs."""
Change = Callable[[Trainer, torch.Tensor, torch.Tensor], Call]


def measure_training(context: Context) -> None:
    """Measure the training steps of both recipes.

    Raises:
        SkippedError: There is no GPU.
    """
    context.require_device()
    peak = measure_peak(context)
    kind = "bfloat16" if has_bfloat16(context.torch_device) else "float32"
    for name in MODELS:
        for recipe in RECIPES:
            batch = 8 if context.tiny else _new(name, recipe).config.batch_size
            calls = _prepared(context, name, recipe, batch)
            flops = _count_flops(name, recipe, batch)
            taken = take_turns(context, calls)
            for variant, seconds in taken.items():
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


_AS_TRAINED, _FLOAT32, _ON_CPU = "as trained", "without bfloat16", "on the CPU"


def _prepared(context: Context, name: str, recipe: str, batch: int) -> dict[str, Call]:
    """Return a training step of each variant that works here; report the others."""
    changes: dict[str, Change] = {
        _AS_TRAINED: _step,
        _FLOAT32: _without_bfloat16,
        "torch.compile of the generator or decoder": _compiled,
    }
    if context.device == "cuda":
        changes[_ON_CPU] = _step
        if recipe == "seed":  # the tuned recipes decide on the CPU, at each step, what to compute
            changes["CUDA graph of the step"] = _captured
    calls = {}
    for variant, change in changes.items():
        device = torch.device("cpu") if variant == _ON_CPU else context.torch_device
        try:
            call = change(*_moved(_new(name, recipe), device, batch))
            call()
            context.wait()
            calls[variant] = call
        except Exception as error:  # a variant that fails is reported; the others go on
            if variant == _AS_TRAINED:
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


def _count_flops(name: str, recipe: str, batch: int) -> int:
    """Return the floating-point operations of a step, counted on the CPU by PyTorch."""
    step = _step(*_moved(_new(name, recipe), torch.device("cpu"), batch))
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()
