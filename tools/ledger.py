"""``python -m tools.ledger``: bring README.md, LEDGER.md and notebooks up to date.

Judges every claim anew by claims.csv, from runs.csv where the notebook left one; writes the tables
of claims into LEDGER.md and the notebooks, counts and the index of notebooks into README.md; and
fills in the numbers that prose quotes (``19.8%<!--=01 test accuracy/plain as .1%-->``) in README.md
and notebooks/percent.
"""

import csv
import json
import re

import nbformat

from cf_utils.claims import CLAIMS, VERDICTS, claims_of, claims_table, decided, holm, p_value, told
from cf_utils.files import ROOT, atomic, write_json
from cf_utils.results import read_runs

FIRST = ROOT / "notebooks" / "first_verdicts.csv"
NUMBER = r"[-+]?\d+(?:\.\d+)?%?"
QUOTE = re.compile(
    rf"(?P<shown>{NUMBER}(?: ± {NUMBER})?)"
    r"<!--=(?P<notebook>\d\d[a-z]?) (?P<key>[^>]+?) as (?P<form>\S+)-->"
)


def runs_of(folder):
    """The numbers of a notebook's runs.csv, in its folder of figures; None if it has left none."""
    return read_runs(folder / "runs.csv") if (folder / "runs.csv").exists() else None


def committed(root=ROOT):
    """The results.json of every committed notebook, by its number."""
    files = sorted((root / "figures").glob("*/results.json"))
    return {
        path.parent.name.split("_")[0]: json.loads(path.read_text(encoding="utf-8"))
        for path in files
    }


def fill(text, results):
    """``text`` with every quoted number brought up to date.

    Raises ValueError for a quote of something that is not there.
    """

    def replace(match):
        numbers = results.get(match["notebook"], {}).get("numbers", {})
        if match["key"] not in numbers:
            raise ValueError(
                f"{match[0]} quotes a number that notebook {match['notebook']} does not save"
            )
        value, form = numbers[match["key"]], match["form"]
        mean = value["mean"] if isinstance(value, dict) else value
        shown = format(mean, form.lstrip("±"))
        if form.startswith("±"):
            shown += f" ± {format(value['ci95'], form.lstrip('±'))}"
        return shown + match[0][len(match["shown"]) :]

    return QUOTE.sub(replace, text)


def _between(text, name, content):
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if start not in text or end not in text:
        raise ValueError(f"README.md lacks the lines {start} and {end}")
    head, rest = text.split(start, 1)
    return f"{head}{start}\n{content}\n{end}{rest.split(end, 1)[1]}"


def index_list(root=ROOT):
    """The notebooks as a Markdown list, which a phone has room for: link and the question that the
    first cell asks.
    """
    lines = []
    for path in sorted((root / "notebooks").glob("[0-9]*.ipynb")):
        first = nbformat.read(path, as_version=4).cells[0].source.splitlines()
        title = first[0].lstrip("# ").strip()
        question = next(line for line in first[1:] if line.strip()).strip().strip("*")
        lines.append(f"- [{title}](notebooks/{path.name}): {question}")
    return "\n".join(lines)


def counts(claims):
    """ "686 claims: 301 reproduced, …", checks left out."""
    counted = [claim["verdict"] for claim in claims if claim["kind"] != "check"]
    parts = [f"{counted.count(verdict)} {verdict}" for verdict in VERDICTS]
    if missing := len(counted) - sum(counted.count(verdict) for verdict in VERDICTS):
        parts.append(f"{missing} not measured")
    return f"{len(counted)} claims: {', '.join(parts)}."


def section(result, rows):
    """One notebook's part of LEDGER.md; rows: id -> row of claims.csv."""
    claims = result["claims"]
    p = holm([p_value(rows[c["id"]], c["ours"], c["ci95"], c["n"]) for c in claims])
    tested = sum(value is not None for value in p)
    chance = (
        f"{tested} name a direction with one limit; about {0.025 * tested:.1f} of these would hold "
        "by chance alone"
    )
    lines = [
        f"## {result['notebook']} ({result['dataset']}, {len(result['seeds'])} seeds)",
        f"{counts(claims)} {chance}, and as many fail.",
        claims_table(claims, p=p),
    ]
    return "\n\n".join(lines)


