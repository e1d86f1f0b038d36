export PYTHONUNBUFFERED=1 PYTHONPATH=/tmp/site:$PWD JUPYTER_PATH=/tmp/site/share/jupyter CUBLAS_WORKSPACE_CONFIG=:4096:8
[ -d /tmp/site ] || python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target /tmp/site .gpu/whl/*.whl || exit
(while sleep 8; do cp out/full/*.log $OUT/ 2>/dev/null; done) &
pack() { for n in "$@"; do (cd out/full && tar cJf $OUT/$n.tar.xz --exclude=runs $n $n.ipynb); done; }
say() { echo "== $(date +%T) $*"; }
