"""What notebooks leave behind: figures with their tables, results.json, and the ledger of claims.

``python -m cf_utils.results`` writes the index of notebooks and the ledger into README.md, and brings the numbers that
prose quotes (``19.8%<!--=01 test accuracy/plain as .1%-->``) up to date in README.md and notebooks/percent.
"""

import csv
import json
import math
import os
import re
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import numpy as np

from cf_utils.metrics import interval, ratio_of_means

ROOT = Path(__file__).resolve().parents[1]
CLAIMS = ROOT / "notebooks" / "claims.csv"
LIMITS = ("above", "below", "within")
NUMBER = r"[-+]?\d+(?:\.\d+)?%?"
QUOTE = re.compile(
    rf"(?P<shown>{NUMBER}(?: ± {NUMBER})?)<!--=(?P<notebook>\d\d[a-z]?) (?P<key>[^>]+?) as (?P<form>\S+)-->"
)


def output_folder(out, notebook):
    """The folder that a notebook writes to: ``out`` if given, else ``out/NOTEBOOK`` in the project; made if missing."""
    folder = Path(out) if out else ROOT / "out" / notebook
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def atomic(path):
    """Yield a temporary path beside ``path`` that replaces it when the block ends well."""
    handle, name = tempfile.mkstemp(dir=Path(path).parent, prefix=f".{Path(path).stem}", suffix=Path(path).suffix)
    os.close(handle)
    os.chmod(name, 0o644)
    try:
        yield Path(name)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def summary(values):
    """``{"mean", "ci95", "n"}`` of one value a seed: ci95 is the half-width of the 95 % t-interval, null for n = 1."""
    values = np.asarray(values, dtype=float).ravel()
    mean, half = interval(values)
    return {"mean": _round(mean), "ci95": _round(half), "n": len(values)}


def plus_minus(values, form=".1f", unit=""):
    """One value a seed as text: ``97.1 ± 0.2 %``, mean and half-width of the 95 % interval."""
    both = summary(values)
    if both["mean"] is None:
        return "not measured"
    half = "" if both["ci95"] is None else f" ± {both['ci95']:{form.lstrip('+')}}"
    return f"{both['mean']:{form}}{half}{unit}"


def judge(mean, half, theirs, above=None, below=None, within=None):
    """The verdict on a claim from our mean and the half-width of its 95 % interval; the rule is that of ``claim``."""
    direction = (above is None or mean - half > above) and (below is None or mean + half < below)
    size = within is None or max(abs(mean - float(theirs)), half) <= within
    directed = above is not None or below is not None
    return "reproduced" if direction and size else "changed" if direction and directed else "not reproduced"


def claim(id, source, statement, theirs, ours, above=None, below=None, within=None):
    """One row of the ledger: a claim of a source, held against one value a seed (``ours``, ``[n]``).

    The direction holds if the whole 95 % interval of ours lies above ``above`` and below ``below``; the size holds if
    our mean is no further than ``within`` from the number ``theirs``, and the interval's half-width no larger.
    Verdict: reproduced if all that is given holds; changed if only the direction does; else not reproduced.
    Raises ValueError if there is nothing to test.
    """
    if above is None and below is None and within is None:
        raise ValueError(f"claim {id} tests nothing; give above, below or within")
    row = summary(ours)
    if row["mean"] is None or row["ci95"] is None:
        verdict = "not measured: one seed, or no number"
    else:
        verdict = judge(row["mean"], row["ci95"], theirs, above, below, within)
    names = ("id", "source", "statement", "theirs", "ours", "ci95", "n", "verdict")
    return dict(zip(names, (id, source, statement, theirs, row["mean"], row["ci95"], row["n"], verdict), strict=True))


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
    """Write results.json: ``numbers`` maps names to one value a seed (summarised), to plain numbers or to texts."""
    keep = {k: v if isinstance(v, str | int | float | dict) else summary(v) for k, v in sorted(numbers.items())}
    keep = {k: _round(v) if isinstance(v, float) else v for k, v in keep.items()}
    if len({row["id"] for row in claims}) < len(claims):
        raise ValueError("two claims have the same id")
    content = {
        "notebook": notebook,
        "dataset": dataset,
        "settings": settings,
        "seeds": list(seeds),
        "numbers": keep,
        "claims": claims,
    }
    _write_json(Path(folder) / "results.json", content)
    return content


def _write_json(file, content):
    with atomic(file) as path:
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


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
        ours = f"{_short(c['ours'])}{half} ({c['n']})"
        rule = rules.get(c["id"], "")
        lines.append(f"| {c['statement']} | {_short(c['theirs'])} | {ours} | {rule} | {c['verdict']} |")
    return "\n".join(lines)


