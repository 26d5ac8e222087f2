"""All tools of sheet chat."""

from __future__ import annotations

from shared.apps.sheets.tools import (
    aggregate,
    change_structure,
    clear_range,
    describe_workbook,
    filter_rows,
    manage_sheet,
    read_range,
    search,
    set_number_format,
    sort_range,
    sql_query,
    undo_last_change,
    write_formula,
    write_range,
)
from shared.apps.sheets.tools.outcomes import SheetEffect
from shared.apps.sheets.workbook import Workbook
from shared.tools.tool import Toolbox

TOOLBOX: Toolbox[Workbook, SheetEffect] = Toolbox(
    (
        describe_workbook.TOOL,
        read_range.TOOL,
        search.TOOL,
        aggregate.TOOL,
        sql_query.TOOL,
        write_range.TOOL,
        write_formula.TOOL,
        clear_range.TOOL,
        sort_range.TOOL,
        filter_rows.TOOL,
        change_structure.TOOL,
        manage_sheet.TOOL,
        set_number_format.TOOL,
        undo_last_change.TOOL,
    )
)
"""The tools in the order in which they are offered to the model."""
