. .gpu/setup.sh; say start
[ -d data/cifar10 ] || python3 .gpu/unpack.py cifar10 data
[ -d data/.cache ] || python3 -c "from cf_utils import data; print(data.load('cifar10').name)"; say data
python3 -m cf_utils.run 09 --settings full --train-only --jobs 15; say trained
python3 -m cf_utils.run 09 --settings full --resume --jobs 1; say executed
pack 09_preserving_losses
grep "task 3 of 3" out/full/09*.log | head -40
