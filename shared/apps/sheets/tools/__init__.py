"""The tools with which a model reads and changes a workbook: pure functions of the workbook and the arguments."""
