"""The engine of workbooks: IronCalc in a separate process, and the reading of uploaded files."""
