"""Trains one seed with Avalanche; a process in the environment of requirements-bench.txt.

bench.py starts it with the path of a file of tensors and then writes one JSON object a line to its
standard input: benchmark ("tensors" or "SplitMNIST"), method ("finetune", "replay", "ewc", "mas" or
"lwf"), memory, strength, batch_size, lr, epochs, seed, threads.
Each is answered by one JSON line: seconds of training alone, and accuracy on the last task's
training images.

tensors: an AvalancheDataset of ready float32 tensors for each task, without transforms: the kindest
to Avalanche. SplitMNIST: Avalanche's stock benchmark, whose images pass through Pillow and ToTensor
one by one.
No loggers, no metrics, no evaluation, no loader processes.
"""

import importlib.util
import json
import sys
import time
from functools import partial
from pathlib import Path

import torch
from torch import nn

SPEC = importlib.util.spec_from_file_location(
    "_torchvision", Path(__file__).resolve().parents[1] / "cf_utils" / "_torchvision.py"
)
_torchvision = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(_torchvision)
_torchvision.import_torchvision()

import avalanche  # noqa: E402
from avalanche.benchmarks import benchmark_from_datasets  # noqa: E402
from avalanche.benchmarks.classic import SplitMNIST  # noqa: E402
from avalanche.benchmarks.utils import as_classification_dataset  # noqa: E402
from avalanche.benchmarks.utils.classification_dataset import (  # noqa: E402
    _make_taskaware_classification_dataset as make_aware,
)
from avalanche.training import EWC, MAS, LwF, Naive, Replay  # noqa: E402


class Tensors(torch.utils.data.TensorDataset):
    """Images and labels with the attribute that Avalanche looks for."""

    @property
    def targets(self):
        return self.tensors[1]


def experiences(kind, data, method):
    """A fresh training stream, built before any clock starts."""
    if kind == "SplitMNIST":
        order = [c for group in data["classes"] for c in group]
        return SplitMNIST(
            len(data["classes"]), dataset_root=data["root"], fixed_class_order=order
        ).train_stream
    # It asks for them.
    aware = partial(make_aware, task_labels=0) if method == "lwf" else as_classification_dataset
    sets = [aware(Tensors(x, y)) for x, y in data["tasks"]]
    return benchmark_from_datasets(train=sets).train_stream


def strategy(request):
    torch.manual_seed(request["seed"])
    network = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )
    strength = request["strength"]
    kind, extra = {
        "finetune": (Naive, {}),
        "replay": (Replay, {"mem_size": request["memory"]}),
        # A Fisher and an anchor for every task, as ours sums them.
        "ewc": (EWC, {"ewc_lambda": strength}),
        "mas": (MAS, {"lambda_reg": strength}),
        "lwf": (LwF, {"alpha": strength, "temperature": 2.0}),
    }[request["method"]]
    return kind(
        model=network,
        optimizer=torch.optim.Adam(network.parameters(), lr=request["lr"]),
        criterion=nn.CrossEntropyLoss(),
        train_mb_size=request["batch_size"],
        train_epochs=request["epochs"],
        evaluator=None,
        **extra,
    )


def answer(request, data):
    torch.set_num_threads(request["threads"])
    stream = list(experiences(request["benchmark"], data, request["method"]))
    learner = strategy(request)
    seconds = 0.0
    for experience in stream:
        start = time.perf_counter()
        learner.train(experience, num_workers=0)
        seconds += time.perf_counter() - start
    x, y = data["tasks"][-1]
    with torch.no_grad():
        accuracy = (learner.model.eval()(x).argmax(1) == y).float().mean().item()
    return {"seconds": seconds, "accuracy": accuracy}


def main():
    # Avalanche prints; the answers have the pipe to themselves.
    out, sys.stdout = sys.stdout, sys.stderr
    data = torch.load(sys.argv[1])
    print(
        json.dumps({"avalanche": avalanche.__version__, "torch": torch.__version__}),
        file=out,
        flush=True,
    )
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), data)), file=out, flush=True)


if __name__ == "__main__":
    main()
