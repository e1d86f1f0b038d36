# lean on | off: a small tree to travel
if [ "$1" = on ]; then mkdir -p /tmp/away && mv figures /tmp/away/ && cp -r notebooks /tmp/away/ && mkdir figures
.venv/bin/python - <<'P'
import nbformat, glob
for f in glob.glob("notebooks/*.ipynb"):
    n = nbformat.read(f, 4)
    for c in n.cells:
        if c.cell_type == "code": c.outputs = []
    nbformat.write(n, f)
P
else rmdir figures && mv /tmp/away/figures . && cp /tmp/away/notebooks/*.ipynb notebooks/ && rm -r /tmp/away; fi
