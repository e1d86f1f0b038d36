"""Replicas: many seeds of one network, trained at once as stacked weights."""

import copy
import hashlib
import inspect
from collections import Counter
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.parameter import is_lazy

from cf_utils.checks import as_list, is_seed
from cf_utils.models import STACKABLE


class Replicas(nn.Module):
    """R independently seeded copies of a network, as stacked parameters and buffers ``[R, ...]``.

    Replica i starts as ``torch.manual_seed(seeds[i]); build()`` would; what the network freezes
    stays frozen. ``replicas(x)`` maps ``[R, B, ...]`` to logits ``[R, B, outputs]``,
    ``activations`` gives what layers put out beside them. ReLUs do not work in place.
    A replica's result depends on no other's, but for dropout: its masks are drawn for all together
    from torch's global generator.
    head: name of the layer that puts out the logits, or names of several side by side; None: found
    by ``find_head``. Raises ValueError for a network in place of its builder, or seeds that are no
    whole numbers.
    """

    def __init__(self, build, seeds, head=None):
        super().__init__()
        self.seeds = checked_seeds(seeds)
        if isinstance(build, nn.Module) or not callable(build):
            given = "a built network" if isinstance(build, nn.Module) else repr(build)
            raise ValueError(
                f"give what builds a network, e.g. models.mlp or lambda: Net(10), not {given}"
            )
        networks = _built(build, self.seeds)
        template = networks[0]
        self._stack(networks)
        layers = dict(template.named_modules())

        def has(kind):
            return any(isinstance(layer, kind) for layer in layers.values())

        for layer in layers.values():
            if getattr(layer, "inplace", False):
                # It would overwrite what the layer before it is said to put out.
                layer.inplace = False
        self.relus = [name for name, layer in layers.items() if isinstance(layer, nn.ReLU)]
        self._one_by_one = has(nn.Conv2d | nn.RNNBase)
        self._no_vmap = has(nn.RNNBase)
        self.has_batch_norm = has(nn.modules.batchnorm._BatchNorm)
        self._tied = _ties(template)
        # An mlp's layers after the first, which flattens, take stacked weights as they are; vmap
        # would cost time.
        kinds = [type(layer) for layer in (template, *template.children())]
        dense = kinds[:2] == [nn.Sequential, nn.Flatten] and {*kinds[2:]} <= STACKABLE
        # Set past nn.Module, which would take the template's own parameters for this module's.
        self.__dict__.update(_template=template, _stacked=template[1:] if dense else None)
        # Number of logits; layers that put them out, name -> how many; names given for these.
        self.outputs, self._head = None, None
        self.named = _names(head)
        if unknown := set(self.named or ()) - layers.keys():
            raise ValueError(
                f"no layer {min(unknown)!r} to be the head; there are {self._known_layers()}"
            )

    def _stack(self, networks):
        parameters, buffers = stack_module_state(networks)
        learns = {name: p.requires_grad for name, p in networks[0].named_parameters()}
        for name, value in parameters.items():
            parameter = nn.Parameter(value.detach(), requires_grad=learns[name])
            self.register_parameter(_key(name), parameter)
        for name, value in buffers.items():
            self.register_buffer(_key(name), value)

    def __len__(self):
        return len(self.seeds)

    @property
    def weights(self):
        """The parameters by their names in it, e.g. ``{"fc1.weight": [R, 120, 784], ...}``."""
        return {_name(key): value for key, value in self._parameters.items()}

    @property
    def statistics(self):
        """The buffers (batch-norm's statistics) by their names in it, ``[R, ...]`` each."""
        return {_name(key): value for key, value in self._buffers.items()}

    @property
    def head(self):
        """Rows of the head: name of each weight there -> the outputs it makes, a slice,
        or None if it has no rows.

        Raises ValueError before ``find_head``, or if no layer or layers side by side put out the
        logits.
        """
        if self._head is None:
            raise ValueError(
                "no layer puts out the logits by itself; name the last one: head='classifier', say"
            )
        rows, start = {}, 0
        for layer, count in self._head.items():
            own = {n: w for n, w in self.weights.items() if not layer or n.startswith(f"{layer}.")}
            if not any(_is_matrix(w[0], count) for w in own.values()):
                raise ValueError(
                    f"head={layer!r} has no weight [{count}, ...] with a row for each output; "
                    "name the layer that has"
                )
            for name, w in own.items():
                by_row = w.ndim > 1 and w.shape[1] == count
                rows[name] = slice(start, start + count) if by_row else None
            start += count
        return rows

    def find_head(self, x):
        """Count the outputs and find the layers that put them out,
        with a pass of ``x`` ``[B, ...]`` as it is scaled.

        The pass is that of a copy with every weight moved, lest a scale of 1 or a bias of 0 after
        the head pass for nothing. Returns the number of outputs. Raises ValueError if the network
        puts out anything but ``[B, outputs]``, or if the layers named as its head do not make them
        all.
        """
        network, made = _moved(self.replica(0).eval()), {}
        for name, layer in network.named_modules():
            if name in self.named if self.named else _may_be_head(layer):
                layer.register_forward_hook(partial(_keep_copy, made, name))
        with torch.no_grad():
            logits = _checked_logits(network(x.to(next(self.parameters()).device)), len(x))
        self.outputs = logits.shape[1]
        if self.named:
            self._head = {name: _width(made[name]) for name in self.named if name in made}
            if sum(self._head.values()) != self.outputs:
                raise ValueError(
                    f"head={self.named} puts out {self._head}, "
                    f"but the network {self.outputs} logits"
                )
        else:
            self._head = _side_by_side(made, logits)
        return self.outputs

    def train(self, mode=True):
        self._template.train(mode)
        return super().train(mode)

    def forward(self, x):
        return self.activations(x, ())[0]

    def activations(self, x, layers):
        """Logits ``[R, B, outputs]`` of ``x`` ``[R, B, ...]``, and a dict of what layers put out,
        ``[R, B, ...]`` each.

        layers: their names; ``self.relus`` are those of every ReLU. A layer that runs more than
        once in a pass is "name" at first, then "name:2" and so on; it can be asked for as "name:2"
        alone too.
        Raises ValueError for an unknown layer, or an x that is not one batch for each replica.
        """
        if len(x) != len(self):
            raise ValueError(
                f"the input's first dimension is {len(x)}, but there are {len(self)} replicas"
            )
        wanted = {name.partition(":")[0] for name in layers}
        if wanted and (unknown := wanted - dict(self._layers()).keys()):
            raise ValueError(f"no layer {min(unknown)!r}; there are {self._known_layers()}")

        def one(state, x, network=self._template):
            return _recorded(network, state, x, layers, wanted, self._tied)

        logits, tape, assigned = self._pass(one, x)
        for name, value in assigned.items():
            self._buffers[_key(name)] = value.detach()
        return logits, tape

    def _pass(self, one, x):
        """``one(state, x)`` of every replica, stacked, in the way that is fastest for it."""
        state = self.weights | self.statistics
        if self._stacked is not None:
            return one(state, x.flatten(2), self._stacked)
        if len(self) == 1:
            # Vmap would cost a third of the speed; squeezed weights' backward pass copies nothing.
            parts = [one({k: v.squeeze(0) for k, v in state.items()}, x[0])]
        elif self._one_by_one and not (x.is_cuda and not self._no_vmap):
            # On a CPU vmap makes slow convolutions.
            views = {k: v.unbind() for k, v in state.items()}
            parts = [one({k: v[i] for k, v in views.items()}, x[i]) for i in range(len(self))]
        else:
            try:
                logits, tape, assigned = vmap(one, randomness="different")(state, x)
            except RuntimeError as error:
                if not any(word in str(error) for word in ("vmap", "Batching rule")):
                    raise
                self._one_by_one = self._no_vmap = True  # as of LSTM cells, or ``.item()``
                return self._pass(one, x)
            return _checked_logits(logits, x.shape[1]), tape, assigned
        stack = (lambda values: values[0].unsqueeze(0)) if len(parts) == 1 else torch.stack
        logits = stack([_checked_logits(logits, x.shape[1]) for logits, _, _ in parts])
        tape, assigned = (
            {k: stack([part[i][k] for part in parts]) for k in parts[0][i]} for i in (1, 2)
        )
        return logits, tape, assigned

    def share(self, x):
        """One batch ``[B, ...]`` for every replica: ``[R, B, ...]``, a view."""
        return x.unsqueeze(0).expand(len(self), *x.shape)

    def on(self, x):
        """Like ``self(x)`` for one batch ``[B, ...]`` that all replicas share."""
        return self(self.share(x))

    def replica(self, i):
        """Replica ``i`` as an nn.Module with parameters of its own; tied weights stay tied."""
        network = copy.deepcopy(self._template)
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


