"""Runs on disk: written as tasks end, read in place of training, exported for others."""

import copy
import inspect
import json
import time
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from cf_utils.files import atomic, locked, plain, write_json
from cf_utils.replicas import Replicas, digest
from cf_utils.training import Run, TrainConfig, count_outputs, proceed, run_stream, take_over

ARRAY = "numpy array"  # the key of a dict that stands for one in a file
KEYS = ("history", "accuracy", "epochs", "diverged", "optimizer", "rng")


def kept(
    folder,
    build,
    method,
    stream,
    config=None,
    seeds=range(10),
    evaluate="test",
    device="auto",
    first=None,
    until=None,
    head=None,
):
    """``training.run_stream`` that keeps the run in ``folder``, and goes on with what is there.

    A run that is there whole is read, so that a notebook executed again with the same settings
    trains nothing twice. What a method in the list records in its attributes is kept with it.
    first: a Run on the first task that the method takes over, in place of training it
    (``training.take_over``). until, head: as of ``run_stream``.
    Raises ValueError, and leaves the folder as it is, if it holds a run of other settings, network
    or data, and BlockingIOError if another process is at it.
    """
    config, folder = config or TrainConfig(), Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name(f".{folder.name}.lock")):
        if (folder / "run.json").exists():
            run = load(folder, build, method, stream, config, seeds, evaluate, head)
        else:
            run = run_stream(
                build, method, stream, config, seeds, device, evaluate=evaluate, until=0, head=head
            )
            if first is not None:
                run = _taken_over(run, first, method, stream, device)
                save(run, stream, folder)
        return _train_and_save(run, stream, len(stream) if until is None else until, device, folder)


def _train_and_save(run, stream, until, device, folder):
    """The run after ``until`` tasks, saved after each; after two, four, ... where they take less
    than a second, which writing would double.
    """
    at_once = 1
    try:
        while run.done < until:
            began = time.monotonic()
            run = proceed(run, stream, min(run.done + at_once, until), device)
            save(run, stream, folder)
            if time.monotonic() - began < 1:
                at_once *= 2
    except KeyboardInterrupt:
        kept = f"{run.done} of {len(stream)} tasks are kept in {folder}"
        raise KeyboardInterrupt(f"stopped; {kept}; the same call goes on from there") from None
    return run


def train_all(train, jobs):
    """``train(*job)`` of every job, tuple -> what it returns, in the order of ``jobs``.

    Processes that call it at the same time share the work, if ``train`` keeps its runs (``kept``):
    a job that another one is at comes last, and is read once it is there.
    """
    found = {}
    while left := [job for job in jobs if job not in found]:
        for job in left:
            with suppress(BlockingIOError):
                found[job] = train(*job)
        if len(found) < len(jobs):
            time.sleep(0.5)
    return {job: found[job] for job in jobs}


def kept_result(file, settings, compute):
    """``compute()``, kept in ``file``, so that a notebook executed again goes on where it was.

    For what a training leaves besides the run: numbers, texts, lists, dicts, tensors and arrays
    (tensors come back on the CPU). settings: dict of what it depends on. Nothing in the file is
    executed. Raises ValueError, and leaves the file, if it was computed at other settings or
    cannot be read, and ValueError if ``compute`` returns what cannot be written.
    """
    file, told = Path(file), plain(settings)
    if not file.exists():
        kept = {"settings": told, "result": _plain(compute(), "result")}
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic(file) as path:
            torch.save(kept, path)
    try:
        kept = torch.load(file, "cpu", weights_only=True)
        then, result = kept["settings"], kept["result"]
    except Exception:  # a damaged file raises nearly anything
        raise ValueError(f"{file} holds no kept result; delete it to compute it anew") from None
    _compare(then, told, file, "result", "file")
    return _arrays(result)


def _taken_over(run, first, method, stream, device):
    """The method's run after the first task.

    Raises ValueError if ``first`` is not of the same network, seeds and settings.
    """
    if run.config.fresh_optimizer:  # which is the same on the first task
        first = replace(first, config=replace(first.config, fresh_optimizer=True), optimizer=None)
    for key in ("start", "seeds", "config", "evaluate"):
        if getattr(first, key) != getattr(run, key):
            raise ValueError(
                f"the first task was trained with another {key}, so this method can't take it over"
            )
    return take_over(first, method, stream, device)


