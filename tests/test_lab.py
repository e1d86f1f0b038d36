"""Copies of the notebooks for a person to run: what is committed stays,
and nothing that a person did is lost.
"""

from tools import lab


def test_a_changed_copy_is_kept_beside_the_new_version(tmp_path):
    source, place = tmp_path / "01_a.ipynb", tmp_path / "lab"
    source.write_text("one")
    assert lab.lay_out([source], place) == []
    assert (place / "01_a.ipynb").read_text() == "one"

    (place / "01_a.ipynb").write_text("run by a person")
    assert lab.lay_out([source], place) == []
    assert (place / "01_a.ipynb").read_text() == "run by a person", (
        "the notebook is the same one: theirs stays"
    )

    source.write_text("two")
    assert lab.lay_out([source], place) == ["01_a, mine.ipynb"]
    assert (place / "01_a.ipynb").read_text() == "two"
    assert (place / "01_a, mine.ipynb").read_text() == "run by a person"

    (place / "01_a.ipynb").write_text("run again")
    source.write_text("three")
    assert lab.lay_out([source], place) == ["01_a, mine 2.ipynb"]
    assert source.read_text() == "three"


def test_an_unchanged_copy_gives_way(tmp_path):
    source, place = tmp_path / "01_a.ipynb", tmp_path / "lab"
    for text in ("one", "two"):
        source.write_text(text)
        assert lab.lay_out([source], place) == []
    assert [path.name for path in place.glob("*.ipynb")] == ["01_a.ipynb"]
    assert (place / "01_a.ipynb").read_text() == "two"
