"""Table of a network's layers, as Keras' `Model.summary`."""

import torch
from torch import nn


def summary(title: str, network: nn.Module) -> str:
    """Return a table of layers, output shapes and parameters of `network`, with the total.

    Args:
        title: First line of the table.
        network: A network with `input_shapes`, the shapes of its inputs without the batch dimension.
    """
    rows = [("Layer", "Output shape", "Parameters"), *_rows(network)]
    total = parameter_count(network)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}" for row in rows]
    rule = "─" * len(lines[0])
    return "\n".join([title, rule, lines[0], rule, *lines[1:], rule, f"Total parameters: {total:,}"])


def parameter_count(module: nn.Module) -> int:
    """Return the number of weights, biases and batch-norm statistics of `module`, as Keras counts them."""
    tensors = module.state_dict(keep_vars=True)
    return sum(tensor.numel() for name, tensor in tensors.items() if not name.endswith("num_batches_tracked"))


def _rows(network: nn.Module) -> list[tuple[str, str, str]]:
    """Return a row for each layer, in the order of execution."""
    rows = []

    def add_row(layer: nn.Module, _: tuple, output: torch.Tensor) -> None:
        shape = ", ".join(map(str, output.shape[1:]))
        rows.append((type(layer).__name__, f"(N, {shape})", f"{parameter_count(layer):,}"))

    layers = [layer for layer in network.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(add_row) for layer in layers]
    with torch.inference_mode():
        network.eval()(*(torch.zeros(2, *shape) for shape in network.input_shapes))
    for hook in hooks:
        hook.remove()
    return rows