def save(run, stream, folder):
    """Write what it takes to go on with a run: ``run.json``, what it is a run of, and ``run.pt``,
    how far it has come.

    Both are written whole or not at all. Raises ValueError, and writes nothing, if the folder holds
    another run than an earlier or later state of this one, or if a method stores what cannot be
    written.
    """
    folder = Path(folder)
    told, there = _told(run, run.methods, stream, run.config, run.evaluate), folder / "run.json"
    if there.exists():
        _compare(json.loads(there.read_text(encoding="utf-8")), told, folder)
    state = {key: _plain(getattr(run, key), key) for key in KEYS}
    state["weights"] = _plain(run.model.weights, "model")
    state["statistics"] = _plain(run.model.statistics, "model")
    state["frozen"] = [name for name, w in run.model.weights.items() if not w.requires_grad]
    state["methods"] = [_state(method, str(i)) for i, method in enumerate(run.methods)]
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / "run.pt") as path:
        torch.save(state, path)
    write_json(there, told)


def load(folder, build, method, stream, config, seeds=None, evaluate="test", head=None):
    """The Run that ``save`` wrote; ``training.proceed(load(...), stream)`` goes on with it.

    build, method, stream, config, evaluate, head: as the run began with; seeds: too, None for
    whichever it had. All of it is on the CPU until it goes on. Nothing in the files is executed.
    Raises ValueError if the folder holds no whole run, or one of another network, method, stream or
    settings.
    """
    folder = Path(folder)
    try:
        told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        state = torch.load(folder / "run.pt", "cpu", weights_only=True)
        weights, statistics, frozen, stored = (
            state[key] for key in ("weights", "statistics", "frozen", "methods")
        )
        of_run = {key: state[key] for key in KEYS}
        seeds = told["seeds"] if seeds is None else seeds
    except Exception as error:  # a damaged file raises nearly anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"{folder} holds no whole run: {reason}") from None
    model = Replicas(build, seeds, head)
    methods = [copy.deepcopy(m) for m in (method if isinstance(method, list | tuple) else [method])]
    known = {"seeds": model.seeds, "methods": methods, "config": config, "evaluate": evaluate}
    run = Run(model=model, start=digest(model.weights), **known, **of_run)
    _compare(told, _told(run, run.methods, stream, config, evaluate), folder)
    with torch.no_grad():
        for name, value in (model.weights | model.statistics).items():
            value.copy_((weights | statistics)[name])
    for name in frozen:
        model.weights[name].requires_grad_(False)
    count_outputs(model, stream)  # and the head, which export needs
    for one, values in zip(run.methods, stored, strict=True):
        _restore(one, _arrays(values), folder)
    return run


def export(run, stream, folder):
    """Write what a run has learned for others to use, in safetensors and JSON.

    A folder that is there is added to. shared.safetensors: all weights and statistics but the last
    layer's; for each task trained task_1/head.safetensors, the last layer's rows for its classes,
    classes.json, their names and outputs, and performance.json, the accuracy right after the task
    and now, one a replica; importances.safetensors: of the methods that hold weights.
    """
    folder = Path(folder)
    shared = _plain(run.model.weights | run.model.statistics, "model")
    head = {name: (shared.pop(name), made) for name, made in run.model.head.items()}
    for t, task in enumerate(stream.tasks[: run.done]):
        place, labels = folder / f"task_{t + 1}", list(task.labels)
        place.mkdir(parents=True, exist_ok=True)
        rows = {name: _rows(value, made, labels) for name, (value, made) in head.items()}
        _write_tensors(
            {name: value for name, value in rows.items() if value.numel()},
            place / "head.safetensors",
        )
        classes = [stream.images.classes[label] for label in labels]
        write_json(
            place / "classes.json", {"task": task.name, "outputs": labels, "classes": classes}
        )
        both = {
            "right after": run.accuracy[:, t + 1, t].tolist(),
            "now": run.accuracy[:, -1, t].tolist(),
        }
        # JSON has no NaN.
        both = {key: [None if v != v else v for v in values] for key, values in both.items()}
        write_json(place / "performance.json", both)
    folder.mkdir(parents=True, exist_ok=True)
    _write_tensors(shared, folder / "shared.safetensors")
    held = [method.springs for method in run.methods if getattr(method, "anchored", False)]
    found = {
        n: v for springs in held for n, v in _plain(springs.importance or {}, "importance").items()
    }
    _write_tensors(found, folder / "importances.safetensors")


