"""Networks, and Replicas: many seeds of one network trained at once."""

import copy
import hashlib
from collections import OrderedDict
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

from cf_utils._torchvision import import_torchvision


class Linear(nn.Linear):
    """nn.Linear for a batch ``[B, inputs]``, or with stacked weights for a stack of batches ``[R, B, inputs]``."""

    def forward(self, x):
        # With the weight as left factor its gradient comes out in the weight's own layout, without a transposing copy.
        if self.weight.ndim == 3:
            return torch.baddbmm(self.bias.unsqueeze(2), self.weight, x.mT).mT
        return torch.addmm(self.bias.unsqueeze(1), self.weight, x.t()).t()


class BatchNorm(nn.BatchNorm1d):
    """nn.BatchNorm1d for a batch ``[B, D]``, or with stacked weights for a stack of batches ``[R, B, D]``."""

    def forward(self, x):
        if self.weight.ndim == 1:
            return super().forward(x)
        if self.training:
            self.num_batches_tracked.add_(1)
        parts = (value.view(-1) for value in (self.running_mean, self.running_var, self.weight, self.bias))
        one = x.mT.reshape(1, self.weight.numel(), -1)  # the replicas' units side by side, as channels
        return F.batch_norm(one, *parts, self.training, self.momentum, self.eps).view(x.mT.shape).mT


STACKABLE = {Linear, BatchNorm, nn.ReLU, nn.Dropout}
NORMS = {None: None, "batch": BatchNorm, "layer": nn.LayerNorm}


