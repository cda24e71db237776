"""What those who carry the project on run: releases, the vendor's news, mutants."""
