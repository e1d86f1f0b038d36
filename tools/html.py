"""``python -m tools.html [FOLDER]``: the notebooks as web pages, in out/html or another folder.

Pictures are inside the pages, and links between notebooks lead from page to page.
"""

import os
import re
import sys
from pathlib import Path

from nbconvert import HTMLExporter

from cf_utils.files import ROOT, atomic

PLACE = ROOT / "out" / "html"


def export(notebooks, place):
    """Write a page NAME.html into ``place`` for each notebook; returns their paths."""
    place.mkdir(parents=True, exist_ok=True)
    exporter, pages = HTMLExporter(embed_images=True), []
    for notebook in notebooks:
        html, _ = exporter.from_filename(str(notebook))
        pages.append(place / f"{notebook.stem}.html")
        with atomic(pages[-1]) as path:
            path.write_text(moved(html, notebook.parent, place), encoding="utf-8")
    return pages


def moved(html, source, place):
    """``html`` with the links of a notebook in the folder ``source`` as a page in ``place`` needs
    them: to other notebooks in that folder as pages, to other files as the way there is from
    ``place``.
    """

    def replace(match):
        target, rest = match["target"], match["rest"]
        if re.fullmatch(r"[^/]+\.ipynb", target):
            return f'href="{target.removesuffix(".ipynb")}.html{rest}"'
        return f'href="{os.path.relpath(source / target, place)}{rest}"'

    # Addresses of the web (https:), of the page (#part) and of the machine (/) stay.
    return re.sub(r'href="(?![a-z]+:|[#/])(?P<target>[^"#?]+)(?P<rest>[^"]*)"', replace, html)


def main(place=PLACE):
    notebooks = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    pages = export(notebooks, Path(place).resolve())
    print(f"{len(pages)} pages; begin with {os.path.relpath(pages[0])}")


if __name__ == "__main__":
    main(*sys.argv[1:])