def mlp(sizes=(784, 120, 84, 10), norm=None, dropout=0.0):
    """A multilayer perceptron: flatten, then linear, norm, ReLU, dropout for each hidden layer, then linear.

    sizes: inputs, hidden units, outputs. norm: None, "batch" or "layer", between linear and ReLU.
    dropout: share of the hidden activations dropped in training, in [0, 1).  Named fc1, norm1, act1, drop1, fc2, ...
    Raises ValueError for fewer than two sizes, an unknown norm or a dropout outside [0, 1).
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes={tuple(sizes)} is not possible; give inputs, hidden units and outputs, each 1 or more")
    return _dense(OrderedDict(), sizes, norm, dropout)


def lenet5(outputs=10, channels=1, size=28, norm=None, dropout=0.0):
    """LeNet-5 (LeCun et al. 1998) with ReLU and max-pooling, for square images of ``size`` pixels.

    Two 5x5 convolutions (6 and 16 filters, the first padded by 2), each pooled by 2, then 120, 84 and ``outputs``
    units, norm and dropout as in ``mlp``; named conv1, act1, pool1, conv2, ..., fc3, act3, fc4, act4, fc5.
    """
    if size < 12:
        raise ValueError(f"size={size} is too small for lenet5; it takes images of 12 pixels or more")
    return _convolutional(((6, 5, 1, 2), (16, 5, 1, 0)), (1, 2), channels, size, (120, 84, outputs), norm, dropout)


def alexnet(outputs=10, size=64, width=1.0, dropout=0.0):
    """A network like AlexNet (Krizhevsky 2014, arXiv:1404.5997) for square colour images of ``size`` pixels, from 32.

    Five convolutions (64, 192, 384, 256, 256 filters times ``width``), pooled by 2 after the first, the second and the
    last, then two hidden layers of 1,024 units times width, dropout as in ``mlp``; named conv1, act1, pool1, conv2,
    ..., conv5, act5, pool5, fc6, act6, fc7, act7, fc8. From 64 pixels on, the first convolution takes every second one.
    Since it has no norm, Kaiming initialisation by fan-in, biases zero (He et al. 2015, arXiv:1502.01852).
    """
    if size < 32 or not width > 0:
        raise ValueError(f"size={size}, width={width} is not possible; size is 32 or more, width above 0")
    shapes = ((64, 5, 2 if size >= 64 else 1, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
    shapes = [(max(1, round(width * filters)), *rest) for filters, *rest in shapes]
    units = max(1, round(1024 * width))
    network = _convolutional(shapes, (1, 2, 5), 3, size, (units, units, outputs), dropout=dropout)
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return network


def pretrained(name, outputs):
    """A network of torchvision with ImageNet's weights, e.g. "alexnet", and a new last layer of ``outputs`` units.

    The weights are downloaded once, to torch.hub's folder; their checksum is verified and no code in them runs.
    Raises ValueError for an unknown name, a network without a linear last layer or with outputs beside it, or if the
    weights can't be had or don't fit.
    """
    models = import_torchvision().models
    if name not in models.list_models(models):
        raise ValueError(f"unknown network {name!r}; those of torchvision are known, e.g. 'alexnet' and 'resnet18'")
    network = models.get_model(name)
    if not any(isinstance(layer, nn.Linear) for layer in network.modules()) or hasattr(network, "aux_logits"):
        raise ValueError(f"{name!r} does not end in one linear layer; 'alexnet' and 'resnet18', e.g., do")
    try:
        weights = models.get_model_weights(name).DEFAULT.get_state_dict(check_hash=True, weights_only=True)
        network.load_state_dict(weights)
    except Exception as error:  # urllib, a wrong checksum, a full disk: all mean that the weights can't be used
        reason = str(error).partition("\n")[0]
        raise ValueError(f"the weights of {name!r} can't be had ({reason}); train one from scratch instead") from None
    *_, (place, last) = (pair for pair in network.named_modules() if isinstance(pair[1], nn.Linear))
    network.set_submodule(place, Linear(last.in_features, outputs))
    return network


def small_vgg(outputs=10, size=32, width=64, hidden=256, channels=3):
    """Two blocks of two 3x3 convolutions (``width``, then twice as many filters), each pooled, and two linear layers.

    For square images of ``size`` pixels; no norm.  Named conv1, act1, conv2, act2, pool2, conv3, ..., act5, fc6.
    """
    if size < 4 or width < 1:
        raise ValueError(f"size={size}, width={width} is not possible; size is 4 or more, width 1 or more")
    shapes = [(filters, 3, 1, 1) for filters in (width, width, 2 * width, 2 * width)]
    return _convolutional(shapes, (2, 4), channels, size, (hidden, outputs))


def resnet18(outputs=10, channels=3, width=64):
    """ResNet-18 (He et al. 2016, arXiv:1512.03385) with ``width`` filters in its first stage, for images of any size.

    Built of torchvision's blocks and initialised like torchvision's, no ReLU in place. Named conv1 (7x7, stride 2),
    bn1, act1, pool, block1 to block8 (each with conv1, bn1, relu, conv2, bn2), average, flatten, fc.
    """
    if width < 1:
        raise ValueError(f"width={width} is not possible; it is 1 or more")
    block = import_torchvision().models.resnet.BasicBlock
    layers = OrderedDict(conv1=nn.Conv2d(channels, width, 7, 2, 3, bias=False), bn1=nn.BatchNorm2d(width))
    layers |= {"act1": nn.ReLU(), "pool": nn.MaxPool2d(3, 2, 1)}
    inputs = width
    for i in range(8):
        filters, down = width * 2 ** (i // 2), None
        if filters != inputs:
            down = nn.Sequential(nn.Conv2d(inputs, filters, 1, 2, bias=False), nn.BatchNorm2d(filters))
        layers[f"block{i + 1}"] = block(inputs, filters, 2 if down else 1, down)
        inputs = filters
    layers |= {"average": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(inputs, outputs)}
    network = nn.Sequential(layers)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(layer, nn.ReLU):
            layer.inplace = False
    return network


def _convolutional(shapes, pooled, channels, side, sizes, norm=None, dropout=0.0):
    """Convolutions (filters, kernel, stride, padding), pooled by 2 after those numbered in ``pooled``, then linear."""
    layers = OrderedDict()
    for i, (filters, kernel, stride, padding) in enumerate(shapes, start=1):
        layers[f"conv{i}"] = nn.Conv2d(channels, filters, kernel, stride, padding)
        layers[f"act{i}"] = nn.ReLU()
        channels, side = filters, (side + 2 * padding - kernel) // stride + 1
        if i in pooled:
            layers[f"pool{i}"] = nn.MaxPool2d(2)
            side //= 2
    return _dense(layers, (channels * side * side, *sizes), norm, dropout, first=len(shapes) + 1)


def _dense(layers, sizes, norm, dropout, first=1):
    """``layers``, then flatten and linear layers with norm, ReLU and dropout between them, numbered from ``first``."""
    if norm not in NORMS:
        raise ValueError(f"unknown norm {norm!r}; known are None, 'batch' and 'layer'")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout} is not a share; it lies in [0, 1)")
    layers["flatten"] = nn.Flatten()
    for i, (inputs, units) in enumerate(pairwise(sizes[:-1]), start=first):
        layers[f"fc{i}"] = Linear(inputs, units)
        if norm:
            layers[f"norm{i}"] = NORMS[norm](units)
        layers[f"act{i}"] = nn.ReLU()
        if dropout:
            layers[f"drop{i}"] = nn.Dropout(dropout)
    layers[f"fc{first + len(sizes) - 2}"] = Linear(*sizes[-2:])
    return nn.Sequential(layers)


class Replicas(nn.Module):
    """R independently seeded copies of one network, held as stacked parameters and buffers ``[R, ...]``.

    Replica i starts as ``torch.manual_seed(seeds[i]); build()`` would.  ``replicas(x)`` maps ``[R, B, ...]`` to logits
    ``[R, B, outputs]``; with ``hidden=True`` to a pair: logits, and a dict of what every ReLU puts out, layer name ->
    ``[R, B, ...]``; with a list of names, what these layers put out.  A replica's result depends on no other's, but for
    dropout: its masks are drawn for all together from torch's global generator.
    """

    def __init__(self, build, seeds):
        super().__init__()
        if isinstance(seeds, int) or not len(seeds):
            raise ValueError(f"seeds={seeds!r} is not possible; give one seed for each replica, e.g. range(10)")
        self.seeds = [int(seed) for seed in seeds]
        networks = []
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            for seed in self.seeds:
                torch.manual_seed(seed)
                networks.append(build())
        parameters, buffers = stack_module_state(networks)
        # Names of modules hold dots, names of parameters must not.
        for name, value in parameters.items():
            self.register_parameter(name.replace(".", "/"), nn.Parameter(value))
        for name, value in buffers.items():
            self.register_buffer(name.replace(".", "/"), value)
        template = networks[0]
        self._tape, self._taped = {}, ()  # what layers put out in a pass, and which
        self.relus = [name for name, layer in template.named_modules() if isinstance(layer, nn.ReLU)]
        for name, layer in template.named_modules():
            layer.register_forward_hook(partial(self._record, name))
        self._convolutional = any(isinstance(layer, nn.Conv2d) for layer in template.modules())
        # An mlp's layers after the first, which flattens, take stacked weights as they are; vmap would cost time.
        kinds = [type(layer) for layer in (template, *template.children())]
        dense = kinds[:2] == [nn.Sequential, nn.Flatten] and {*kinds[2:]} <= STACKABLE
        # Set past nn.Module, which would take the template's own parameters for this module's.
        self.__dict__.update(_template=template, _stacked=template[1:] if dense else None)

    def __len__(self):
        return len(self.seeds)

    @property
    def weights(self):
        """The parameters by their names in the network, e.g. ``{"fc1.weight": [R, 120, 784], ...}``."""
        return {key.replace("/", "."): value for key, value in self._parameters.items()}

    @property
    def statistics(self):
        """The buffers (batch-norm's statistics) by their names in the network, ``[R, ...]`` each."""
        return {key.replace("/", "."): value for key, value in self._buffers.items()}

    def train(self, mode=True):
        self._template.train(mode)
        return super().train(mode)

    def forward(self, x, hidden=False):
        if len(x) != len(self):
            raise ValueError(f"the input's first dimension is {len(x)}, but there are {len(self)} replicas")

        def one(state, x, network=self._template):
            self._tape = {}
            logits = functional_call(network, state, (x,))
            tape, self._tape = self._tape, {}
            return logits, tape

        self._taped = self.relus if hidden is True else hidden or ()
        if hidden and (unknown := set(self._taped) - (known := dict(self._template.named_modules())).keys()):
            raise ValueError(f"no layer {min(unknown)!r}; there are {', '.join(name for name in known if name)}")
        state = self.weights | self.statistics
        if self._stacked is not None:
            logits, tape = one(state, x.flatten(2), self._stacked)
        elif len(self) == 1:  # vmap would cost a third of the speed; squeezed weights' backward pass copies nothing
            logits, tape = one({k: v.squeeze(0) for k, v in state.items()}, x[0])
            logits, tape = logits.unsqueeze(0), {k: v.unsqueeze(0) for k, v in tape.items()}
        elif self._convolutional and not x.is_cuda:  # on a CPU vmap turns convolutions into slow grouped ones
            views = {k: v.unbind() for k, v in state.items()}
            parts = [one({k: v[i] for k, v in views.items()}, x[i]) for i in range(len(self))]
            logits = torch.stack([logits for logits, _ in parts])
            tape = {k: torch.stack([tape[k] for _, tape in parts]) for k in parts[0][1]}
        else:
            logits, tape = vmap(one, randomness="different")(state, x)
        return (logits, tape) if hidden else logits

    def on(self, x, hidden=False):
        """Like ``self(x)`` for one batch ``[B, ...]`` that all replicas share."""
        return self(x.unsqueeze(0).expand(len(self), *x.shape), hidden)

    def replica(self, i):
        """Replica ``i`` as an ordinary nn.Module with parameters of its own."""
        # The template's hooks lead back to self: named in the memo, it is not copied along.
        network = copy.deepcopy(self._template, {id(self): self})
        for layer in network.modules():
            layer._forward_hooks.clear()
        network.to(next(self.parameters()))  # device and dtype
        network.load_state_dict({name: value[i] for name, value in (self.weights | self.statistics).items()})
        return network.train(self.training)

    def _record(self, name, layer, inputs, output):
        """Forward hook; a bound method, unlike a closure, leads to the copy in a copy of the whole."""
        if name in self._taped:
            self._tape[name] = output


def digest(tensors):
    """16 hexadecimal digits that tell tensors, name -> tensor, from others."""
    found = hashlib.blake2b(digest_size=8)
    for name, value in tensors.items():
        found.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        found.update(value.detach().cpu().flatten().contiguous().view(torch.uint8).numpy())
    return found.hexdigest()


@contextmanager
def evaluating(model):
    """Evaluation mode without gradients; the model's mode is restored afterwards."""
    mode = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield model
    finally:
        model.train(mode)
