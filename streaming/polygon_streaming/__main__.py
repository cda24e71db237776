"""`python -m polygon_streaming` is `polygon-stream`."""

from polygon_streaming.cli import main

main()
