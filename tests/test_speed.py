"""`speed_up` swaps layers for faster ones that compute the same."""

import copy

import pytest
import tiny_training
import torch
from click.testing import CliRunner
from torch import nn

from training import benchmark, cgan, gan, r3gan, vae
from training.evaluator import Evaluator
from training.speed import FastDropout, LateBiasConv2d, LateBiasConvTranspose2d, TransposedConv2d, speed_up
from training.verifier import Verifier

FAST = {FastDropout, LateBiasConv2d, LateBiasConvTranspose2d, TransposedConv2d}
NETWORKS = [
    vae.Encoder,
    vae.Decoder,
    vae.TunedEncoder,
    vae.Classifier,
    gan.Generator,
    gan.Discriminator,
    cgan.Generator,
    cgan.Discriminator,
    r3gan.Discriminator,
    Evaluator,
    Verifier,
]


def outputs_and_gradients(network, inputs):
    """Return the outputs and the gradients of all parameters and inputs."""
    inputs = [values.clone().requires_grad_() for values in inputs]
    outputs = network(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    variables = [*network.parameters(), *inputs]
    gradients = torch.autograd.grad(sum(output.square().sum() for output in outputs), variables)
    return [*outputs, *gradients]


def without_dropout(network):
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return network


@pytest.mark.parametrize("network", NETWORKS)
def test_fast_network_has_equal_outputs_and_gradients(network):
    torch.manual_seed(0)
    plain = without_dropout(network())
    fast = speed_up(copy.deepcopy(plain))
    inputs = [torch.rand(4, *shape) for shape in network.input_shapes]
    for training in (True, False):
        torch.manual_seed(1)
        expected = outputs_and_gradients(plain.train(training), inputs)
        torch.manual_seed(1)
        for result, reference in zip(outputs_and_gradients(fast.train(training), inputs), expected, strict=True):
            torch.testing.assert_close(result, reference, rtol=1e-3, atol=1e-4 * reference.abs().max().item())


@pytest.mark.parametrize("network", NETWORKS)
def test_fast_network_keeps_parameters_and_names(network):
    plain = network()
    before, modules = plain.state_dict(keep_vars=True), dict(plain.named_modules())
    fast = speed_up(plain)
    after = fast.state_dict(keep_vars=True)
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
    assert dict(fast.named_modules()) == modules
    copy.deepcopy(fast).load_state_dict(network().state_dict())


@pytest.mark.parametrize("network", [vae.Decoder, gan.Generator, gan.Discriminator, r3gan.Discriminator])
def test_evaluation_is_bit_equal(network):
    torch.manual_seed(0)
    plain = network().eval()
    inputs = [torch.rand(4, *shape) for shape in network.input_shapes]
    expected = plain(*inputs)
    assert torch.equal(speed_up(plain)(*inputs), expected)


@pytest.mark.parametrize(
    ("layer", "fast"),
    [
        (nn.Conv2d(4, 16, 4, stride=2, padding=1), LateBiasConv2d),
        (nn.Conv2d(4, 16, 3, padding="same", dilation=2, groups=2), LateBiasConv2d),
        (nn.Conv2d(4, 16, 3, padding=1, padding_mode="reflect"), LateBiasConv2d),
        (nn.Conv2d(4, 2, 7, padding=3), TransposedConv2d),
        (nn.Conv2d(4, 2, (3, 5), padding=(1, 0), bias=False), TransposedConv2d),
        (nn.Conv2d(4, 2, 3, stride=2), LateBiasConv2d),
        (nn.ConvTranspose2d(4, 6, 5, stride=2, padding=2, output_padding=1), LateBiasConvTranspose2d),
        (nn.ConvTranspose2d(4, 6, 5, padding=2, groups=2, dilation=2, bias=False), LateBiasConvTranspose2d),
        (nn.Dropout(0.0), nn.Dropout),
        (nn.Linear(10, 3), nn.Linear),
    ],
)
def test_each_layer_gets_its_variant(layer, fast):
    torch.manual_seed(0)
    x = torch.randn(3, 4, 10, 10)
    expected = outputs_and_gradients(layer, [x])
    assert type(speed_up(layer)) is fast
    for result, reference in zip(outputs_and_gradients(layer, [x]), expected, strict=True):
        torch.testing.assert_close(result, reference, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("shape", [(64, 32, 14, 14), (3, 5, 3, 3)])
def test_fast_dropout_has_right_statistics(shape):
    torch.manual_seed(0)
    dropout = speed_up(nn.Dropout(0.3))
    assert type(dropout) is FastDropout
    dropped = dropout(torch.ones(shape).contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(dropped.unique(), torch.tensor([0, 1 / 0.7]))
    if dropped.numel() > 1000:
        zeros = dropped == 0
        assert zeros.float().mean() == pytest.approx(0.3, abs=0.005)
        # Neighbors in the batch and neighbors from the same random word are independent.
        assert (zeros[1:] & zeros[:-1]).float().mean() == pytest.approx(0.09, abs=0.005)
        assert (zeros[:, 1:] & zeros[:, :-1]).float().mean() == pytest.approx(0.09, abs=0.005)


def test_fast_dropout_scales_the_gradient():
    torch.manual_seed(0)
    x = torch.ones(1000, requires_grad=True)
    dropped = speed_up(nn.Dropout(0.3))(x)
    dropped.sum().backward()
    assert torch.equal(x.grad, dropped.detach())


def test_fast_dropout_is_identity_in_evaluation():
    x = torch.randn(2, 3)
    assert speed_up(nn.Dropout(0.3)).eval()(x) is x


@pytest.mark.parametrize("recipe", ["seed", "tuned"])
@pytest.mark.parametrize("model", tiny_training.MODULES)
def test_trainers_use_fast_layers(model, recipe):
    trainer = tiny_training.new_trainer(model, recipe)
    trainer.to(torch.device("cpu"))
    for network in [*trainer.networks.values(), *trainer.ema.values()]:
        kinds = {type(layer) for layer in network.modules()}
        assert not kinds & {nn.Conv2d, nn.ConvTranspose2d, nn.Dropout}
    assert FAST & {type(layer) for network in trainer.networks.values() for layer in network.modules()}


def test_benchmark_compares_each_variant():
    done = CliRunner().invoke(benchmark.main, ["--rounds", "1", "--batch-size", "2"])
    assert done.exit_code == 0
    rows = [line.split() for line in done.output.splitlines()[1:]]
    assert len(rows) == sum(map(len, benchmark.MODELS.values()))
    assert [row[-1] for row in rows if "trained" in row] == ["1.00"] * 3