def ledger(results):
    """LEDGER.md: what became of all claims, and each notebook's table."""
    claims, rows = [c for result in results.values() for c in result["claims"]], claims_by_id()
    intro = (
        "# Ledger of claims\n\nWritten by `make ledger`. What each claim rests on and its limits "
        "stand in `notebooks/claims.csv`; `cf_utils/claims.py` says how a verdict follows. "
        "A claim is *undecided* where our interval neither affirms nor denies it.\n\n"
        f"**{counts(claims)}**"
    )
    kinds = [
        f"- {kind}: {counts([c for c in claims if c['kind'] == kind])}"
        for kind in ("source", "prediction", "exploratory")
    ]
    sections = [section(result, rows) for result in results.values() if result["claims"]]
    return "\n\n".join([intro, "\n".join(kinds), changed(claims), *sections]) + "\n"


def changed(claims, file=FIRST):
    """Which verdicts differ from the first rule's, as Markdown: how many each way, and the ids."""
    with open(file, newline="", encoding="utf-8") as lines:
        first = {row["id"]: row["verdict"] for row in csv.DictReader(lines)}
    ways = {}
    for claim in claims:
        if claim["id"] in first and first[claim["id"]] != claim["verdict"]:
            ways.setdefault((first[claim["id"]], claim["verdict"]), []).append(claim["id"])
    total = sum(len(ids) for ids in ways.values())
    lines = [
        f"{old} → {new}: {len(ids)} ({', '.join(ids)})" for (old, new), ids in sorted(ways.items())
    ]
    head = (
        "A first rule had no *undecided*: what it could not affirm it called "
        f"not reproduced. {total} of the {len(first)} claims that it judged read "
        "differently now, by the rule or because their notebooks ran again."
    )
    return f"<details><summary>{head}</summary>\n\n- " + "\n- ".join(lines) + "\n\n</details>"


def claims_by_id(file=CLAIMS):
    """The rows of claims.csv by their ids."""
    return {row["id"]: row for row in claims_of("", file)}


def render(text, results):
    """README's text with index, counts of verdicts and quoted numbers brought up to date."""
    text = _between(text, "index", index_list())
    claims = [claim for result in results.values() for claim in result["claims"]]
    rest = "All of them, with the rule that decides each: [LEDGER.md](LEDGER.md)."
    return fill(_between(text, "ledger", f"{counts(claims)} {rest}"), results)


def rejudge(content, file=CLAIMS, runs=None):
    """A results.json with what claims.csv says of each claim now, and the verdict that follows.

    runs: name -> one value a seed, of the notebook's runs.csv. Without it claims are judged from
    the mean, interval and number that are there; then ValueError for a claim that has come to rest
    on something else.
    """
    rows = claims_of(content["notebook"], file)
    before = {c["id"]: c for c in content["claims"]}
    claims = []
    for row in rows:
        if runs is not None:
            claims.append(decided(row, runs))
            continue
        old = before.get(row["id"])
        if old is None or old["rests_on"] != row["ours"]:
            raise ValueError(
                f"claims.csv: {row['id']} rests on other numbers "
                "than its notebook's results.json has; run it again"
            )
        claims.append(told(row, old["ours"], old["ci95"], old["n"]))
    return content | {"claims": claims}


def refresh(path, claims):
    """Put the table of claims as it is now into an executed notebook,
    in place of the one that it printed.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and "claims_table(" in cell.source:
            for output in cell.outputs:
                if "text/markdown" in output.get("data", {}):
                    output.data["text/markdown"] = claims_table(claims)
    nbformat.write(notebook, path)


def main():
    for path in sorted((ROOT / "figures").glob("*/results.json")):
        content = rejudge(json.loads(path.read_text(encoding="utf-8")), runs=runs_of(path.parent))
        write_json(path, content)
        refresh(ROOT / "notebooks" / f"{path.parent.name}.ipynb", content["claims"])
    results = committed()
    files = {ROOT / "README.md": render, ROOT / "LEDGER.md": lambda text, results: ledger(results)}
    published = [
        path
        for path in sorted(ROOT.glob("notebooks/percent/*.py"))
        if path.stem.split("_")[0] in results
    ]
    files |= dict.fromkeys(published, fill)
    for file, update in files.items():
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        after = update(before, results)
        if after != before:
            with atomic(file) as path:
                path.write_text(after, encoding="utf-8")
    print(
        f"README.md, LEDGER.md: {len(results)} results.json, "
        f"{sum(len(r['claims']) for r in results.values())} claims"
    )


if __name__ == "__main__":
    main()
