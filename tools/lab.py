"""``python -m tools.lab [FOLDER]``: lay copies of the notebooks into out/lab, or another folder,
for a person to run.

``make lab`` opens them. A committed notebook stays as it is, whatever is run or saved. A copy that
was changed is kept: when the notebook itself has changed since, the person's goes on beside the new
one as ``01_topic, mine.ipynb``.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

from cf_utils.files import ROOT, write_json

PLACE = "out/lab"


def lay_out(notebooks, place):
    """Copy the notebooks at ``notebooks`` into ``place``,
    unless the copy there is of the same one already.

    Returns the names of copies that a person had changed and that now have another name.
    """
    place.mkdir(parents=True, exist_ok=True)
    record, moved = place / ".copied.json", []
    copied = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    for source in notebooks:
        copy, digest = place / source.name, _digest(source)
        if copy.exists() and copied.get(source.name) == digest:
            continue
        if copy.exists() and _digest(copy) != copied.get(source.name):
            mine = _free(copy)
            copy.rename(mine)
            moved.append(mine.name)
        shutil.copyfile(source, copy)
        copied[source.name] = digest
    write_json(record, copied)
    return moved


def _digest(file):
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def _free(file):
    """A free name beside ``file``: "NAME, mine.ipynb", "NAME, mine 2.ipynb" and so on."""
    names = (
        file.with_name(f"{file.stem}, mine{f' {i}' if i > 1 else ''}.ipynb") for i in range(1, 1000)
    )
    return next(name for name in names if not name.exists())


def main(place=PLACE):
    moved = lay_out(sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")), Path(place))
    for name in moved:
        print(
            f"a notebook that you changed has a newer version; yours is {place}/{name}",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