def _key(name):
    """What Replicas hold the parameter or buffer ``name`` as, without dots, which torch refuses,
    and unlike any name of their own, such as ``weights``.
    """
    return "/" + name.replace(".", "/")


def _name(key):
    return key[1:].replace("/", ".")


def _built(build, seeds):
    """A network for each of ``seeds``; torch's generators are left as they were.

    ValueError if build needs arguments, or builds no networks that can be stacked.
    """
    if needed := _needed(build):
        name = getattr(build, "__name__", "<lambda>").replace("<lambda>", "Net")
        given = ", ".join(f"{argument}=..." for argument in needed)
        raise ValueError(
            f"the builder needs {', '.join(needed)}, but is called without arguments; "
            f"give lambda: {name}({given})"
        )
    networks = []
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        for seed in seeds:
            torch.manual_seed(seed)
            networks.append(build())
    if not isinstance(networks[0], nn.Module):
        raise ValueError(
            f"the builder returned a {type(networks[0]).__name__}; "
            "it has to build a torch.nn.Module"
        )
    for name, layer in networks[0].named_modules():
        if any(map(is_lazy, [*layer._parameters.values(), *layer._buffers.values()])):
            raise ValueError(
                f"layer {name!r} ({type(layer).__name__}) does not know its size yet; give it one, "
                "or run the network once in its builder"
            )
    shapes = [
        [(name, value.shape) for name, value in (*one.named_parameters(), *one.named_buffers())]
        for one in networks
    ]
    if any(other != shapes[0] for other in shapes):
        raise ValueError("the builder returns networks of different shapes for different seeds")
    return networks


