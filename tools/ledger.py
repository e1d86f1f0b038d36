"""``python -m tools.ledger``: bring README.md and the notebooks' prose up to date with what the notebooks left behind.

Writes the index of notebooks and the ledger of claims into README.md, judges every claim anew by claims.csv, and fills
in the numbers that prose quotes (``19.8%<!--=01 test accuracy/plain as .1%-->``) in README.md and notebooks/percent.
"""

import json
import re

import nbformat

from cf_utils.claims import CLAIMS, LIMITS, claims_of, claims_table, judge
from cf_utils.files import ROOT, atomic, write_json

NUMBER = r"[-+]?\d+(?:\.\d+)?%?"
QUOTE = re.compile(
    rf"(?P<shown>{NUMBER}(?: ± {NUMBER})?)<!--=(?P<notebook>\d\d[a-z]?) (?P<key>[^>]+?) as (?P<form>\S+)-->"
)


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
        write_json(path, rejudge(json.loads(path.read_text(encoding="utf-8"))))
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
