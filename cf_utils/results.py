"""What notebooks leave behind: figures with their tables, and results.json."""

import csv
import math
import os
from pathlib import Path

import numpy as np

from cf_utils.files import ROOT, atomic, plain, write_json
from cf_utils.metrics import interval


def output_folder(out, notebook):
    """The folder that a notebook writes to: ``out`` if given, else ``out/NOTEBOOK`` in the project.

    Made if missing.
    ``~`` is the home folder. Raises ValueError if it cannot be made or written to.
    """
    folder = Path(out or ROOT / "out" / notebook).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"out = {str(folder)!r} cannot be made ({error.strerror})"
        raise ValueError(f"{message}; name a folder, or leave it empty") from None
    if not os.access(folder, os.W_OK):
        raise ValueError(
            f"out = {str(folder)!r} cannot be written to; name another folder, or leave it empty"
        )
    return folder


def summary(values):
    """``{"mean", "ci95", "n"}`` of one value a seed:
    ci95 is the half-width of the 95 % t-interval, null for n = 1.

    Infinite values have no mean in JSON: it is null, and a text ``note`` says how many they were.
    """
    values = np.asarray(values, dtype=float).ravel()
    if infinite := int(np.isinf(values).sum()):
        note = f"{infinite} of {len(values)} values infinite"
        return {"mean": None, "ci95": None, "n": len(values), "note": note}
    mean, half = interval(values)
    return {"mean": _round(mean), "ci95": _round(half), "n": len(values)}


def plus_minus(values, form=".1f", unit=""):
    """One value a seed as text: ``97.1 ± 0.2 %``, mean and half-width of the 95 % interval."""
    row = summary(values)
    mean, half = row["mean"], row["ci95"]
    if mean is None:
        return row.get("note", "not measured")
    width = "" if half is None else f" ± {half:{form.lstrip('+')}}"
    return f"{mean:{form}}{width}{unit}"


def save_run(folder, notebook, dataset, settings, seeds, numbers, claims):
    """Write results.json: ``numbers`` maps names to one value a seed (summarised),
    to plain numbers or to texts.

    Beside it runs.csv, with every value that has a seed. Returns what reading results.json gives. A
    plain number that is infinite becomes the text "Infinity".
    """
    numbers = {k: v.item() if isinstance(v, np.generic) else v for k, v in sorted(numbers.items())}
    keep = {
        k: v if isinstance(v, str | int | float | dict) else summary(v) for k, v in numbers.items()
    }
    keep = {k: _round(v) if isinstance(v, float) else v for k, v in keep.items()}
    if len({row["id"] for row in claims}) < len(claims):
        raise ValueError("two claims have the same id")
    content = {"notebook": notebook, "dataset": dataset, "settings": settings, "seeds": list(seeds)}
    content = plain(content | {"numbers": keep, "claims": claims})
    write_json(Path(folder) / "results.json", content)
    write_runs(Path(folder) / "runs.csv", content["seeds"], numbers)
    return content


def write_runs(file, seeds, numbers):
    """Write runs.csv: measure, arm, task, seed, value.

    One row for each value of the numbers that have one a seed. "accuracy task 2/EWC" is the measure
    accuracy of the arm EWC on task 2. Where there are more or fewer values than seeds, seed counts
    from 0.
    """
    rows = [("measure", "arm", "task", "seed", "value")]
    for name, values in numbers.items():
        if not isinstance(values, str | int | float | dict):
            values = np.asarray(values, dtype=float).ravel()
            measure, _, arm = name.partition("/")
            measure, _, task = measure.partition(" task ")
            who = seeds if len(values) == len(seeds) else range(len(values))
            rows += [(measure, arm, task, s, f"{v:.9g}") for s, v in zip(who, values, strict=True)]
    with atomic(file) as path, open(path, "w", newline="", encoding="utf-8") as out:
        csv.writer(out, lineterminator="\n").writerows(rows)


def read_runs(file):
    """The numbers that ``write_runs`` wrote: name -> one value a seed."""
    numbers = {}
    with open(file, newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            name = (
                row["measure"]
                + (f" task {row['task']}" if row["task"] else "")
                + (f"/{row['arm']}" if row["arm"] else "")
            )
            numbers.setdefault(name, []).append(float(row["value"]))
    return numbers


def save_figure(fig, folder, name, table, caption):
    """Write the figure as ``name.png``, with ``caption`` under it,
    and its numbers (a DataFrame) as ``name.csv``.

    The figure keeps the layout that it then has: to show it finds no other, which takes as long as
    drawing.
    """
    fig.text(0.005, -0.01, caption, ha="left", va="top", fontsize=9, color="0.3", wrap=False)
    with atomic(Path(folder) / f"{name}.png") as path:
        fig.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})
    fig.set_layout_engine("none")
    with atomic(Path(folder) / f"{name}.csv") as path:
        table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")


def _round(value):
    """Six significant digits; None for NaN, which JSON lacks."""
    value = float(value)
    return None if math.isnan(value) else float(f"{value:.6g}")
