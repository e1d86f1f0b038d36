import copy
import pickle

import pytest
import torch
from conftest import assert_same, state
from torch import nn

from cf_utils import importances
from cf_utils._torchvision import import_torchvision
from cf_utils.models import alexnet, lenet5, mlp, pretrained, small_vgg
from cf_utils.replicas import Replicas, evaluating

SEEDS = [3, 5, 3]
BUILDS = {
    "mlp": lambda: mlp((7, 6, 5, 4)).double(),
    "mlp batch": lambda: mlp((7, 6, 5, 4), norm="batch").double(),
    "mlp layer": lambda: mlp((7, 6, 5, 4), norm="layer").double(),
    "lenet5": lambda: lenet5(4, channels=2, size=12).double(),
    "lenet5 batch": lambda: lenet5(4, channels=2, size=12, norm="batch").double(),
}


def own(build, seed):
    torch.manual_seed(seed)
    return build()


def inputs(name, replicas=3):
    shape = (2, 12, 12) if "lenet5" in name else (7,)
    return torch.randn(
        replicas, 9, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )


@pytest.mark.parametrize("name", BUILDS)
def test_replica_starts_as_its_seed_alone_would(name):
    found = state(Replicas(BUILDS[name], SEEDS))
    for i, seed in enumerate(SEEDS):
        assert_same({k: v[i] for k, v in found.items()}, own(BUILDS[name], seed).state_dict())


def test_building_replicas_leaves_the_global_generator_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    Replicas(BUILDS["mlp"], SEEDS)
    assert torch.equal(torch.get_rng_state(), before)


