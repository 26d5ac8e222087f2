"""Workbooks are found, loaded and exported wherever their parts are, as spreadsheet programs find them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.engine import xlsx
from shared.apps.sheets.engine.inspection import inspect
from shared.apps.sheets.engine.package import Package
from shared.apps.sheets.engine.patch import CellPatch, SheetPatch, patch
from tests.apps.sheets.unit.engine import packages

ROWS = (
    '<row r="1"><c r="A1" s="1"><v>45000</v></c><c r="B1"><v>2</v></c></row>'
    '<row r="2"><c r="A2"><f>A1+B1</f><v>45002</v></c><c r="B2" t="s"><v>0</v></c></row>'
)
STRICT = {
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main": "http://purl.oclc.org/ooxml/spreadsheetml/main",
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships": (
        "http://purl.oclc.org/ooxml/officeDocument/relationships"
    ),
}
_TEXTS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

Parts = dict[str, str]


def usual() -> Parts:
    content = packages.parts({"Data": ROWS})
    rels = content["xl/_rels/workbook.xml.rels"]
    texts = packages.relations(sharedStrings="sharedStrings.xml").partition("<Relationship ")[2]
    content["xl/_rels/workbook.xml.rels"] = rels.replace("</Relationships>", f"<Relationship {texts}")
    content["xl/sharedStrings.xml"] = f'{packages.HEAD}<sst xmlns="{_TEXTS}"><si><t>a text</t></si></sst>'
    return content


def backslashes(content: Parts) -> Parts:
    return {name.replace("/", "\\").lower(): part for name, part in content.items()}


def other_names(content: Parts) -> Parts:
    moved = {"xl/workbook.xml": "book/main22.xml", "xl/_rels/workbook.xml.rels": "book/_rels/main22.xml.rels"}
    content["_rels/.rels"] = packages.relations(officeDocument="/book/main22.xml")
    content["[Content_Types].xml"] = content["[Content_Types].xml"].replace("/xl/workbook.xml", "/book/main22.xml")
    return {moved.get(name, name.replace("xl/", "book/")): part for name, part in content.items()}


def by_content_types(content: Parts) -> Parts:
    del content["_rels/.rels"]
    return content


def strict(content: Parts) -> Parts:
    for usual_name, strict_name in STRICT.items():
        content = {name: part.replace(usual_name, strict_name) for name, part in content.items()}
    return content


def without_styles(content: Parts) -> Parts:
    del content["xl/styles.xml"]
    return {**content, "xl/worksheets/sheet1.xml": content["xl/worksheets/sheet1.xml"].replace(' s="1"', "")}


def with_stray_texts(content: Parts) -> Parts:
    rels = content["xl/_rels/workbook.xml.rels"].replace("sharedStrings.xml", "texts.xml")
    bomb = '<!DOCTYPE sst [<!ENTITY a "a">]><sst><si><t>&a;</t></si></sst>'
    texts = content["xl/sharedStrings.xml"]
    return {**content, "xl/_rels/workbook.xml.rels": rels, "xl/texts.xml": texts, "xl/sharedStrings.xml": bomb}


def in_latin_1(content: Parts) -> dict[str, str | bytes]:
    texts = content["xl/sharedStrings.xml"].replace("UTF-8", "ISO-8859-1").replace("a text", "a t\xe9xt")
    return {**content, "xl/sharedStrings.xml": texts.encode("latin-1")}


WAYS: list[Callable[[Parts], Parts]] = [
    dict,
    backslashes,
    other_names,
    by_content_types,
    strict,
    without_styles,
    with_stray_texts,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_workbook_is_computed_wherever_its_parts_are(tmp_path: Path, way: Callable[[Parts], Parts]) -> None:
    path = packages.write(tmp_path / "book.xlsx", way(usual()))

    assert inspect(path).format == "xlsx"
    book, report = xlsx.load(path, values_only=False)

    assert (report["mode"], report["judged"], report["mismatches"]) == ("computed", 1, 0)
    assert book.model.get_cell_value(0, 2, 1) == 45002
    assert book.model.get_cell_value(0, 2, 2) == "a text"
    assert book.sheets[0].name == "Data"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_values_of_a_workbook_are_read_wherever_its_parts_are(
    tmp_path: Path, way: Callable[[Parts], Parts]
) -> None:
    path = packages.write(tmp_path / "book.xlsx", way(usual()))

    book, report = xlsx.load(path, values_only=True)

    assert (report["mode"], report["frozen"]) == ("values", 1)
    assert book.model.get_cell_value(0, 2, 1) == 45002
    assert book.model.get_cell_value(0, 2, 2) == "a text"


def test_texts_in_another_encoding_are_read(tmp_path: Path) -> None:
    path = packages.write(tmp_path / "book.xlsx", in_latin_1(usual()))

    assert inspect(path).format == "xlsx"
    for values_only in (False, True):
        book, _ = xlsx.load(path, values_only=values_only)
        assert book.model.get_cell_value(0, 2, 2) == "a t\xe9xt"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_only_the_changed_parts_differ_in_an_export(tmp_path: Path, way: Callable[[Parts], Parts]) -> None:
    path = packages.write(tmp_path / "book.xlsx", way(usual()))
    sheet = Package(path).sheets[0].part

    patch(
        path,
        tmp_path / "out.xlsx",
        {"Data": SheetPatch({1: {2: CellPatch(CellContent(5))}}, lambda _row, _column: CellContent())},
    )

    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "out.xlsx") as new:
        assert [item.filename for item in new.infolist()] == [item.filename for item in old.infolist()]
        changed = {name for name in old.namelist() if old.read(name) != new.read(name)}
        assert b'<c r="B1"><v>5</v></c>' in new.read(sheet)
    assert sheet in changed
    assert len(changed) == 2  # and the workbook, for which all is computed again
