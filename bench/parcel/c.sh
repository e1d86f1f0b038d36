. .gpu/setup.sh; say start
python3 .gpu/unpack.py tiny data; say unpacked
python3 -c "from cf_utils import data; print(data.load('tiny-imagenet-100').name)"; say decoded
python3 -m cf_utils.run 06b --settings full --train-only --jobs 15; say trained
python3 -m cf_utils.run 06b --settings full --resume --jobs 1; say executed
pack 06b_synapses_on_images
python3 bench/bench.py --gpu --data mnist-5k --repeats 1 | tee $OUT/scaling.txt
