"""Contract C1: the networks are the seed's, to the parameter."""

import re

import pytest
import torch
from click.testing import CliRunner
from torch.nn import functional

from training import cgan, gan, vae
from training.layers import Conv2d, ConvTranspose2d, Dropout, WideKernelConv2d
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
def test_parameters_are_those_of_the_seed(network, parameters):
    assert parameter_count(network()) == parameters


@pytest.mark.parametrize(
    ("module", "totals"),
    [(vae, ["69,076", "65,089"]), (gan, ["2,330,944", "212,865"]), (cgan, ["1,491,215", "80,385"])],
)
def test_summary_prints_both_networks_and_trains_nothing(module, totals, folder):
    done = CliRunner().invoke(module.main, ["--summary"])
    assert done.exit_code == 0
    assert re.findall(r"Total parameters: ([\d,]+)", done.output) == totals
    assert list(folder.iterdir()) == []
    for table, total in zip(done.output.split("\n\n"), totals, strict=True):
        counts = [int(n.replace(",", "")) for n in re.findall(r"\) +([\d,]+)$", table, re.MULTILINE)]
        assert sum(counts) == int(total.replace(",", ""))


@pytest.mark.parametrize("module", [vae, gan, cgan])
def test_the_tuned_recipe_trains_the_same_generator_or_decoder(module):
    seed, tuned = module.Trainer(module.Config()), module.TunedTrainer(module.TunedConfig())
    name = "decoder" if module is vae else "generator"
    shapes = [{key: value.shape for key, value in t.final(name).state_dict().items()} for t in (seed, tuned)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("recipe", ["seed", "tuned"])
@pytest.mark.parametrize("module", [vae, gan, cgan])
def test_networks_take_and_give_the_shapes_they_name(module, recipe):
    training = module.Trainer(module.Config()) if recipe == "seed" else module.TunedTrainer(module.TunedConfig())
    for name, network in training.networks.items():
        output = network.eval()(*(torch.zeros(3, *shape) for shape in network.input_shapes))
        if name in ("encoder", "classifier"):
            sizes = (2, 2) if name == "encoder" else (128, 10)
            assert [tuple(part.shape) for part in output] == [(3, size) for size in sizes]
        elif name in ("density", "prior"):
            assert output.shape == (3, *network.input_shapes[0])
        else:
            assert tuple(output.shape) == ((3, 1) if name == "discriminator" else (3, 1, 28, 28))


def test_weights_are_glorot_uniform_and_biases_zero():
    layer = cgan.Trainer(cgan.Config()).networks["generator"].layers[5]  # 128 → 128 channels, 4 × 4
    limit = (6 / (128 * 16 + 128 * 16)) ** 0.5
    assert layer.weight.abs().max() <= limit
    assert layer.weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.01)
    assert not layer.bias.any()


def test_the_labels_fill_their_own_planes():
    planes = []
    network = cgan.Discriminator()
    network.layers.register_forward_pre_hook(lambda _, inputs: planes.append(inputs[0]))
    network(torch.full((2, 1, 28, 28), 0.5), functional.one_hot(torch.tensor([3, 7]), 10).float())
    assert planes[0].shape == (2, 11, 28, 28)
    assert planes[0][:, 1:].mean((2, 3)).argmax(1).tolist() == [3, 7]
    assert planes[0][0, 4].min() == planes[0][1, 8].min() == 1


def test_the_wide_kernel_convolution_is_a_convolution():
    torch.manual_seed(0)
    layer, x = WideKernelConv2d(8, 2, 7, padding=3), torch.randn(3, 8, 10, 10)
    expected = functional.conv2d(x, layer.weight, layer.bias, padding=3)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize(
    ("layer", "plain"),
    [
        (Conv2d(4, 6, 4, stride=2, padding=1), torch.nn.Conv2d),
        (ConvTranspose2d(4, 6, 5, stride=2, padding=2, output_padding=1), torch.nn.ConvTranspose2d),
        (ConvTranspose2d(4, 6, 5, padding=2, bias=False), torch.nn.ConvTranspose2d),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_a_bias_added_late_is_a_bias(layer, plain, training):
    torch.manual_seed(0)
    x = torch.randn(3, 4, 10, 10)
    torch.testing.assert_close(layer.train(training)(x), plain.forward(layer, x))


@pytest.mark.parametrize("shape", [(64, 32, 14, 14), (3, 5, 3, 3)])
def test_dropout_drops_its_share_and_keeps_the_mean(shape):
    torch.manual_seed(0)
    dropped = Dropout(0.3)(torch.ones(shape).contiguous(memory_format=torch.channels_last))
    values = dropped.unique()
    torch.testing.assert_close(values, torch.tensor([0, 1 / 0.7]))
    if dropped.numel() > 1000:
        assert (dropped == 0).float().mean() == pytest.approx(0.3, abs=0.005)
        # A neighbour, and the other channel that came from the same random word, tell nothing.
        assert ((dropped[1:] == 0) & (dropped[:-1] == 0)).float().mean() == pytest.approx(0.09, abs=0.005)
        assert ((dropped[:, 1:] == 0) & (dropped[:, :-1] == 0)).float().mean() == pytest.approx(0.09, abs=0.005)


def test_dropout_does_nothing_when_evaluating():
    x = torch.randn(2, 3)
    assert Dropout(0.3).eval()(x) is x
