"""Networks, and Replicas: many seeds of one network trained at once."""

import copy
import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

from cf_utils._torchvision import import_torchvision
from cf_utils.checks import is_whole


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

    Replica i starts as ``torch.manual_seed(seeds[i]); build()`` would; what the network freezes stays frozen.
    ``replicas(x)`` maps ``[R, B, ...]`` to logits ``[R, B, outputs]``; with ``hidden=True`` to a pair: logits, and a
    dict of what every ReLU puts out, layer name -> ``[R, B, ...]``; with a list of names, what these layers put out.
    A layer that runs more than once in a pass is "name" at first, then "name:2" and so on. ReLUs do not work in place.
    A replica's result depends on no other's, but for dropout: its masks are drawn for all together from torch's global
    generator.
    head: name of the layer that puts out the logits, or names of several side by side; None: found by ``find_head``.
    Raises ValueError for a network in place of its builder, or seeds that are no whole numbers.
    """

    def __init__(self, build, seeds, head=None):
        super().__init__()
        self.seeds = checked_seeds(seeds)
        if isinstance(build, nn.Module) or not callable(build):
            raise ValueError("give what builds a network, e.g. models.mlp or lambda: Net(10), not a built network")
        networks = []
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            for seed in self.seeds:
                torch.manual_seed(seed)
                networks.append(build())
        template = networks[0]
        if not isinstance(template, nn.Module):
            raise ValueError(f"the builder returned a {type(template).__name__}; it has to build a torch.nn.Module")
        parameters, buffers = stack_module_state(networks)
        learns = {name: p.requires_grad for name, p in template.named_parameters()}
        # Names of modules hold dots, names of parameters must not.
        for name, value in parameters.items():
            self.register_parameter(name.replace(".", "/"), nn.Parameter(value.detach(), requires_grad=learns[name]))
        for name, value in buffers.items():
            self.register_buffer(name.replace(".", "/"), value)
        for layer in template.modules():
            if getattr(layer, "inplace", False):
                layer.inplace = False  # it would overwrite what the layer before it is said to put out
        self._tape, self._taped, self._calls, self._assigned, self._given = {}, (), {}, {}, {}  # of a pass
        self.relus = [name for name, layer in template.named_modules() if isinstance(layer, nn.ReLU)]
        for name, layer in template.named_modules():
            layer.register_forward_hook(partial(self._record, name))
        self._one_by_one = any(isinstance(layer, nn.Conv2d | nn.RNNBase) for layer in template.modules())
        self.has_batch_norm = any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in template.modules())
        self._no_vmap = any(isinstance(layer, nn.RNNBase) for layer in template.modules())
        # An mlp's layers after the first, which flattens, take stacked weights as they are; vmap would cost time.
        kinds = [type(layer) for layer in (template, *template.children())]
        dense = kinds[:2] == [nn.Sequential, nn.Flatten] and {*kinds[2:]} <= STACKABLE
        # Set past nn.Module, which would take the template's own parameters for this module's.
        self.__dict__.update(_template=template, _stacked=template[1:] if dense else None)
        self.outputs, self._head = None, None  # number of logits; layers that put them out, name -> how many
        self._named = [head] if isinstance(head, str) else head
        if self._named is not None and (unknown := set(self._named) - dict(template.named_modules()).keys()):
            raise ValueError(f"no layer {min(unknown)!r} to be the head; there are {self._known_layers()}")

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

    @property
    def head(self):
        """Rows of the head: name of each weight there -> the outputs it makes, a slice, or None if it has no rows.

        Raises ValueError before ``find_head``, or if no layer or layers side by side put out the logits.
        """
        if self._head is None:
            raise ValueError("no layer puts out the logits by itself; name the last one: head='classifier', say")
        rows, start = {}, 0
        for layer, count in self._head.items():
            for name, w in self.weights.items():
                if name.startswith(f"{layer}."):
                    by_row = w.ndim > 1 and w.shape[1] == count
                    rows[name] = slice(start, start + count) if by_row else None
            start += count
        return rows

    def find_head(self, x):
        """Count the outputs and find the layers that put them out, with a pass of ``x`` ``[B, ...]`` as it is scaled.

        Returns the number of outputs. Raises ValueError if the network puts out anything but ``[B, outputs]``, or if
        the layers named as its head do not make them all.
        """
        network, made = self.replica(0).eval(), {}
        for name, layer in network.named_modules():
            if name in self._named if self._named else [*layer.parameters(recurse=False)]:
                layer.register_forward_hook(lambda layer, inputs, out, name=name: made.update({name: out}))
        with torch.no_grad():
            logits = _checked_logits(network(x.to(next(self.parameters()).device)), len(x))
        self.outputs = logits.shape[1]
        if self._named:
            self._head = {name: _width(made[name]) for name in self._named if name in made}
            if sum(self._head.values()) != self.outputs:
                raise ValueError(f"head={self._named} puts out {self._head}, but the network {self.outputs} logits")
        else:
            self._head = _side_by_side(made, logits)
        return self.outputs

    def train(self, mode=True):
        self._template.train(mode)
        return super().train(mode)

    def forward(self, x, hidden=False):
        if len(x) != len(self):
            raise ValueError(f"the input's first dimension is {len(x)}, but there are {len(self)} replicas")

        def one(state, x, network=self._template):
            self._tape, self._calls, self._assigned, self._given = {}, {}, {}, state
            logits = functional_call(network, state, (x,))
            found, self._tape, self._given = (logits, self._tape, self._assigned), {}, {}
            return found

        self._taped = self.relus if hidden is True else hidden or ()
        if hidden and (unknown := {name.partition(":")[0] for name in self._taped} - dict(self._layers()).keys()):
            raise ValueError(f"no layer {min(unknown)!r}; there are {self._known_layers()}")
        logits, tape, assigned = self._pass(one, x)
        for name, value in assigned.items():
            self._buffers[name.replace(".", "/")] = value.detach()
        return (logits, tape) if hidden else logits

    def _pass(self, one, x):
        """``one(state, x)`` of every replica, stacked, in the way that is fastest for this network."""
        state = self.weights | self.statistics
        if self._stacked is not None:
            return one(state, x.flatten(2), self._stacked)
        if len(self) == 1:  # vmap would cost a third of the speed; squeezed weights' backward pass copies nothing
            parts = [one({k: v.squeeze(0) for k, v in state.items()}, x[0])]
        elif self._one_by_one and not (x.is_cuda and not self._no_vmap):  # on a CPU vmap makes slow convolutions
            views = {k: v.unbind() for k, v in state.items()}
            parts = [one({k: v[i] for k, v in views.items()}, x[i]) for i in range(len(self))]
        else:
            logits, tape, assigned = vmap(one, randomness="different")(state, x)
            return _checked_logits(logits, x.shape[1]), tape, assigned
        stack = (lambda values: values[0].unsqueeze(0)) if len(parts) == 1 else torch.stack
        logits = stack([_checked_logits(logits, x.shape[1]) for logits, _, _ in parts])
        tape, assigned = ({k: stack([part[i][k] for part in parts]) for k in parts[0][i]} for i in (1, 2))
        return logits, tape, assigned

    def on(self, x, hidden=False):
        """Like ``self(x)`` for one batch ``[B, ...]`` that all replicas share."""
        return self(x.unsqueeze(0).expand(len(self), *x.shape), hidden)

    def replica(self, i):
        """Replica ``i`` as an ordinary nn.Module with parameters of its own; tied weights stay tied."""
        # The template's hooks lead back to self: named in the memo, it is not copied along.
        network = copy.deepcopy(self._template, {id(self): self})
        for layer in network.modules():
            layer._forward_hooks.clear()
        network.to(next(self.parameters()))  # device and dtype
        state = self.weights | self.statistics
        with torch.no_grad():
            for name, value in [*network.named_parameters(), *network.named_buffers()]:
                value.copy_(state[name][i])
        return network.train(self.training)

    def _layers(self):
        return [(name, layer) for name, layer in self._template.named_modules() if name]

    def _known_layers(self):
        return ", ".join(name for name, _ in self._layers())

    def _record(self, name, layer, inputs, output):
        """Forward hook; a bound method, unlike a closure, leads to the copy in a copy of the whole."""
        if self._taped:
            self._calls[name] = count = self._calls.get(name, 0) + 1
            key = name if count == 1 else f"{name}:{count}"
            if key in self._taped or (self._taped is self.relus and name in self._taped):
                self._tape[key] = output
        if name == "" and self._given:  # buffers that the network put others in the place of
            buffers = layer.named_buffers()
            self._assigned = {key: value for key, value in buffers if value is not self._given.get(key, value)}


def checked_seeds(seeds):
    """Seeds as a list of int; ValueError unless they are whole numbers of 0 or more, one for each replica."""
    accepted = "give one seed for each replica, a whole number, e.g. range(10)"
    if isinstance(seeds, str | bytes) or not isinstance(seeds, Iterable):
        raise ValueError(f"seeds={seeds!r} is not possible; {accepted}")
    seeds = seeds.tolist() if isinstance(seeds, torch.Tensor) else list(seeds)
    wrong = [seed for seed in seeds if not is_whole(seed) or seed < 0]
    if not seeds or wrong:
        raise ValueError(f"seeds={seeds!r} is not possible; {accepted}")
    return [int(seed) for seed in seeds]


def _checked_logits(logits, count):
    """``logits`` ``[..., count, outputs]``; ValueError for anything else that a network may put out."""
    if not isinstance(logits, torch.Tensor):
        raise ValueError(f"the network puts out a {type(logits).__name__}; it has to put out logits [batch, outputs]")
    if logits.ndim not in (2, 3) or logits.shape[-2] != count:
        shape = list(logits.shape)
        raise ValueError(f"the network puts out {shape} for {count} images; it has to put out logits [batch, outputs]")
    return logits


def _side_by_side(made, logits):
    """Of what layers put out, name -> tensor, those that make up the logits, name -> how many; None if none do."""
    whole = [name for name, out in made.items() if _same(out, logits)]
    if whole:
        return {whole[-1]: logits.shape[1]}
    found, start = {}, 0
    while start < logits.shape[1]:
        fits = (n for n, out in made.items() if n not in found and _same(out, logits[:, start : start + _width(out)]))
        name = next(fits, None)
        if name is None:
            return None
        found[name] = _width(made[name])
        start += found[name]
    return found


def _same(out, logits):
    return _width(out) > 0 and torch.equal(out, logits)


def _width(out):
    return out.shape[1] if isinstance(out, torch.Tensor) and out.ndim == 2 else 0


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
