"""Weight initialization and batch normalization as in Keras, and temperatures."""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

KERAS_BATCH_NORM = {"eps": 1e-3, "momentum": 0.01}
"""Keras' defaults. Its momentum of 0.99 weighs the old statistics, PyTorch's the new ones."""


def glorot_uniform_(network: nn.Module) -> None:
    """Initialize weights as Keras does: Glorot-uniform (Glorot & Bengio 2010), biases zero."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


@torch.inference_mode()
def estimate_batch_norm(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics of the network's batch norms by their means over `batches` of inputs."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    settings = [(layer.training, layer.momentum) for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.train()
        layer.momentum = None  # cumulative mean
    for batch in batches:
        network(batch)
    for layer, (training, momentum) in zip(layers, settings, strict=True):
        layer.train(training)
        layer.momentum = momentum


def at_temperature(network: nn.Sequential, temperature: float) -> nn.Sequential:
    """Return a copy of a network whose last layer's outputs, logits, are divided by `temperature`."""
    network = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in network[-1].parameters():
            parameter /= temperature
    return network