# Convolutions take the way through vmap on CUDA only, and a lone replica never does.
@pytest.mark.parametrize("way", ["usual", "vmap", "alone"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", BUILDS)
def test_forward_equals_each_replicas_own_network(name, training, way):
    seeds = SEEDS[:1] if way == "alone" else SEEDS
    replicas, x = Replicas(BUILDS[name], seeds).train(training), inputs(name, len(seeds))
    if way == "vmap":
        replicas._convolutional = False
    alone = [own(BUILDS[name], seed).train(training) for seed in seeds]
    for _ in range(2):  # a second time, so that batch-norm's statistics have moved
        logits = replicas(x)
        expected = torch.stack([network(part) for network, part in zip(alone, x, strict=True)])
        torch.testing.assert_close(logits, expected, rtol=0, atol=1e-12)
    for i, network in enumerate(alone):
        found = {k: v[i] for k, v in state(replicas).items()}
        assert_same(found, network.state_dict(), 1e-12)


@pytest.mark.parametrize("name", BUILDS)
def test_gradients_equal_each_replicas_own(name):
    replicas, x = Replicas(BUILDS[name], SEEDS), inputs(name)
    replicas(x).square().sum().backward()
    for i, seed in enumerate(SEEDS):
        network = own(BUILDS[name], seed)
        network(x[i]).square().sum().backward()
        mine = {k: w.grad[i] for k, w in replicas.weights.items()}
        assert_same(mine, {k: p.grad for k, p in network.named_parameters()}, 1e-10)


@pytest.mark.parametrize("name", ["mlp batch", "lenet5"])
def test_on_gives_every_replica_the_same_batch(name):
    replicas, x = Replicas(BUILDS[name], SEEDS).eval(), inputs(name)[0]
    assert torch.equal(replicas.on(x), replicas(torch.stack([x] * 3)))


@pytest.mark.parametrize("seeds", [[3], SEEDS])
def test_hidden_activations_by_hand(seeds):
    replicas, x = Replicas(BUILDS["mlp"], seeds), inputs("mlp", len(seeds))
    logits, hidden = replicas.activations(x, replicas.relus)
    w = replicas.weights
    act1 = (torch.einsum("rbi,rui->rbu", x, w["fc1.weight"]) + w["fc1.bias"][:, None]).clamp(min=0)
    act2 = (torch.einsum("rbi,rui->rbu", act1, w["fc2.weight"]) + w["fc2.bias"][:, None]).clamp(
        min=0
    )
    last = torch.einsum("rbi,rui->rbu", act2, w["fc3.weight"]) + w["fc3.bias"][:, None]
    assert_same(hidden | {"logits": logits}, {"act1": act1, "act2": act2, "logits": last}, 1e-12)


@pytest.mark.parametrize("vmap", [True, False])
def test_hidden_activations_of_lenet5_are_its_relus(vmap):
    replicas, x = Replicas(BUILDS["lenet5"], SEEDS), inputs("lenet5")
    replicas._convolutional = not vmap
    hidden = replicas.activations(x, replicas.relus)[1]
    assert {k: tuple(h.shape[2:]) for k, h in hidden.items()} == {
        "act1": (6, 12, 12),
        "act2": (16, 2, 2),
        "act3": (120,),
        "act4": (84,),
    }
    network = own(BUILDS["lenet5"], SEEDS[1])
    torch.testing.assert_close(hidden["act2"][1], network[:5](x[1]), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"]
)
def test_a_copy_has_hidden_activations_of_its_own(clone):
    x = inputs("mlp")
    original = Replicas(BUILDS["mlp"], SEEDS)
    twin = clone(original)
    with torch.no_grad():
        for weight in twin.weights.values():
            weight.zero_()
    assert all(h.eq(0).all() for h in twin.activations(x, twin.relus)[1].values())
    assert all(h.gt(0).any() for h in original.activations(x, original.relus)[1].values())


@pytest.mark.parametrize("name", BUILDS)
def test_replica_is_an_ordinary_network(name):
    replicas, x = Replicas(BUILDS[name], SEEDS).eval(), inputs(name)
    network = replicas.replica(1)
    assert type(network) is nn.Sequential and not network.training
    torch.testing.assert_close(network(x[1]), replicas(x)[1], rtol=0, atol=1e-12)


def test_training_a_replica_apart_does_not_change_the_replicas():
    replicas, x = Replicas(BUILDS["mlp batch"], SEEDS), inputs("mlp batch")
    before, network = state(replicas), replicas.replica(0)
    network(x[0]).sum().backward()
    torch.optim.SGD(network.parameters(), 1.0).step()
    assert_same(state(replicas), before)
    assert all(weight.grad is None for weight in replicas.parameters())


def test_replica_keeps_the_dtype():
    assert (
        Replicas(lambda: mlp((7, 6, 4)), SEEDS).double().replica(0).fc1.weight.dtype
        == torch.float64
    )


@pytest.mark.parametrize("mode", [True, False])
def test_evaluating_restores_the_mode_even_after_an_error(mode):
    replicas = Replicas(lambda: mlp((7, 6, 4), dropout=0.5).double(), SEEDS).train(mode)
    with pytest.raises(KeyError), evaluating(replicas):
        # No dropout.
        assert torch.equal(replicas.on(inputs("mlp")[0]), replicas.on(inputs("mlp")[0]))
        assert not replicas.on(inputs("mlp")[0]).requires_grad
        raise KeyError
    assert replicas.training == mode and replicas._template.training == mode


def test_dropout_differs_between_replicas():
    replicas = Replicas(lambda: mlp((7, 50, 4), dropout=0.5).double(), [3, 3])
    logits = replicas.on(inputs("mlp")[0])
    assert not torch.allclose(logits[0], logits[1])


def test_layers_are_named_as_documented():
    names = [name for name, _ in mlp((7, 6, 5, 4), "batch", 0.1).named_children()]
    assert names == [
        "flatten",
        "fc1",
        "norm1",
        "act1",
        "drop1",
        "fc2",
        "norm2",
        "act2",
        "drop2",
        "fc3",
    ]
    names = [name for name, _ in lenet5().named_children()]
    assert names[:7] == ["conv1", "act1", "pool1", "conv2", "act2", "pool2", "flatten"]
    assert names[7:] == ["fc3", "act3", "fc4", "act4", "fc5"]


def test_lenet5_has_as_many_parameters_as_the_paper_counts():
    assert sum(p.numel() for p in lenet5().parameters()) == 156 + 2416 + 48120 + 10164 + 850


@pytest.mark.parametrize("size", [12, 13, 28, 32])
def test_lenet5_takes_square_images_of_12_pixels_or_more(size):
    assert lenet5(3, channels=2, size=size)(torch.zeros(1, 2, size, size)).shape == (1, 3)


def test_small_vgg_has_the_parameters_of_its_layers():
    convolutions = 64 * 28 + 64 * 577 + 128 * 577 + 128 * 1153
    assert sum(p.numel() for p in small_vgg().parameters()) == convolutions + 8193 * 256 + 257 * 10
    names = [name for name, _ in small_vgg().named_children()]
    assert names[:6] == ["conv1", "act1", "conv2", "act2", "pool2", "conv3"] and names[-1] == "fc6"


@pytest.mark.parametrize(("build", "sizes"), [(alexnet, [32, 45, 64]), (small_vgg, [4, 32, 33])])
def test_image_networks_take_square_colour_images(build, sizes):
    for size in sizes:
        assert build(7, size=size, width=4 if build is small_vgg else 0.1)(
            torch.zeros(2, 3, size, size)
        ).shape == (
            2,
            7,
        )


def test_alexnet_starts_with_outputs_of_order_one():
    torch.manual_seed(0)
    logits = alexnet(10, 32, 0.25)(torch.randn(20, 3, 32, 32))
    assert 0.1 < logits.std() < 10


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: alexnet(size=31),
            "size=31, width=1.0 is not possible; size is 32 or more, width above 0",
        ),
        (lambda: alexnet(width=0), "size=64, width=0 is not possible"),
        (
            lambda: small_vgg(size=3),
            "size=3, width=64 is not possible; size is 4 or more, width 1 or more",
        ),
        (lambda: mlp((7,)), "sizes=(7,) is not possible"),
        (lambda: mlp((7, 0, 4)), "sizes=(7, 0, 4) is not possible"),
        (lambda: mlp(norm="group"), "unknown norm 'group'; known are None, 'batch' and 'layer'"),
        (lambda: lenet5(norm="group"), "unknown norm 'group'"),
        (lambda: mlp(dropout=1.0), "dropout=1.0 is not a share"),
        (lambda: mlp(dropout=-0.1), "dropout=-0.1 is not a share"),
        (lambda: lenet5(size=11), "size=11 is too small for lenet5"),
        (lambda: Replicas(mlp, []), "seeds=[] is not possible; give one seed"),
        (
            lambda: Replicas(mlp, [0])(torch.zeros(2, 1, 784)),
            "first dimension is 2, but there are 1 replicas",
        ),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)


