"""Importances against per-sample autograd, closed forms and definitions written out."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cf_utils import importances
from cf_utils.models import Linear, lenet5, mlp, small_vgg
from cf_utils.randomness import generator
from cf_utils.replicas import Replicas

SIZES = (12, 7, 5, 4)
NETWORKS = {
    "mlp": (partial(mlp, SIZES), (12,)),
    "batch-norm": (partial(mlp, SIZES, norm="batch"), (12,)),
    "layer-norm": (partial(mlp, SIZES, norm="layer"), (12,)),
    "cnn": (partial(lenet5, outputs=4, size=12), (1, 12, 12)),
    "cnn, batch-norm": (lambda: small_cnn(), (2, 6, 6)),
    "small VGG": (partial(small_vgg, 4, 8, 3, 5), (3, 8, 8)),
    "writes into outputs": (lambda: Overwriting(), (12,)),
}
EVERY = pytest.mark.parametrize("name", NETWORKS)


class Overwriting(nn.Module):
    """Writes into what its layers put out, by functions rather than modules."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(12, 7), nn.Linear(7, 7), nn.Linear(7, 4)

    def forward(self, x):
        h = F.relu_(self.first(x))
        g = self.second(h)
        g += h
        return self.last(torch.tanh_(g)).mul_(2)


def small_cnn():
    """Strided and padded convolutions, one without bias, batch-norm in 2D, and ReLU in place."""
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, stride=2, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(inplace=True),
        nn.Conv2d(3, 4, 2, bias=False),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(16, 4),
    )


def replicas(name, dtype=torch.float64):
    """Three replicas with batch-norm statistics of their own, and 9 samples with labels."""
    build, shape = NETWORKS[name]
    model = Replicas(lambda: build().to(dtype), [0, 1, 2])
    draw = torch.Generator().manual_seed(0)
    model.train().on(torch.randn(30, *shape, generator=draw, dtype=dtype))
    return (
        model,
        torch.randn(9, *shape, generator=draw, dtype=dtype),
        torch.randint(0, 4, (9,), generator=draw),
    )


def by_autograd(network, x, terms):
    """Mean over samples of sum of weight * f(gradient of value).

    ``terms(logits, i)`` yields (value, weight, f).
    """
    network.eval()
    total = {name: 0 for name, _ in network.named_parameters()}
    for i in range(len(x)):
        for value, weight, f in terms(network(x[i : i + 1])[0], i):
            gradients = torch.autograd.grad(value, list(network.parameters()), retain_graph=True)
            for name, gradient in zip(total, gradients, strict=True):
                total[name] = total[name] + weight * f(gradient) / len(x)
    return {name: value.detach() for name, value in total.items()}


def assert_of_replicas(found, model, expected):
    assert list(found) == list(model.weights)
    for r in range(len(model)):
        for name, value in expected(r).items():
            torch.testing.assert_close(found[name][r], value, rtol=1e-5, atol=1e-12, msg=name)


@EVERY
def test_exact_fisher_is_the_expectation_of_the_squared_score(name):
    model, x, _ = replicas(name)

    def terms(logits, i):
        log_p = logits.log_softmax(0)
        return [(log_p[c], log_p[c].detach().exp(), torch.square) for c in range(4)]

    found = importances.fisher_diagonal(model, x, chunk=4)
    assert_of_replicas(found, model, lambda r: by_autograd(model.replica(r), x, terms))


@EVERY
def test_empirical_fisher_takes_the_labels(name):
    model, x, y = replicas(name)
    found = importances.fisher_diagonal(model, x, y, "empirical", chunk=4)
    terms = lambda logits, i: [(logits.log_softmax(0)[y[i]], 1, torch.square)]  # noqa: E731
    assert_of_replicas(found, model, lambda r: by_autograd(model.replica(r), x, terms))


@EVERY
def test_batched_fisher_squares_the_gradient_of_mean_losses(name):
    model, x, y = replicas(name)
    found = importances.fisher_diagonal(model, x, y, "batched", batch=4)

    def expected(r):
        network = model.replica(r).eval()
        parts = []
        for a, b in zip(x.split(4), y.split(4), strict=True):
            parts.append(
                torch.autograd.grad(F.cross_entropy(network(a), b), list(network.parameters()))
            )
        names = [name for name, _ in network.named_parameters()]
        return {
            n: torch.stack([part[i] for part in parts]).square().mean(0)
            for i, n in enumerate(names)
        }

    assert_of_replicas(found, model, expected)


@EVERY
def test_global_mas_is_the_mean_size_of_the_gradient_of_the_outputs_length(name):
    model, x, _ = replicas(name)
    found = importances.mas(model, x, chunk=4)
    terms = lambda logits, i: [(logits.square().sum(), 1, torch.abs)]  # noqa: E731
    assert_of_replicas(found, model, lambda r: by_autograd(model.replica(r), x, terms))