def _needed(build):
    """Names of the arguments that ``build`` can't be called without."""
    try:
        parameters = inspect.signature(build).parameters.values()
    except (TypeError, ValueError):  # some that are written in C do not tell
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional]


def _ties(network):
    """Whether a parameter or buffer of the network has two names."""
    both = (network.named_parameters, network.named_buffers)
    return any(len([*named(remove_duplicate=False)]) > len([*named()]) for named in both)


def _recorded(network, state, x, layers, names, tied):
    """A pass with the weights ``state``: logits, what ``layers`` put out, and buffers set anew.

    names: those of the layers, without the number of the call.
    """
    tape, assigned, calls, hooks = {}, {}, Counter(), []
    for name, layer in network.named_modules() if names else ():
        if name in names:
            hooks.append(layer.register_forward_hook(partial(_note, tape, calls, name, layers)))
    if next(network.buffers(), None) is not None:
        hooks.append(network.register_forward_hook(partial(_note_buffers, assigned, state)))
    try:
        return functional_call(network, state, (x,), tie_weights=tied), tape, assigned
    finally:
        for hook in hooks:
            hook.remove()


def _note(tape, calls, name, layers, layer, inputs, output):
    """Forward hook that puts a layer's output on the tape, if this call of it is asked for."""
    calls[name] += 1
    key = name if calls[name] == 1 else f"{name}:{calls[name]}"
    if key in layers or name in layers:
        tape[key] = output
        # What goes on is a copy: the network may write into it, by ``out += x``, say.
        return output.clone() if isinstance(output, torch.Tensor) else output
    return None


