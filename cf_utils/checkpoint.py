"""What a run leaves on disk: safetensors, JSON, and torch.save's files, of which reading executes nothing."""

import copy
import hashlib
import inspect
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from cf_utils.files import write_json
from cf_utils.models import Replicas
from cf_utils.training import Run, pick_device

KEYS = ("history", "accuracy", "epochs", "diverged", "optimizer", "rng")


def save(run, stream, folder):
    """Write a run to ``folder``, from which ``load`` takes it up again after its last task.

    shared.safetensors: all weights and statistics but the last layer's; head.safetensors: those; for each task trained
    task_1/head.safetensors: the last layer's rows for its classes, with classes.json (names) and performance.json
    (accuracy right after it and now, one a replica); importances.safetensors: those of anchored methods, with the
    anchors; run.json: settings; run.pt, methods.pt: what else it takes to go on, for torch.load.
    A folder that is there is replaced as a whole. Raises ValueError for a method that stores what cannot be written.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}") as part:
        new, old = Path(part, "new"), Path(part, "old")
        _write_run(run, stream, new)
        if folder.exists():
            os.replace(folder, old)
        try:
            os.replace(new, folder)
        except BaseException:  # an interrupt between the two: the old run stays
            if old.exists():
                os.replace(old, folder)
            raise


def _write_run(run, stream, folder):
    folder.mkdir()
    methods = [  # networks and functions are left out, to be made anew
        {key: _plain(value, f"{i}/{key}") for key, value in vars(m).items() if not callable(value)}
        for i, m in enumerate(run.methods)
    ]
    shared = _plain(run.model.weights | run.model.statistics, "model")
    last = [*run.model.weights][-1].rpartition(".")[0] + "."
    head = {name: shared.pop(name) for name in [*shared] if name.startswith(last)}
    for t, task in enumerate(stream.tasks[: run.done]):
        place, labels = folder / f"task_{t + 1}", list(task.labels)
        place.mkdir()
        save_file({name: value[:, labels].contiguous() for name, value in head.items()}, place / "head.safetensors")
        write_json(place / "classes.json", {"task": task.name, "labels": labels})
        both = {"right after": run.accuracy[:, t + 1, t].tolist(), "now": run.accuracy[:, -1, t].tolist()}
        both = {key: [None if v != v else v for v in values] for key, values in both.items()}  # JSON has no NaN
        write_json(place / "performance.json", both)
    importances = {}
    for i, stored in enumerate(methods):
        for key in ("importance", "anchor"):
            values = stored[key] if isinstance(stored.get(key), dict) else {}
            importances |= {f"{i}/{key}/{name}": value for name, value in values.items()}
    for name, tensors in (("shared", shared), ("head", head), ("importances", importances)):
        save_file(tensors, folder / f"{name}.safetensors")
    torch.save({key: _plain(getattr(run, key), key) for key in KEYS}, folder / "run.pt")
    torch.save(methods, folder / "methods.pt")
    content = {
        "done": run.done,
        "seeds": run.seeds,
        "methods": [type(m).__name__ for m in run.methods],
        "frozen": [name for name, w in run.model.weights.items() if not w.requires_grad],
        "settings": _settings(stream, run.config, run.evaluate),
    }
    write_json(folder / "run.json", content)


def load(folder, build, method, stream, config, evaluate="test", device="auto"):
    """The Run that ``save`` wrote: ``training.run_stream(load(...), None, stream)`` goes on with it.

    build, method, stream, config, evaluate: as the run began with. device: where it will go on, "auto": CUDA if there.
    Raises ValueError if the folder holds no whole run, or one of a network of other shapes, or of another method,
    stream or settings.
    """
    folder, place = Path(folder), pick_device(device)
    try:
        content = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        then, seeds, kinds, frozen = (content[key] for key in ("settings", "seeds", "methods", "frozen"))
        source = load_file(folder / "shared.safetensors") | load_file(folder / "head.safetensors")
        state = torch.load(folder / "run.pt", weights_only=True)
        found = {key: state[key] for key in KEYS}
        stored = torch.load(folder / "methods.pt", place, weights_only=True)
    except Exception as error:  # a damaged file raises nearly anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"{folder} holds no whole run: {reason}") from None
    _compare(then, _settings(stream, config, evaluate), folder)
    model = Replicas(build, seeds)
    target = model.weights | model.statistics
    if {k: v.shape for k, v in target.items()} != {k: v.shape for k, v in source.items()}:
        raise ValueError(f"the run in {folder} is of another network than this one")
    methods = [copy.deepcopy(m) for m in (method if isinstance(method, list | tuple) else [method])]
    if [type(m).__name__ for m in methods] != kinds:
        raise ValueError(f"the run in {folder} was trained with {', '.join(kinds)}, not with this method")
    with torch.no_grad():
        for name, value in source.items():
            target[name].copy_(value)
    for name in frozen:
        model.weights[name].requires_grad_(False)
    for m, kind, values in zip(methods, kinds, stored, strict=True):
        arguments = [key for key in inspect.signature(type(m)).parameters if key in values]
        _compare(values, {key: getattr(m, key) for key in arguments}, folder, f"{kind} at ")
        vars(m).update(values)
    return Run(model=model, seeds=model.seeds, methods=methods, config=config, evaluate=evaluate, **found)


def _compare(then, now, folder, what=""):
    for key in now:
        was, value = (v.tolist() if isinstance(v, torch.Tensor) else v for v in (then.get(key), now[key]))
        if was != value:
            was = f"{what}{key}={was!r}, not {value!r}"
            raise ValueError(f"the run in {folder} was trained with {was}; delete the folder to start anew")


def _settings(stream, config, evaluate):
    tasks = [[task.name, list(task.labels), len(task.y_train), _digest(task)] for task in stream.tasks]
    data = {"stream": stream.name, "scenario": stream.scenario, "tasks": tasks, "evaluate": evaluate}
    return data | asdict(config)


def _digest(task):
    """Of 16 training images spread over the task, with their labels: tells other data from the same."""
    some = slice(None, None, max(1, len(task.y_train) // 16))
    parts = [value[some].cpu().numpy().tobytes() for value in (task.x_train, task.y_train)]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def _plain(value, name):
    """A value that torch.load reads with weights_only, its tensors copied to the CPU; ``name`` is for the error."""
    if value is None:
        return None
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone().contiguous()
    if isinstance(value, dict):
        return {_plain(key, name): _plain(v, f"{name}/{key}") for key, v in value.items()}
    for kind in (list, tuple):
        if isinstance(value, kind):
            return kind(_plain(v, f"{name}/{i}") for i, v in enumerate(value))
    for kind in (bool, int, float, str):  # also plain ones of numpy's
        if isinstance(value, kind):
            return kind(value)
    raise ValueError(f"{name} is a {type(value).__name__}, which cannot be written to disk")
