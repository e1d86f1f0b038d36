"""What a person does in the playground, done by code in its kernel."""

import nbformat
from nbclient import NotebookClient

from cf_utils.files import ROOT

# Appended to the notebook as a last cell.
PLAYED = """
import time

for name in offered[1:]:
    controls["method"].value = name
    kind = methods.METHODS[name]
    assert controls["dial"].description == kind.dial and not controls["dial"].disabled
    assert controls["dial"].value == kind.example[kind.dial] and 0 in controls["dial"].options
assert len(offered) - 1 == sum(kind.dial is not None for kind in methods.METHODS.values())

controls["method"].value, controls["lr"].value = "finetune", 1000.0
assert go() is None and curves.layout.display == "none"
assert said.value.startswith("No run: the loss of seed 0 is no longer a finite number in task 1")
assert runs["now"] is film and runs["before"] is None, "the run before is still there"

drawn, controls["lr"].value, controls["epochs"].value = curves.value, 1e-3, 20
buttons["run"].click()
while runs["film"] is film or not runs["film"].records or buttons["stop"].disabled:
    time.sleep(0.01)
assert buttons["run"].disabled, "one run at a time"
buttons["stop"].click()
while buttons["run"].disabled:
    time.sleep(0.01)
assert said.value.startswith("No run: stopped in task 1 of"), said.value

controls["epochs"].value, controls["scenario"].value = 1, "domain"
assert go() is not None and runs["before"] is film and curves.value != drawn
assert runs["now"].records[-1]["belief"].shape == (10, 2), "two outputs"
drawn = inside.value
moment.value = 3
assert inside.value != drawn and inside.value[:4] == b"\\x89PNG"
buttons["show the code"].click()
assert "&#x27;domain&#x27;" in code.value
"""


def test_choices_bad_ones_and_the_stop_button(tmp_path):
    notebook = nbformat.read(ROOT / "notebooks" / "00b_playground.ipynb", as_version=4)
    (own,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    own.source += f"\nepochs, out = 1, {str(tmp_path)!r}"
    notebook.cells.append(nbformat.v4.new_code_cell(PLAYED))
    NotebookClient(notebook, timeout=600).execute()
