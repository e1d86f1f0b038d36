"""Claims: what a source or a prediction says, the rule that decides it, and what became of it.

A row of claims.csv has the columns id, source, kind, statement, theirs, n_theirs, ours, above,
below, within, reason.

kind: "source", a number or direction that somebody published; "prediction", written before the run;
"exploratory", after looking; "check", an identity that tests the code and is not counted.
theirs: their number, or a text; n_theirs: how many runs it is the mean of (empty: one).
ours: the name of a number that the notebook saves, or two of them as ``a − b`` or ``a ÷ b``.
above, below: the limits of a direction. within: the largest difference from ``theirs`` that is
still called the same. reason: why a claim fails.
"""

import csv
from contextlib import suppress

import numpy as np
from scipy import stats

from cf_utils.files import ROOT, plain
from cf_utils.metrics import ratio_of_means
from cf_utils.results import summary
from cf_utils.settings import Computed, default_parameters, read_sections

CLAIMS = ROOT / "notebooks" / "claims.csv"
FULL = ROOT / "notebooks" / "settings" / "full.yaml"
KINDS = ("source", "prediction", "exploratory", "check")
VERDICTS = ("reproduced", "not reproduced", "changed", "undecided")
NOT_DECIDED = "not decided at these settings"
INERT = ("out", "threads")  # parameters that leave what is claimed as it is, up to rounding
LIMITS = ("above", "below", "within")


def judge(row, mean, half, n):
    """The verdict on a claim: one of VERDICTS, or "not measured" without an interval.

    row: of ``claims_of``. mean, half, n: of ours, the half-width of its 95 % interval, and how many
    values it rests on. A direction is decided by the whole interval, a number by ``same_number``.
    Both together: reproduced if both hold, changed if the direction alone does. What can be neither
    affirmed nor denied is undecided.
    """
    if mean is None or half is None:
        return "not measured"
    direction = _direction(mean - half, mean + half, row["above"], row["below"])
    number = None if row["within"] is None else same_number(row, mean, half, n)
    if direction == "holds" and number == "fails":
        return "changed"
    found = [one for one in (direction, number) if one]
    if direction in ("fails", "undecided"):
        found = [direction]
    if "fails" in found:
        return "not reproduced"
    return "undecided" if "undecided" in found else "reproduced"


def _direction(low, high, above, below):
    """Is an interval beyond the limits: "holds", "fails" or "undecided"; None without limits."""
    if above is None and below is None:
        return None
    if (above is None or low > above) and (below is None or high < below):
        return "holds"
    beyond = (above is not None and high <= above) or (below is not None and low >= below)
    return "fails" if beyond else "undecided"


def same_number(row, mean, half, n):
    """Whether ours and theirs are the same number to ``within``: "holds", "fails" or "undecided".

    With d the difference and w the half-width of its 95 % interval, ``half`` * sqrt(n / n_theirs +
    1), which for a prediction of ours and for "no effect" (theirs 0) is ``half``: the same if d + w
    <= within, or if d <= w <= within (theirs is where one more run of ours might fall, and that
    range is narrow); another if d is larger than both.
    """
    gap, theirs = abs(mean - row["theirs"]), n / row["n_theirs"]
    exact = row["kind"] != "source" or row["theirs"] == 0
    width = half if exact else half * float(np.sqrt(theirs + 1))
    if gap + width <= row["within"] or gap <= width <= row["within"]:
        return "holds"
    return "fails" if gap > max(width, row["within"]) else "undecided"


def p_value(row, mean, half, n):
    """Two-sided p of the t-test of our mean against the direction's limit.

    None for a claim without one limit.
    """
    limits = [row[key] for key in ("above", "below") if row[key] is not None]
    if len(limits) != 1 or mean is None or not half or n < 2:
        return None
    error = half / stats.t.ppf(0.975, n - 1)
    return float(2 * stats.t.sf(abs(mean - limits[0]) / error, n - 1))


def holm(p):
    """p-values adjusted for their number (Holm 1979), in the order given; None stays None."""
    known = sorted((value, i) for i, value in enumerate(p) if value is not None)
    adjusted, least = list(p), 0.0
    for rank, (value, i) in enumerate(known):
        least = max(least, min(1.0, (len(known) - rank) * value))
        adjusted[i] = least
    return adjusted


def claims_of(notebook, file=CLAIMS):
    """The rows of claims.csv whose ids start with the notebook's number (all for ""),
    as dicts with numbers as numbers.

    Raises ValueError for a row of an unknown kind, one that tests nothing, or a ``within`` of
    something that is not a number.
    """
    with open(file, newline="", encoding="utf-8") as lines:
        rows = [
            row
            for row in csv.DictReader(lines)
            if row["id"].startswith(notebook and f"{notebook}-")
        ]
    for row in rows:
        row |= {key: float(row[key]) if row[key] else None for key in LIMITS}
        row["n_theirs"] = float(row["n_theirs"] or 1)
        with suppress(ValueError):
            row["theirs"] = float(row["theirs"])
        _check(row)
    return rows