def test_float32_agrees_with_autograd_to_1e_5():
    model, x, _ = replicas("batch-norm", torch.float32)
    found = importances.mas(model, x)
    terms = lambda logits, i: [(logits.square().sum(), 1, torch.abs)]  # noqa: E731
    for name, value in by_autograd(model.replica(1), x, terms).items():
        assert (found[name][1] - value).abs().max() < 1e-5 * value.abs().max()


def test_softmax_regression_has_a_closed_form():
    model = Replicas(lambda: nn.Sequential(nn.Flatten(), Linear(5, 3)).double(), [0, 1])
    x = torch.randn(20, 5, dtype=torch.float64)
    p = model.on(x)[1].detach().softmax(1)
    fisher = importances.fisher_diagonal(model, x)
    spread = p * (1 - p)  # variance of the label's indicator
    torch.testing.assert_close(fisher["1.weight"][1], (spread.T @ x.square()) / 20)
    torch.testing.assert_close(fisher["1.bias"][1], spread.mean(0))


def test_local_mas_by_hand():
    def build():
        network = mlp((2, 2, 1))
        weights = ([[1.0, 0.0], [0.0, -1.0]], [0.0, 0.0], [[1.0, 1.0]], [-10.0])
        for weight, value in zip(network.parameters(), weights, strict=True):
            weight.data = torch.tensor(value)
        return network

    # Hidden after ReLU: (1, 0) and (0, 4); outputs -9 and -6.
    x = torch.tensor([[1.0, 2.0], [-3.0, -4.0]])
    found = importances.mas(Replicas(build, [0]), x, "local")
    assert found["fc1.weight"][0].tolist() == [[1.0, 2.0], [12.0, 16.0]]  # mean of 2 |x_i| |y_j|
    assert found["fc1.bias"][0].tolist() == [1.0, 4.0]
    assert found["fc2.weight"][0].tolist() == [[9.0, 24.0]]
    assert found["fc2.bias"][0].tolist() == [15.0]


def test_sampled_fisher_comes_near_the_exact_one():
    model, x, _ = replicas("mlp")
    exact = importances.fisher_diagonal(model, x)
    many = importances.fisher_diagonal(model, x.repeat(4000, 1), kind="sampled")
    for name in exact:
        torch.testing.assert_close(many[name], exact[name], rtol=0.2, atol=1e-4)


def test_sampled_fisher_draws_by_seed_or_by_the_generator_given():
    model, x, _ = replicas("mlp")

    def draw(**options):
        return importances.fisher_diagonal(model, x, kind="sampled", **options)["fc1.weight"]

    assert torch.equal(draw(), draw())
    assert not torch.equal(draw(), draw(generator=generator(5, "labels")))


@pytest.mark.parametrize("kind", importances.FISHERS)
def test_only_allowed_outputs_count(kind):
    model, x, y = replicas("mlp")
    allowed = torch.tensor([True, False, True, False])
    found = importances.fisher_diagonal(model, x, y * 0 + 2, kind, allowed=allowed)
    left = found["fc3.bias"]
    assert (left[:, [1, 3]] == 0).all() and (left[:, [0, 2]] > 0).all()


def test_only_allowed_outputs_count_in_mas():
    model, x, _ = replicas("mlp")
    allowed = torch.tensor([True, False, True, False])
    terms = lambda logits, i: [(logits[[0, 2]].square().sum(), 1, torch.abs)]  # noqa: E731
    found = importances.mas(model, x, allowed=allowed)
    assert_of_replicas(found, model, lambda r: by_autograd(model.replica(r), x, terms))
    local, whole = (importances.mas(model, x, "local", allowed=a) for a in (allowed, None))
    assert (local["fc3.weight"][:, [1, 3]] == 0).all()
    assert torch.equal(local["fc3.weight"][:, [0, 2]], whole["fc3.weight"][:, [0, 2]])
    assert torch.equal(local["fc1.weight"], whole["fc1.weight"])


