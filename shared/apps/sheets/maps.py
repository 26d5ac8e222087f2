"""The map of a version: which blocks its sheets consist of, and what its export needs to know besides the cells."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence

from shared.apps.sheets.blocks import digest_of
from shared.apps.sheets.ops import ChangeStructure, HideRows, ManageSheet, Op, SetNumberFormat
from shared.apps.sheets.session import BlockRef
from shared.apps.sheets.workbook import SheetInfo
from shared.schema import Schema


class SheetMap(Schema):
    """One sheet of a map: its `blocks` are row, column and digest of each block that is not empty, in order."""

    info: SheetInfo
    blocks: tuple[tuple[int, int, str], ...]


class WorkbookMap(Schema):
    """All sheets of a version, and what changed since the file was loaded that is not in the cells.

    `engine` is the engine that computed the cells. `restructured` is set if rows, columns or sheets were inserted,
    deleted, renamed or copied: then the uploaded file cannot be patched any more. `layout` are the changes of number
    formats and of hidden rows so far.
    """

    sheets: tuple[SheetMap, ...]
    engine: str
    restructured: bool = False
    layout: tuple[HideRows | SetNumberFormat, ...] = ()

    @property
    def infos(self) -> tuple[SheetInfo, ...]:
        """Return the sheets without their blocks."""
        return tuple(sheet.info for sheet in self.sheets)

    @property
    def digests(self) -> frozenset[str]:
        """Return the digests of all blocks."""
        return frozenset(digest for sheet in self.sheets for _, _, digest in sheet.blocks)

    def sheet(self, name: str) -> SheetMap | None:
        """Return the sheet of this name, in any case; None if there is none."""
        return next((sheet for sheet in self.sheets if sheet.info.name.casefold() == name.casefold()), None)


def map_of(
    sheets: Sequence[SheetInfo],
    digests: Mapping[int, Mapping[tuple[int, int], str]],
    *,
    engine: str,
    base: WorkbookMap | None = None,
    ops: Sequence[Op] = (),
) -> WorkbookMap:
    """Return the map of a workbook after the changes `ops` to the version of the map `base`; None for the first one."""
    changed = any(isinstance(op, ChangeStructure | ManageSheet) for op in ops)
    return WorkbookMap(
        sheets=tuple(SheetMap(info=info, blocks=tuple(_in_order(digests.get(info.id, {})))) for info in sheets),
        engine=engine,
        restructured=changed or (base is not None and base.restructured),
        layout=_layout(base.layout if base is not None else (), ops),
    )


def encode_map(workbook: WorkbookMap) -> tuple[str, bytes]:
    """Return the digest and the stored bytes of a map, which are the same for the same map."""
    text = workbook.model_dump_json().encode()
    return digest_of(text), gzip.compress(text, compresslevel=1, mtime=0)


def decode_map(stored: bytes) -> WorkbookMap:
    """Return the map that `encode_map` has written."""
    return WorkbookMap.model_validate_json(gzip.decompress(stored))


def changed_blocks(before: WorkbookMap, after: WorkbookMap) -> tuple[BlockRef, ...]:
    """Return the blocks that differ, with their digests in `after`: None where `after` has no block, or no sheet."""
    old, new = _blocks(before), _blocks(after)
    changed = sorted(at for at in old.keys() | new.keys() if old.get(at) != new.get(at))
    return tuple(BlockRef(sheet=at[0], row=at[1], column=at[2], digest=new.get(at)) for at in changed)


def _blocks(workbook: WorkbookMap) -> dict[tuple[int, int, int], str]:
    return {(sheet.info.id, row, column): digest for sheet in workbook.sheets for row, column, digest in sheet.blocks}


def _in_order(digests: Mapping[tuple[int, int], str]) -> Iterator[tuple[int, int, str]]:
    for (row, column), digest in sorted(digests.items()):
        yield row, column, digest


def _layout(before: Sequence[HideRows | SetNumberFormat], ops: Sequence[Op]) -> tuple[HideRows | SetNumberFormat, ...]:
    """Return the changes of the layout, each once: a later one of the same range, or of a sheet's rows, replaces it."""
    found: dict[tuple[str, ...], HideRows | SetNumberFormat] = {}
    for op in (*before, *ops):
        if isinstance(op, HideRows | SetNumberFormat):
            key = (op.op, op.sheet.casefold()) + ((op.range,) if isinstance(op, SetNumberFormat) else ())
            found.pop(key, None)
            found[key] = op
    return tuple(found.values())
