"""What notebooks leave behind: figures with their tables, and results.json with its claims."""

import csv
import math
import os
from contextlib import suppress
from pathlib import Path

import numpy as np

from cf_utils.files import atomic, plain, write_json
from cf_utils.metrics import interval, ratio_of_means

ROOT = Path(__file__).resolve().parents[1]
CLAIMS = ROOT / "notebooks" / "claims.csv"
LIMITS = ("above", "below", "within")


def output_folder(out, notebook):
    """The folder that a notebook writes to: ``out`` if given, else ``out/NOTEBOOK`` in the project; made if missing.

    ``~`` is the home folder. Raises ValueError if it cannot be made or written to.
    """
    folder = Path(out or ROOT / "out" / notebook).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"out = {str(folder)!r} cannot be made ({error.strerror}); name a folder, or leave it empty"
        raise ValueError(message) from None
    if not os.access(folder, os.W_OK):
        raise ValueError(f"out = {str(folder)!r} cannot be written to; name another folder, or leave it empty")
    return folder


def summary(values):
    """``{"mean", "ci95", "n"}`` of one value a seed: ci95 is the half-width of the 95 % t-interval, null for n = 1.

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


def judge(mean, half, theirs, above=None, below=None, within=None):
    """The verdict on a claim from our mean and the half-width of its 95 % interval; the rule is that of ``claim``."""
    if mean is None or half is None:
        return "not measured: one seed, or no number"
    direction = (above is None or mean - half > above) and (below is None or mean + half < below)
    size = within is None or max(abs(mean - float(theirs)), half) <= within
    changed = direction and (above, below) != (None, None)
    return "reproduced" if direction and size else "changed" if changed else "not reproduced"


def claim(id, source, statement, theirs, ours, above=None, below=None, within=None):
    """One row of the ledger: a claim of a source, held against one value a seed (``ours``, ``[n]``).

    The direction holds if the whole 95 % interval of ours lies above ``above`` and below ``below``; the size holds if
    our mean is no further than ``within`` from the number ``theirs``, and the interval's half-width no larger.
    Verdict: reproduced if all that is given holds; changed if only the direction does; else not reproduced.
    Raises ValueError if there is nothing to test.
    """
    if above is None and below is None and within is None:
        raise ValueError(f"claim {id} tests nothing; give above, below or within")
    values = summary(ours)
    mean, half = values["mean"], values["ci95"]
    verdict = judge(mean, half, theirs, above, below, within)
    row = {"id": id, "source": source, "statement": statement, "theirs": theirs}
    return row | {"ours": mean, "ci95": half, "n": values["n"], "verdict": verdict}


def claims_of(notebook, file=CLAIMS):
    """The rows of claims.csv whose ids start with the notebook's number (all for ""), as dicts.

    Columns: id, source, statement, theirs (number or text), ours (the name of a number that the notebook saves, or two
    of them as ``a − b`` or ``a ÷ b``), above, below, within, reason (why a claim fails).
    """
    with open(file, newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["id"].startswith(notebook and f"{notebook}-")]
    for row in rows:
        row |= {key: float(row[key]) if row[key] else None for key in LIMITS}
        with suppress(ValueError):
            row["theirs"] = float(row["theirs"])
    return rows


def read_claims(notebook, numbers, file=CLAIMS):
    """The ledger's rows of one notebook: claims.csv says what is claimed and tested, ``numbers`` holds our values.

    numbers: name -> one value a seed. Raises ValueError for a claim on a number that is not there.
    """
    keys = ("id", "source", "statement", "theirs", *LIMITS)
    return [claim(**{key: row[key] for key in keys}, ours=_ours(row, numbers)) for row in claims_of(notebook, file)]


def _ours(row, numbers):
    for sign, operation in ((" − ", np.subtract), (" ÷ ", ratio_of_means)):
        names = row["ours"].split(sign)
        if len(names) == 2 and all(name in numbers for name in names):
            return operation(*(np.asarray(numbers[name], dtype=float) for name in names))
    if row["ours"] not in numbers:
        raise ValueError(f"claims.csv: {row['id']} rests on {row['ours']!r}, which the notebook does not save")
    return numbers[row["ours"]]


def save_run(folder, notebook, dataset, settings, seeds, numbers, claims):
    """Write results.json: ``numbers`` maps names to one value a seed (summarised), to plain numbers or to texts.

    Returns what reading the file gives. A plain number that is infinite becomes the text "Infinity".
    """
    numbers = {k: v.item() if isinstance(v, np.generic) else v for k, v in sorted(numbers.items())}
    keep = {k: v if isinstance(v, str | int | float | dict) else summary(v) for k, v in numbers.items()}
    keep = {k: _round(v) if isinstance(v, float) else v for k, v in keep.items()}
    if len({row["id"] for row in claims}) < len(claims):
        raise ValueError("two claims have the same id")
    content = {"notebook": notebook, "dataset": dataset, "settings": settings, "seeds": list(seeds)}
    content = plain(content | {"numbers": keep, "claims": claims})
    write_json(Path(folder) / "results.json", content)
    return content


def save_figure(fig, folder, name, table, caption):
    """Write the figure as ``name.png``, with ``caption`` under it, and its numbers (a DataFrame) as ``name.csv``."""
    fig.text(0.005, -0.01, caption, ha="left", va="top", fontsize=9, color="0.3", wrap=False)
    with atomic(Path(folder) / f"{name}.png") as path:
        fig.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})
    with atomic(Path(folder) / f"{name}.csv") as path:
        table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")


def claims_table(claims, file=CLAIMS):
    """Claims as a Markdown table, with the rule that decides each; for a notebook's end and the README."""
    lines = ["| claim | theirs | ours (95 % interval, seeds) | holds if | verdict |", "|---|---|---|---|---|"]
    rules = {row["id"]: _rule(row) for row in claims_of("", file)}
    for c in claims:
        half = "" if c["ci95"] is None else f" ± {_short(c['ci95'])}"
        cells = c["statement"], _short(c["theirs"]), f"{_short(c['ours'])}{half} ({c['n']})", rules.get(c["id"], "")
        lines.append(f"| {' | '.join(cells)} | {c['verdict']} |")
    return "\n".join(lines)


def _rule(row):
    words = {"above": "> {:g}", "below": "< {:g}", "within": "within {:g}"}
    return ", ".join(form.format(row[key]) for key, form in words.items() if row[key] is not None)


def _short(value):
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _round(value):
    """Six significant digits; None for NaN, which JSON lacks."""
    value = float(value)
    return None if math.isnan(value) else float(f"{value:.6g}")