def _note_buffers(assigned, given, network, inputs, output):
    """Forward hook that notes buffers which the network puts others in the place of."""
    for key, value in network.named_buffers():
        if value is not given.get(key, value):
            assigned[key] = value


def checked_seeds(seeds):
    """Seeds as a list of int.

    Raises ValueError unless they are whole numbers from 0 to 2**64 - 1, one for each replica.
    """
    accepted = "give one seed for each replica, a whole number from 0 to 2**64 - 1, e.g. range(10)"
    found = as_list(seeds)
    if not found or not all(is_seed(seed) for seed in found):
        raise ValueError(f"seeds={found or seeds!r} is not possible; {accepted}")
    return [int(seed) for seed in found]


def _names(head):
    """Names of the head's layers as a list, None for None; ValueError for what are no names."""
    if head is None:
        return None
    names = [head] if isinstance(head, str) else head
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        kind = type(head).__name__
        raise ValueError(
            f"head is a {kind}; give the name of a layer, e.g. 'classifier', or a list of names"
        )
    return list(names) or None


def _checked_logits(logits, count):
    """``logits`` ``[..., count, outputs]``; ValueError for whatever else a network puts out."""
    if not isinstance(logits, torch.Tensor):
        raise ValueError(
            f"the network puts out a {type(logits).__name__}; "
            "it has to put out logits [batch, outputs]"
        )
    if logits.ndim not in (2, 3) or logits.shape[-2] != count:
        shape = list(logits.shape)
        raise ValueError(
            f"the network puts out {shape} for {count} images; "
            "it has to put out logits [batch, outputs]"
        )
    if not logits.is_floating_point():
        kind = str(logits.dtype).removeprefix("torch.")
        raise ValueError(
            f"the network puts out {kind} numbers; logits are floating-point, e.g. float32"
        )
    return logits


def _side_by_side(made, logits):
    """Of what layers put out, name -> tensor, those that make up the logits, name -> how many.

    None if none do.
    """
    whole = [name for name, out in made.items() if _same(out, logits)]
    if whole:
        return {whole[-1]: logits.shape[1]}
    found, start = {}, 0
    while start < logits.shape[1]:
        fits = (
            n
            for n, out in made.items()
            if n not in found and _same(out, logits[:, start : start + _width(out)])
        )
        name = next(fits, None)
        if name is None:
            return None
        found[name] = _width(made[name])
        start += found[name]
    return found


def _may_be_head(layer):
    """Whether a layer has weights of its own, a matrix among them, and holds no layers with others.

    What torch's parametrizations (``weight_norm``, say) hold is its own.
    """
    own = {*layer.parameters(recurse=False)}
    own |= {*getattr(layer, "parametrizations", nn.Module()).parameters()}
    return any(w.ndim > 1 for w in own) and own == {*layer.parameters()}


def _moved(network):
    """``network`` itself, every weight moved in place by a factor of its own, and off 0."""
    weights = [w for w in network.parameters() if w.is_floating_point()]
    with torch.no_grad():
        for i, w in enumerate(weights, start=1):
            factor = 1 + (1 + i / len(weights)) / 16
            w.copy_(torch.where(w == 0, 1e-3 * factor, w * factor))
    return network


def _keep_copy(made, name, layer, inputs, out):
    """Forward hook that keeps what a layer puts out before the network may write into it."""
    made[name] = out.clone() if isinstance(out, torch.Tensor) else out


def _is_matrix(w, count):
    """Whether a layer's weight has a row of several for each of ``count`` outputs."""
    return w.ndim > 1 and len(w) == count


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