def _check(row):
    name = f"claims.csv: {row['id']}"
    if row["kind"] not in KINDS:
        raise ValueError(f"{name} is of the kind {row['kind']!r}; known are {', '.join(KINDS)}")
    if all(row[key] is None for key in LIMITS):
        raise ValueError(f"{name} tests nothing; give above, below or within")
    if row["within"] is not None and not isinstance(row["theirs"], float):
        raise ValueError(
            f"{name} has within={row['within']:g}, but theirs={row['theirs']!r} is no number"
        )


def read_claims(notebook, numbers, parameters, file=CLAIMS, full=FULL):
    """What became of a notebook's claims: one dict for each row of claims.csv, in its order.

    numbers: name -> one value a seed. parameters: a mapping that has the notebook's variables,
    ``globals()``. Where one of them has another value than in the full run (``full_parameters``),
    every verdict is NOT_DECIDED, and each dict has the names of those that differ as ``differ``.
    Raises ValueError for a claim on a number that is not there.
    """
    found = [decided(row, numbers) for row in claims_of(notebook, file)]
    if not (differ := differing(notebook, parameters, full)):
        return found
    return [row | {"verdict": NOT_DECIDED, "reason": "", "differ": differ} for row in found]


def differing(notebook, parameters, full=FULL):
    """Names of the parameters, INERT ones left out, whose values are not those of the full run.

    A list equals a tuple.
    """
    return [
        name
        for name, value in full_parameters(notebook, full).items()
        if name not in INERT and (name not in parameters or plain(parameters[name]) != plain(value))
    ]


def full_parameters(notebook, full=FULL):
    """Name -> value of every parameter in the full run of the notebook with this number.

    They are the notebook's own in ``percent/``, and in their place those of the settings file
    ``full``: its section for all notebooks, for this number and for its name. Of what only running
    the notebook would tell there is nothing.
    """
    import jupytext  # late: it takes a while

    sections, own, given = read_sections(full), {}, {}
    files = sorted(full.parents[1].glob(f"percent/{notebook}_*.py"))
    for file in files:
        own |= default_parameters(jupytext.read(file))
    for section in ("all", notebook, *(file.stem for file in files)):
        given |= sections.get(section, {})
    return {k: v for k, v in own.items() if not isinstance(v, Computed)} | given


def decided(row, numbers):
    """What results.json keeps of a row of ``claims_of``, by the numbers that it rests on."""
    found = summary(_ours(row, numbers))
    return told(row, found["mean"], found["ci95"], found["n"])


def told(row, mean, half, n):
    """What results.json keeps of a row of ``claims_of``:
    mean, interval and number of ours, and the verdict.
    """
    kept = {key: row[key] for key in ("id", "source", "kind", "statement", "theirs")}
    kept["rests_on"] = row["ours"]
    verdict = judge(row, mean, half, n)
    reason = "" if verdict == "reproduced" else row["reason"]
    return kept | {"ours": mean, "ci95": half, "n": n, "verdict": verdict, "reason": reason}


def _ours(row, numbers):
    for sign, operation in ((" − ", np.subtract), (" ÷ ", ratio_of_means)):
        names = row["ours"].split(sign)
        if len(names) == 2 and all(name in numbers for name in names):
            return operation(*(np.asarray(numbers[name], dtype=float) for name in names))
    if row["ours"] not in numbers:
        raise ValueError(
            f"claims.csv: {row['id']} rests on {row['ours']!r}, which the notebook does not save"
        )
    return numbers[row["ours"]]


def claims_table(claims, file=CLAIMS, p=()):
    """Claims as a Markdown table with source, kind, rule and reason.

    Above it, where ``read_claims`` decided nothing, a sentence that says why. p: adjusted p-values,
    one a claim, or none.
    """
    head = [
        "claim",
        "source",
        "kind",
        "theirs",
        "ours (95 % interval, seeds)",
        "holds if",
        "verdict",
    ]
    head += ["p (Holm)"] if p else []
    differ = claims[0].get("differ") if claims else None
    lines = [_not_full(differ), ""] if differ else []
    lines += [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    rules = {row["id"]: _rule(row) for row in claims_of("", file)}
    for i, c in enumerate(claims):
        half = "" if c["ci95"] is None else f" ± {_short(c['ci95'])}"
        verdict = f"{c['verdict']}: {c['reason']}" if c["reason"] else c["verdict"]
        cells = [
            c["statement"],
            c["source"],
            c["kind"],
            _short(c["theirs"]),
            f"{_short(c['ours'])}{half} ({c['n']})",
        ]
        cells += [rules.get(c["id"], ""), verdict]
        if p:
            cells.append("" if p[i] is None else f"{p[i]:.2g}" if p[i] >= 1e-4 else "< 0.0001")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _not_full(differ):
    """What is above a table of claims that are not decided; names three parameters at most."""
    named, more = [f"`{name}`" for name in differ[:3]], len(differ) - 3
    named += [f"{more} more"] if more > 0 else []
    listed = " and ".join([", ".join(named[:-1]), named[-1]] if named[1:] else named)
    verb = "differs" if len(differ) == 1 else "differ"
    return f"These are not the full settings, which decide the claims: {listed} {verb}."


def _rule(row):
    words = {"above": "> {:g}", "below": "< {:g}", "within": "within {:g}"}
    return ", ".join(form.format(row[key]) for key, form in words.items() if row[key] is not None)


def _short(value):
    if not isinstance(value, int | float):
        return "" if value is None else str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
