. .gpu/setup.sh; say start
python3 .gpu/unpack.py cifar10 data; say unpacked
python3 -c "from cf_utils import data; print(data.load('cifar10').name)"; say decoded
(timeout 200 python3 -m pytest -q -m gpu -p no:cacheprovider > $OUT/gpu_tests.txt 2>&1) &
python3 -m cf_utils.run 05c --settings full --train-only --jobs 15; say trained; tail -2 out/full/05c*.log
python3 -m cf_utils.run 05c --settings full --resume --jobs 1; say executed
pack 05c_fisher_of_a_cnn; tail -3 $OUT/gpu_tests.txt
grep "task 3 of 3" out/full/05c*.log | head -40
