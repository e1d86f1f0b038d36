"""A pretended CUDA device, on which tensors of "cuda" and of the CPU do not mix.

All tensors stay on the CPU; a mark on a tensor's storage, which views share, says that it is "on
cuda". Two modes of torch keep the marks. ``Operators`` sees every operator as it runs, those of
backward passes and of vmap too: it refuses mixtures that CUDA's operators refuse, and marks what is
made of marked tensors. ``Calls`` sees what Python asks for: moves between the devices, makes
tensors there, and answers where a tensor is.
"""

from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._C import _functorch as functorch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
INDEXING = {
    "index",
    "index_put",
    "index_put_",
    "_index_put_impl_",
    "_unsafe_index",
    "_unsafe_index_put",
}


@contextmanager
def pretending():
    """torch has one CUDA device in this block, a real one if there is one; yields it."""
    if torch.cuda.is_available():
        yield CUDA
        return
    found = {"_lazy_init": lambda: None, "device_count": lambda: 1, "current_device": lambda: 0}
    more = {
        "is_available": lambda: True,
        "_initialized": True,
        "default_generators": (Generator(),),
    }
    more["mem_get_info"] = lambda device=None: (2**33, 2**33)
    calls = Calls()
    with ExitStack() as stack:
        stack.enter_context(patch.multiple(torch.cuda, **found, **more))
        stack.enter_context(patch.multiple(torch.cuda.random, **found))
        stack.enter_context(patch.object(nn.Module, "to", module_to))
        stack.enter_context(Operators(calls))
        stack.enter_context(calls)
        yield CUDA


def storage(tensor):
    """What holds a tensor's values; views of it have the same."""
    while functorch.is_functorch_wrapped_tensor(tensor):
        tensor = functorch.get_unwrapped(tensor)
    return tensor.untyped_storage()


def on_cuda(tensor):
    return getattr(storage(tensor), "on_cuda", False)


def put(tensor, cuda):
    """Mark a tensor as one on CUDA, or on the CPU."""
    storage(tensor).on_cuda = cuda
    return tensor


def tensors_in(value):
    """The tensors in what an operator takes or gives: itself, or in lists, tuples and dicts."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for part in value for tensor in tensors_in(part)]


class Operators(TorchDispatchMode):
    """Refuses what CUDA's operators refuse; results are on CUDA if an input is, or as asked."""

    def __init__(self, calls):
        super().__init__()
        self.calls = calls

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        given = tensors_in((args, kwargs))
        places = {on_cuda(tensor) for tensor in given} or {self.calls.cuda}
        cuda = True in places
        if kwargs.get("device") is not None:
            cuda = cuda or kwargs["device"].type == "cuda"
            kwargs["device"] = CPU
        if len(places) == 2:
            check_mixture(func, args, given)
        if cuda and kwargs.get("generator") is not None:
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
        before = {id(storage(tensor)) for tensor in given}
        with drawing_from_cuda(cuda and torch.Tag.nondeterministic_seeded in func.tags):
            made = func(*args, **kwargs)
        for tensor in tensors_in(made) if cuda else ():
            if id(storage(tensor)) not in before:
                put(tensor, True)
        return made


def check_mixture(func, args, given):
    """RuntimeError if an operator on CUDA does not take the tensors of the CPU among those given.

    It takes them as the other side of a copy, as indices of a tensor on CUDA, and if it works entry
    by entry, as numbers without dimensions that it only reads.
    """
    name = func.overloadpacket.__name__
    if name == "copy_":
        return
    if name in INDEXING and on_cuda(args[0]):
        given = [value for value in args[2:3] if isinstance(value, Tensor)]
    takes_numbers = name in INDEXING or torch.Tag.pointwise in func.tags
    written = [
        arg for arg, told in zip(args, func._schema.arguments, strict=False) if is_written(told)
    ]
    for tensor in given:
        number = (
            takes_numbers and tensor.ndim == 0 and all(tensor is not other for other in written)
        )
        if not on_cuda(tensor) and not number:
            raise RuntimeError(
                "Expected all tensors to be on the same "
                f"device, but found cuda:0 and cpu, in {func}"
            )


def is_written(argument):
    return argument.alias_info is not None and argument.alias_info.is_write


