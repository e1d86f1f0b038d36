"""Claims: what a source or a prediction says, the rule that decides it, and what became of it."""

import csv
from contextlib import suppress

import numpy as np

from cf_utils.files import ROOT
from cf_utils.metrics import ratio_of_means
from cf_utils.results import summary

CLAIMS = ROOT / "notebooks" / "claims.csv"
LIMITS = ("above", "below", "within")


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
