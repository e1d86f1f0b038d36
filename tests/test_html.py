"""The notebooks as web pages: links lead from page to page, pictures are inside."""

import re

import nbformat

from cf_utils.files import ROOT
from tools import html


def test_links_lead_where_they_led(tmp_path):
    source, place = tmp_path / "notebooks", tmp_path / "out" / "html"
    kept = '<a href="https://x.org/a.ipynb">', '<a href="#part">', '<a href="data:text/css,a">'
    for link in kept:
        assert html.moved(link, source, place) == link
    moved = {
        "02_a.ipynb": "02_a.html",
        "02_a.ipynb#part": "02_a.html#part",
        "../README.md": "../../README.md",
        "../figures/02_a/x.png": "../../figures/02_a/x.png",
        "percent/02_a.py": "../../notebooks/percent/02_a.py",
    }
    for before, after in moved.items():
        assert html.moved(f'<a href="{before}">', source, place) == f'<a href="{after}">'


def test_two_notebooks_become_pages_that_lead_to_each_other(tmp_path):
    notebooks = sorted((ROOT / "notebooks").glob("0[67]b_*.ipynb"))
    pictures = []
    for path in notebooks:
        outputs = [o for cell in nbformat.read(path, 4).cells for o in cell.get("outputs", [])]
        pictures.append(sum("image/png" in o.get("data", {}) for o in outputs))
    pages = html.export(notebooks, tmp_path)
    assert [page.name for page in pages] == [f"{path.stem}.html" for path in notebooks]
    names = {f"{path.stem}.html" for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    for page, count in zip(pages, pictures, strict=True):
        text = page.read_text(encoding="utf-8")
        links = set(re.findall(r'<a href="([^"#:]+)"', text))
        assert len(links) >= 2 and links <= names
        assert set(re.findall(r'<img[^>]* src="(.{11})', text)) == {"data:image/"}
        assert text.count('src="data:image/png;base64,') == count > 0