class Calls(TorchFunctionMode):
    """Puts tensors where Python wants them, and says that they are there.

    cuda: whether the call's tensors are.
    """

    cuda = False

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in (torch.as_tensor, torch.asarray) and isinstance(args[0], Tensor):
            func = Tensor.to
        if func in ANSWERS:
            return ANSWERS[func](*args, **kwargs)
        device = kwargs.get("device")
        if device is not None:
            kwargs["device"] = CPU
        before = self.cuda
        self.cuda = (
            is_cuda(device) if device is not None else any(map(on_cuda, tensors_in((args, kwargs))))
        )
        try:
            made = func(*args, **kwargs)
        finally:
            cuda, self.cuda = self.cuda, before
        return put(made, cuda) if device is not None and isinstance(made, Tensor) else made


def is_cuda(device):
    return torch.device(device).type == "cuda"


def to(tensor, *args, **kwargs):
    """``Tensor.to``, which knows devices by their names, by another tensor, or not at all."""
    wanted = on_cuda(tensor)
    for value in (*args, *kwargs.values()):
        if isinstance(value, str | torch.device):
            wanted = is_cuda(value)
        elif isinstance(value, Tensor):
            wanted = on_cuda(value)
    args = [CPU if isinstance(value, str | torch.device) else value for value in args]
    kwargs = {
        key: CPU if key == "device" and value is not None else value
        for key, value in kwargs.items()
    }
    return moved(Tensor.to(tensor, *args, **kwargs), wanted)


def module_to(module, *args, move=nn.Module.to, **kwargs):
    """``Module.to``, which asks a tensor for its device where Python does not hear it."""
    like = args[0] if args else None
    if isinstance(like, Tensor):
        args = like.device, like.dtype
    return move(module, *args, **kwargs)


def moved(tensor, cuda):
    """The tensor itself if it is there, else a copy, through which gradients pass."""
    if on_cuda(tensor) == cuda:
        return tensor
    return Move.apply(tensor, cuda) if tensor.requires_grad else put(tensor.clone(), cuda)


class Move(torch.autograd.Function):
    """A copy on the other device; gradients come back to the first."""

    @staticmethod
    def forward(ctx, tensor, cuda):
        return put(tensor.clone(), cuda)

    @staticmethod
    def backward(ctx, gradient):
        return moved(gradient, not on_cuda(gradient)), None


def only_of_the_cpu(read):
    def answer(tensor, *args, **kwargs):
        if on_cuda(tensor):
            raise TypeError(
                "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first."
            )
        return read(tensor, *args, **kwargs)

    return answer


def set_gradient(tensor, gradient):
    if gradient is not None and on_cuda(gradient) != on_cuda(tensor):
        raise RuntimeError(
            "attempting to assign a gradient that is on another device than its tensor"
        )
    Tensor.grad.__set__(tensor, gradient)


def deep_copy(tensor, memo):
    return put(Tensor.__deepcopy__(tensor, memo), on_cuda(tensor))


ANSWERS = {
    Tensor.device.__get__: lambda tensor: CUDA if on_cuda(tensor) else CPU,
    Tensor.is_cuda.__get__: on_cuda,
    Tensor.is_cpu.__get__: lambda tensor: not on_cuda(tensor),
    Tensor.get_device: lambda tensor: 0 if on_cuda(tensor) else -1,
    Tensor.to: to,
    Tensor.cpu: lambda tensor: moved(tensor, False),
    Tensor.cuda: lambda tensor: moved(tensor, True),
    Tensor.numpy: only_of_the_cpu(Tensor.numpy),
    Tensor.__array__: only_of_the_cpu(Tensor.__array__),
    Tensor.grad.__set__: set_gradient,
    Tensor.__deepcopy__: deep_copy,
}


class Generator:
    """In place of CUDA's own generator: its state, 16 bytes,
    is a seed and how many operators have drawn.
    """

    def __init__(self):
        self.manual_seed(0)

    def manual_seed(self, seed):
        self.seed, self.count = seed % 2**63, 0

    def get_state(self):
        return torch.tensor([self.seed, self.count]).view(torch.uint8)

    def set_state(self, state):
        self.seed, self.count = state.view(torch.int64).tolist()

    def next(self):
        """A seed for the next operator that draws."""
        self.count += 1
        return hash((self.seed, self.count)) % 2**63


@contextmanager
def drawing_from_cuda(on):
    """In this block torch's generator of the CPU draws as CUDA's would,
    and stands afterwards where it stood.
    """
    if not on:
        yield
        return
    state = torch.default_generator.get_state()
    torch.default_generator.manual_seed(torch.cuda.default_generators[0].next())
    try:
        yield
    finally:
        torch.default_generator.set_state(state)
