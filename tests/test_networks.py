"""Networks, initial weights and parameter counts (contract C1)."""

import re

import pytest
import tiny_training
import torch
from click.testing import CliRunner
from torch.nn import functional

from training import cgan, gan, vae
from training.summary import parameter_count


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (vae.Encoder, 69_076),
        (vae.Decoder, 65_089),
        (gan.Generator, 2_330_944),
        (gan.Discriminator, 212_865),
        (cgan.Generator, 1_491_215),
        (cgan.Discriminator, 80_385),
    ],
)
def test_parameter_counts_match_reference_models(network, parameters):
    assert parameter_count(network()) == parameters


@pytest.mark.parametrize(
    ("module", "totals"),
    [(vae, ["69,076", "65,089"]), (gan, ["2,330,944", "212,865"]), (cgan, ["1,491,215", "80,385"])],
)
def test_summary_prints_layers_and_totals(module, totals, folder):
    done = CliRunner().invoke(module.main, ["--summary"])
    assert done.exit_code == 0
    assert re.findall(r"Total parameters: ([\d,]+)", done.output) == totals
    assert list(folder.iterdir()) == []
    for table, total in zip(done.output.split("\n\n"), totals, strict=True):
        counts = [int(n.replace(",", "")) for n in re.findall(r"\) +([\d,]+)$", table, re.MULTILINE)]
        assert sum(counts) == int(total.replace(",", ""))


@pytest.mark.parametrize("model", tiny_training.MODULES)
def test_recipes_train_the_same_generator(model):
    name = "decoder" if model == "vae" else "generator"
    shapes = [
        {
            key: value.shape
            for key, value in tiny_training.new_trainer(model, recipe).exported(name).state_dict().items()
        }
        for recipe in ("seed", "tuned")
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("recipe", ["seed", "tuned"])
@pytest.mark.parametrize("model", tiny_training.MODULES)
def test_input_and_output_shapes(model, recipe):
    for name, network in tiny_training.new_trainer(model, recipe).networks.items():
        output = network.eval()(*(torch.zeros(3, *shape) for shape in network.input_shapes))
        if name in ("encoder", "classifier"):
            sizes = (2, 2) if name == "encoder" else (128, 10)
            assert [tuple(part.shape) for part in output] == [(3, size) for size in sizes]
        elif name == "prior":
            assert output.shape == (3, *network.input_shapes[0])
        else:
            assert tuple(output.shape) == ((3, 1) if name == "discriminator" else (3, 1, 28, 28))


@pytest.mark.parametrize("recipe", ["seed", "tuned"])
@pytest.mark.parametrize("model", tiny_training.MODULES)
def test_sample_grids_are_images(model, recipe):
    trainer = tiny_training.new_trainer(model, recipe)
    for network in trainer.networks.values():
        network.eval()
    with torch.inference_mode():
        grids = trainer.sample_grids(torch.rand(20, 1, 28, 28))
    shapes = {name: tuple(images.shape) for name, images in grids.items()}
    reconstructions = {"reconstructions": (40, 1, 28, 28)} if model == "vae" else {}
    assert shapes == {"samples": (100, 1, 28, 28), **reconstructions}
    assert all(images.min() >= 0 and images.max() <= 1 for images in grids.values())


def test_initial_weights_are_glorot_uniform():
    layer = tiny_training.new_trainer("cgan").networks["generator"].layers[5]  # 128 → 128 channels, 4×4
    limit = (6 / (128 * 16 + 128 * 16)) ** 0.5
    assert layer.weight.abs().max() <= limit
    assert layer.weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.01)
    assert not layer.bias.any()


def test_each_label_fills_its_own_plane():
    planes = []
    network = cgan.Discriminator()
    network.layers.register_forward_pre_hook(lambda _, inputs: planes.append(inputs[0]))
    network(torch.full((2, 1, 28, 28), 0.5), functional.one_hot(torch.tensor([3, 7]), 10).float())
    assert planes[0].shape == (2, 11, 28, 28)
    assert planes[0][:, 1:].mean((2, 3)).argmax(1).tolist() == [3, 7]
    assert planes[0][0, 4].min() == planes[0][1, 8].min() == 1
