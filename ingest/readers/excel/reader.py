"""Excel workbooks: the guarded reader whose subprocess (`excel.process`) decodes them."""

from ingest.readers.guarded.reader import GuardedReader, run_main

BROKEN = "the Excel workbook is damaged or not supported; save the sheet as CSV"
WORKBOOK_READER = GuardedReader(run_main("ingest.readers.excel.process"), BROKEN)
