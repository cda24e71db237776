"""Flat files: one packed CSV a day, asset class and dataset, over S3."""