def _rule(row):
    words = {"above": "> {:g}", "below": "< {:g}", "within": "within {:g}"}
    return ", ".join(form.format(row[key]) for key, form in words.items() if row[key] is not None)


def committed(root=ROOT):
    """The results.json of every committed notebook, by its number."""
    files = sorted((root / "figures").glob("*/results.json"))
    return {path.parent.name.split("_")[0]: json.loads(path.read_text(encoding="utf-8")) for path in files}


def fill(text, results):
    """``text`` with every quoted number brought up to date; ValueError for a quote of something that is not there."""

    def replace(match):
        numbers = results.get(match["notebook"], {}).get("numbers", {})
        if match["key"] not in numbers:
            raise ValueError(f"{match[0]} quotes a number that notebook {match['notebook']} does not save")
        value, form = numbers[match["key"]], match["form"]
        mean = value["mean"] if isinstance(value, dict) else value
        shown = format(mean, form.lstrip("±"))
        if form.startswith("±"):
            shown += f" ± {format(value['ci95'], form.lstrip('±'))}"
        return shown + match[0][len(match["shown"]) :]

    return QUOTE.sub(replace, text)


def _short(value):
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _round(value):
    """Six significant digits; None for NaN, which JSON lacks."""
    value = float(value)
    return None if math.isnan(value) else float(f"{value:.6g}")


def _between(text, name, content):
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if start not in text or end not in text:
        raise ValueError(f"README.md lacks the lines {start} and {end}")
    head, rest = text.split(start, 1)
    return f"{head}{start}\n{content}\n{end}{rest.split(end, 1)[1]}"


def index_table(root=ROOT):
    """The notebooks as a Markdown table: link and the question that the first cell asks."""
    lines = ["| notebook | question |", "|---|---|"]
    for path in sorted((root / "notebooks").glob("[0-9]*.ipynb")):
        first = nbformat.read(path, as_version=4).cells[0].source.splitlines()
        title = first[0].lstrip("# ").strip()
        question = next(line for line in first[1:] if line.strip()).strip().strip("*")
        lines.append(f"| [{title}](notebooks/{path.name}) | {question} |")
    return "\n".join(lines)


def ledger(results):
    """The README's ledger: what became of the claims, then each notebook's table."""
    claims = [row for result in results.values() for row in result["claims"]]
    counts = {v: sum(c["verdict"].split(":")[0] == v for c in claims) for v in ("reproduced", "changed")}
    rest = len(claims) - sum(counts.values())
    parts = [
        f"{len(claims)} claims: {counts['reproduced']} reproduced, {counts['changed']} changed, {rest} not reproduced."
    ]
    for result in results.values():
        title = f"{result['notebook']} ({result['dataset']}, {len(result['seeds'])} seeds)"
        table = claims_table(result["claims"])
        parts.append(f"<details><summary>{title}</summary>\n\n{table}\n\n</details>")
    return "\n\n".join(parts)


def render(text, results):
    """README's text with index, benchmark, ledger and quoted numbers brought up to date."""
    bench = ROOT / "figures" / "bench" / "bench.md"
    times = bench.read_text(encoding="utf-8").strip() if bench.exists() else "Not measured yet: `make bench`."
    text = _between(text, "index", index_table())
    text = _between(text, "bench", f"<details><summary>All ratios and times</summary>\n\n{times}\n\n</details>")
    return fill(_between(text, "ledger", ledger(results)), results)


def rejudge(content, file=CLAIMS):
    """A results.json with each claim's source, statement, verdict and reason as claims.csv has them now."""
    rows, claims = {row["id"]: row for row in claims_of(content["notebook"], file)}, []
    for old in content["claims"]:
        row = rows[old["id"]]
        verdict = judge(old["ours"], old["ci95"], row["theirs"], **{key: row[key] for key in LIMITS})
        verdict = f"{verdict}: {row['reason']}" if row["reason"] and verdict != "reproduced" else verdict
        fresh = {key: row[key] for key in ("source", "statement", "theirs")}
        claims.append(old | fresh | {"verdict": verdict})
    return content | {"claims": claims}


def main():
    for path in sorted((ROOT / "figures").glob("*/results.json")):
        _write_json(path, rejudge(json.loads(path.read_text(encoding="utf-8"))))
    results = committed()
    files = {ROOT / "README.md": render}
    published = [path for path in sorted(ROOT.glob("notebooks/percent/*.py")) if path.stem.split("_")[0] in results]
    files |= dict.fromkeys(published, fill)
    for file, update in files.items():
        before = file.read_text(encoding="utf-8")
        after = update(before, results)
        if after != before:
            with atomic(file) as path:
                path.write_text(after, encoding="utf-8")
    print(f"README.md: {len(results)} results.json, {sum(len(r['claims']) for r in results.values())} claims")


if __name__ == "__main__":
    main()
