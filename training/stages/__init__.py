"""The data stages, each a command of its own: ingest, clean, validate, flag, split.

Each reads what the one before it left, runs SQL files of `training/sql` on an engine, writes a folder of
Parquet and a report of every row that went in, and says on the terminal what became of them.
"""