def _rows(value, made, labels):
    """The rows of a head's weight that make these outputs; all of a weight that has no rows."""
    if made is None:
        return value
    rows = [label - made.start for label in labels if made.start <= label < made.stop]
    return value[:, rows].contiguous()


def _write_tensors(tensors, file):
    with atomic(file) as path:
        save_file(tensors, path)


def _told(run, methods, stream, config, evaluate):
    """What a run is one of: whatever decides how it goes on, as JSON keeps it."""
    parts = ("x_train", "y_train", f"x_{evaluate}", f"y_{evaluate}")
    told = {
        "seeds": run.seeds,
        "network": str(run.model.replica(0)).splitlines(),
        "start": run.start,
        "stream": f"{stream.name}, {stream.scenario}-incremental",
        "tasks": [
            [task.name, list(task.labels), digest({p: getattr(task, p) for p in parts})]
            for task in stream.tasks
        ],
        "evaluate": evaluate,
        "head": run.model.named,
        "methods": [type(method).__name__ for method in methods],
    }
    for i, method in enumerate(methods):
        names = [
            name for name in inspect.signature(type(method)).parameters if name in vars(method)
        ]
        told |= {
            f"{i}/{type(method).__name__} {name}": _json(getattr(method, name)) for name in names
        }
    return told | asdict(config)


def _json(value):
    value = value.tolist() if isinstance(value, torch.Tensor) else value
    return [_json(v) for v in value] if isinstance(value, list | tuple | range) else value


def _compare(then, now, place, what="run", whole="folder"):
    for key in [*now, *then]:
        was, value = then.get(key), now.get(key)
        if was != value:
            shown = "" if len(f"{was}{value}") > 200 else f": {was!r}, not {value!r}"
            key = key.partition("/")[2] or key
            raise ValueError(
                f"the {what} in {place} was trained with another "
                f"{key}{shown}; delete the {whole} to start anew"
            )


def _state(thing, name):
    """Attributes of a method, or of what it holds.

    Networks and functions, made anew, are left out.
    """
    return {
        key: _plain(value, f"{name}/{key}")
        for key, value in vars(thing).items()
        if not callable(value)
    }


def _restore(thing, values, folder):
    for key, value in values.items():
        own = getattr(thing, key, None)
        if not type(own).__module__.startswith("cf_utils"):
            setattr(thing, key, value)
        elif isinstance(value, dict):
            _restore(own, value, folder)
        else:
            raise ValueError(
                f"the run in {folder} is of an older cf_utils, "
                f"with another {key}; delete the folder"
            )


def _plain(value, name):
    """A value that torch.load reads with weights_only, its tensors copied to the CPU.

    ``name`` is for the error.
    """
    if value is None:
        return None
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone().contiguous()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {ARRAY: torch.from_numpy(value.copy())}
    if isinstance(value, dict):
        return {_plain(key, name): _plain(v, f"{name}/{key}") for key, v in value.items()}
    for kind in (list, tuple):
        if isinstance(value, kind):
            return kind(_plain(v, f"{name}/{i}") for i, v in enumerate(value))
    for kind in (bool, int, float, str):  # also plain ones of numpy's
        if isinstance(value, kind):
            return kind(value)
    if type(value).__module__.startswith("cf_utils"):  # such as a method's Quadratic
        return _state(value, name)
    raise ValueError(f"{name} is a {type(value).__name__}, which cannot be written to disk")


def _arrays(value):
    """A value with the arrays that ``_plain`` wrote as tensors."""
    if isinstance(value, dict):
        if [*value] == [ARRAY]:
            return value[ARRAY].numpy()
        return {key: _arrays(v) for key, v in value.items()}
    return type(value)(map(_arrays, value)) if isinstance(value, list | tuple) else value