def test_a_pretrained_network_gets_a_new_last_layer(monkeypatch):
    torch.manual_seed(0)
    weights = import_torchvision().models.alexnet().state_dict()
    asked = []

    def load(url, **options):
        asked.append(options)
        return weights

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", load)
    model = Replicas(lambda: pretrained("alexnet", 7), [0, 1])
    assert asked == 2 * [{"check_hash": True, "weights_only": True}]
    assert model.weights["classifier.6.weight"].shape == (2, 7, 4096)
    for name, value in weights.items():
        assert "classifier.6" in name or torch.equal(model.weights[name][1], value)
    assert not torch.equal(*model.weights["classifier.6.weight"])
    found = importances.mas(model, torch.randn(2, 3, 64, 64))
    assert (found["features.0.weight"].flatten(1).amax(1) > 0).all()


def test_weights_that_cannot_be_had_are_one_sentence(monkeypatch):
    def load(url, **options):
        raise OSError("no network")

    import_torchvision()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", load)
    with pytest.raises(
        ValueError, match=r"^the weights of 'resnet18' can't be had \(no network\); train one from"
    ):
        pretrained("resnet18", 2)
    with pytest.raises(
        ValueError, match=r"^unknown network 'alexnet5'; those of torchvision are known"
    ):
        pretrained("alexnet5", 2)
