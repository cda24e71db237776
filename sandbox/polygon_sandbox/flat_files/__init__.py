"""The vendor's flat files: one packed CSV a day and dataset, served as S3 serves objects."""

from polygon_sandbox.flat_files.files import FlatFiles
from polygon_sandbox.flat_files.layout import FilesSize, FlatFile

__all__ = ["FilesSize", "FlatFile", "FlatFiles"]
