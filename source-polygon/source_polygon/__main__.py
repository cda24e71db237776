"""`python -m source_polygon` is the command `source-polygon`."""

from source_polygon.run import main

main()