def test_layers_without_bias_or_weights_and_batches_larger_than_a_chunk():
    build = lambda: nn.Sequential(  # noqa: E731
        nn.Flatten(),
        nn.Linear(12, 5, bias=False),
        nn.BatchNorm1d(5, affine=False),
        nn.ReLU(),
        nn.Linear(5, 3),
    ).double()
    model = Replicas(build, [0])
    x = torch.randn(9, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = torch.arange(9) % 3
    found = importances.fisher_diagonal(model, x, y, "empirical")
    terms = lambda logits, i: [(logits.log_softmax(0)[y[i]], 1, torch.square)]  # noqa: E731
    assert_of_replicas(found, model, lambda r: by_autograd(model.replica(r), x, terms))
    many = importances.fisher_diagonal(
        model, x.repeat(300, 1), y.repeat(300), "batched", batch=2700
    )
    one = importances.fisher_diagonal(model, x, y, "batched", batch=9)
    for name in one:
        torch.testing.assert_close(many[name], one[name])


def test_a_replica_that_diverged_is_nan_and_the_others_are_not():
    model, x, _ = replicas("mlp")
    with torch.no_grad():
        model.weights["fc1.weight"][1] = float("nan")
    for kind in ("exact", "sampled"):
        found = importances.fisher_diagonal(model, x, kind=kind)["fc3.weight"]
        assert found[1].isnan().any() and found[[0, 2]].isfinite().all()


@pytest.mark.parametrize("mode", [True, False])
def test_model_is_left_as_it_was(mode):
    model, x, y = replicas("cnn, batch-norm")
    model.train(mode)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for kind in importances.FISHERS:
        importances.fisher_diagonal(model, x, y, kind)
    importances.mas(model, x)
    assert model.training is mode and all(w.grad is None for w in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_bad_arguments_are_named():
    model, x, _ = replicas("mlp")
    with pytest.raises(
        ValueError, match="kind='x' is unknown; known are exact, sampled, empirical, batched"
    ):
        importances.fisher_diagonal(model, x, kind="x")
    with pytest.raises(ValueError, match="kind='x' is unknown; known are global, local"):
        importances.mas(model, x, "x")
    for kind in ("empirical", "batched"):
        with pytest.raises(ValueError, match=f"kind='{kind}' needs the labels y"):
            importances.fisher_diagonal(model, x, kind=kind)
    for call, message in [
        (lambda: importances.mas(model, x[:0]), "importances need one sample or more"),
        (
            lambda: importances.mas(model, x, allowed=torch.ones(2, 4)),
            r"allowed has the shape \[2, 4\]",
        ),
        (
            lambda: importances.fisher_diagonal(model, x, torch.zeros(3), "empirical"),
            "3 labels for 9 samples",
        ),
        (
            lambda: importances.fisher_diagonal(model, x, x[:, 0].long() * 0, "batched", batch=0),
            "batch=0 is not",
        ),
        (
            lambda: importances.fisher_diagonal(
                model,
                x,
                x[:, 0].long() * 0,
                "empirical",
                allowed=torch.tensor([False, True, True, True]),
            ),
            "y has labels of outputs that do not count",
        ),
        (
            lambda: importances.fisher_diagonal(model, x, x[:, 0].long() * 0 + 4, "empirical"),
            "y has labels of outputs that do not count, or that are not there",
        ),
        (
            lambda: importances.mas(replicas("batch-norm")[0], x, "local"),
            "are those of linear layers with ReLU",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 2, 1, groups=2),
        nn.PReLU(),
        nn.Conv2d(2, 2, 1, padding="same"),
        nn.LayerNorm([2, 2]),
    ],
)
def test_a_layer_without_a_formula_is_refused(layer):
    model = Replicas(lambda: nn.Sequential(layer, nn.Flatten(), nn.Linear(8, 2)), [0])
    with pytest.raises(
        ValueError, match=r"no importances for layer '0' \(\w+\); known are linear layers, Conv2d"
    ):
        importances.mas(model, torch.zeros(1, 2, 2, 2))


class Again(nn.Module):
    """Two layers of one size, of which the second runs twice or shares the first one's weights."""

    def __init__(self, shares):
        super().__init__()
        self.first, self.second, self.shares = nn.Linear(4, 4), nn.Linear(4, 4), shares
        if shares:
            self.second.weight = self.first.weight

    def forward(self, x):
        h = self.second(self.first(x).relu())
        return h if self.shares else self.second(h.relu())


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        (False, "no importances for layer 'second', which runs more than once in a pass"),
        (True, "no importances for layer 'second', whose weights another layer shares"),
    ],
)
def test_weights_that_are_used_twice_are_refused(shares, message):
    model, x = Replicas(lambda: Again(shares), [0]), torch.randn(3, 4)
    for found in (
        importances.fisher_diagonal,
        importances.mas,
        partial(importances.mas, kind="local"),
    ):
        with pytest.raises(ValueError, match=message):
            found(model, x)
    importances.fisher_diagonal(model, x, torch.tensor([0, 1, 2]), "batched")  # by autograd


def test_overlap_is_one_for_proportional_and_zero_for_disjoint_importances():
    a = torch.tensor([[1.0, 3.0, 0.0], [1.0, 1.0, 0.0], [4.0, 4.0, 0.0]])
    b = torch.tensor([[2.0, 6.0, 0.0], [0.0, 0.0, 5.0], [9.0, 0.0, 9.0]])
    assert importances.overlap(a, b).tolist() == pytest.approx([1.0, 0.0, 0.5])


def test_carrying_counts_the_fewest_weights():
    importance = torch.tensor([[1.0, 5.0, 4.0, 0.0], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 7.0, 0.0]])
    assert importances.carrying(importance).tolist() == [0.5, 1.0, 0.25]
    assert importances.carrying(importance, 0.5).tolist() == [0.25, 0.5, 0.25]
