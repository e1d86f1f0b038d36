"""What a run leaves on disk, as safetensors and JSON: nothing there is executed when it is read."""

import copy
import hashlib
import inspect
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from cf_utils.files import write_json
from cf_utils.models import Replicas
from cf_utils.training import Run, pick_device

KEYS = ("seeds", "history", "accuracy", "epochs", "diverged", "rng")


def save(run, stream, folder):
    """Write a run to ``folder``, from which ``load`` takes it up again after its last task.

    shared.safetensors: all weights and statistics but the last layer's; head.safetensors: those; for each task trained
    task_1/head.safetensors: the last layer's rows for its classes, with classes.json (names) and performance.json
    (accuracy right after it and now, one a replica); methods.safetensors: what the methods stored, importances among
    it; optimizer.safetensors, run.safetensors and run.json: all else.
    A folder that is there is replaced as a whole. Raises ValueError for a method that stores what cannot be written.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}") as part:
        _write_run(run, stream, Path(part, "new"))
        if folder.exists():
            os.replace(folder, Path(part, "old"))
        try:
            os.replace(Path(part, "new"), folder)
        except BaseException:  # an interrupt between the two: the old run stays
            if Path(part, "old").exists():
                os.replace(Path(part, "old"), folder)
            raise


def _write_run(run, stream, folder):
    state = {k: v.detach().cpu().contiguous() for k, v in (run.model.weights | run.model.statistics).items()}
    last = [*run.model.weights][-1].rpartition(".")[0] + "."
    head = {k: v for k, v in state.items() if k.startswith(last)}
    for t, task in enumerate(stream.tasks[: run.done]):
        place = folder / f"task_{t + 1}"
        rows = {k: v[:, list(task.labels)].contiguous() for k, v in head.items()}
        _write(place / "head.safetensors", rows)
        write_json(place / "classes.json", {"task": task.name, "labels": list(task.labels)})
        both = {"right after": run.accuracy[:, t + 1, t].tolist(), "now": run.accuracy[:, -1, t].tolist()}
        write_json(place / "performance.json", _numbers(both))
    _write(folder / "shared.safetensors", {k: v for k, v in state.items() if k not in head})
    _write(folder / "head.safetensors", head)
    stored, optimizer, own = {}, {}, {}
    methods = [
        [type(m).__name__, {k: _pack(v, f"{i}/{k}", stored) for k, v in vars(m).items()}]
        for i, m in enumerate(run.methods)
    ]
    content = {
        "settings": _settings(stream, run.config, run.evaluate),
        "frozen": [name for name, w in run.model.weights.items() if not w.requires_grad],
        "done": run.done,
        "methods": methods,
        "optimizer": _pack(run.optimizer, "state", optimizer),
    }
    for key in KEYS:
        content[key] = _pack(getattr(run, key), key, own)
    for name, tensors in (("methods", stored), ("optimizer", optimizer), ("run", own)):
        _write(folder / f"{name}.safetensors", tensors)
    write_json(folder / "run.json", content)


def load(folder, build, method, stream, config, evaluate="test", device="auto"):
    """The Run that ``save`` wrote: ``training.run_stream(load(...), None, stream)`` goes on with it.

    build, method, stream, config, evaluate: as the run began with. device: where it will go on, "auto": CUDA if there.
    Raises ValueError if the folder holds no whole run, or one of a network of other shapes, or of another method,
    stream or settings.
    """
    folder, place = Path(folder), str(pick_device(device))
    try:
        content = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        shared, head, own = (load_file(folder / f"{name}.safetensors") for name in ("shared", "head", "run"))
        stored, optimizer = (load_file(folder / f"{name}.safetensors", place) for name in ("methods", "optimizer"))
        found = {key: _unpack(content[key], own) for key in KEYS}
        kinds = [kind for kind, _ in content["methods"]]
        then, frozen, packed_optimizer = content["settings"], content["frozen"], content["optimizer"]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ValueError(f"{folder} holds no whole run: {str(error).splitlines()[0]}") from None
    _compare(then, _settings(stream, config, evaluate), folder)
    model = Replicas(build, found["seeds"])
    target, source = model.weights | model.statistics, shared | head
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
    for m, (kind, values) in zip(methods, content["methods"], strict=True):
        restored = {key: _unpack(packed, stored) for key, packed in values.items() if not _left_out(packed)}
        arguments = [key for key in inspect.signature(type(m)).parameters if key in restored]
        _compare({k: restored[k] for k in arguments}, {k: getattr(m, k) for k in arguments}, folder, f"{kind} at ")
        vars(m).update(restored)
    found |= {"config": config, "evaluate": evaluate}
    return Run(model=model, methods=methods, optimizer=_unpack(packed_optimizer, optimizer), **found)


def _compare(then, now, folder, what=""):
    for key in now:
        was, value = (v.tolist() if isinstance(v, torch.Tensor) else v for v in (then.get(key), now[key]))
        if was != value:
            was = f"{what}{key}={was!r}, not {value!r}"
            raise ValueError(f"the run in {folder} was trained with {was}; delete the folder to start anew")


def _left_out(packed):
    return isinstance(packed, dict) and "left out" in packed


def _settings(stream, config, evaluate):
    tasks = [[task.name, list(task.labels), len(task.y_train), _digest(task)] for task in stream.tasks]
    data = {"stream": stream.name, "scenario": stream.scenario, "tasks": tasks, "evaluate": evaluate}
    return data | asdict(config)


def _digest(task):
    """Of 16 training images spread over the task, with their labels: tells other data from the same."""
    some = slice(None, None, max(1, len(task.y_train) // 16))
    parts = [value[some].cpu().numpy().tobytes() for value in (task.x_train, task.y_train)]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def _write(file, tensors):
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file)


def _numbers(both):
    return {key: [None if v != v else v for v in values] for key, values in both.items()}


def _pack(value, name, tensors, inner=False):
    """A value as JSON, its tensors put into ``tensors`` under names that begin with ``name``.

    A network or function is left out, to be made anew; within a list or dict that is not possible.
    """
    if isinstance(value, torch.Tensor):
        tensors[name] = value.detach().cpu().clone().contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[key, _pack(v, f"{name}/{key}", tensors, True)] for key, v in value.items()]}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_pack(v, f"{name}/{i}", tensors, True) for i, v in enumerate(value)]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if inner or not (isinstance(value, torch.nn.Module) or callable(value)):
        raise ValueError(f"{name} is a {type(value).__name__}, which cannot be written to disk")
    return {"left out": type(value).__name__}


def _unpack(packed, tensors):
    if not isinstance(packed, dict):
        return packed
    if "tensor" in packed:
        return tensors[packed["tensor"]]
    if "dict" in packed:
        return {key: _unpack(value, tensors) for key, value in packed["dict"]}
    kind = {"list": list, "tuple": tuple}[next(iter(packed))]
    return kind(_unpack(value, tensors) for value in packed[kind.__name__])
