#!/bin/sh
# Frames of the microphone through a pipe: `edgevoice stream` writes one JSON object a line and flushes each, so that any
# program that reads lines has a frame at once. Here jq prints the moments at which somebody speaks, and how loud ("end" in
# quotes: it is a word of jq).
#
#     pip install '.[cpu,mic]'
#     sh live_pipe.sh [OPTIONS OF edgevoice stream]
edgevoice stream --mic --model cae-64 "$@" |
    jq --unbuffered --compact-output 'select(.silent | not) | {"end", loudness}'
