gcc -O3 -march=x86-64 -ffreestanding -fno-stack-protector -fPIC -shared -nostdlib -fno-tree-loop-distribute-patterns -Wall -Wno-misleading-indentation "$@" jcoder.c -o jcoder.so
