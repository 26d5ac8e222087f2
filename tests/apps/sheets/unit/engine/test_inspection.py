"""An uploaded file is refused with what is wrong and what to do, or told what it is by its contents."""

from __future__ import annotations

import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.apps.sheets.engine import inspection, limits
from shared.apps.sheets.engine.inspection import Inspection, inspect
from shared.apps.sheets.workbook import UnsupportedFile
from tests.apps.sheets.unit.engine import packages

CELLS = '<row r="1"><c r="A1"><v>1</v></c></row>'

SHEET_RELATIONS = "xl/worksheets/_rels/sheet1.xml.rels"

Maker = Callable[[Path], Path]


def with_parts(more: dict[str, str | bytes]) -> Maker:
    return lambda path: packages.workbook(path, CELLS, more=more)


def of_bytes(content: bytes) -> Maker:
    def make(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return make


def cut(path: Path) -> Path:
    content = packages.workbook(path, CELLS).read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    return path


def broken_inside(path: Path) -> Path:
    content = bytearray(packages.workbook(path, CELLS * 50).read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("xl/worksheets/sheet1.xml").header_offset + 60
    content[start : start + 20] = b"\xff" * 20
    path.write_bytes(content)
    return path


def with_password(path: Path) -> Path:
    content = bytearray(packages.workbook(path, CELLS).read_bytes())
    place = content.rfind(b"PK\x01\x02")
    flags = struct.unpack_from("<H", content, place + 8)[0]
    struct.pack_into("<H", content, place + 8, flags | 1)
    path.write_bytes(content)
    return path


def repeated_part(path: Path) -> Path:
    packages.workbook(path, CELLS)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/styles.xml", packages.STYLES)
    return path


MACRO_TYPES = packages.parts({"Data": CELLS})["[Content_Types].xml"].replace(
    "spreadsheetml.sheet.main+xml", "spreadsheetml.sheet.macroEnabled.main+xml"
)
BOMB = (
    f'{packages.HEAD}<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;">]>'
    + packages.sheet_xml("<row><c><v>&lol2;</v></c></row>").partition("?>")[2]
)
UTF_16_BOMB = BOMB.replace("UTF-8", "UTF-16").encode("utf-16")

REFUSED: dict[str, tuple[Maker, str]] = {
    "empty": (of_bytes(b""), "is empty"),
    "spaces": (of_bytes(b" \n \n"), "no content"),
    "a PDF named xlsx": (of_bytes(b"%PDF-1.7\n..."), "is a PDF"),
    "a picture": (of_bytes(b"\x89PNG\r\n\x1a\n"), "an image"),
    "old xls or encrypted": (of_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)), "without a password"),
    "a web page": (of_bytes(b"\xef\xbb\xbf <!DOCTYPE html><table>"), "web page"),
    "xml of a spreadsheet": (of_bytes(b'<?xml version="1.0"?><Workbook/>'), "XML"),
    "a cut file": (cut, "damaged"),
    "a broken part": (broken_inside, "damaged"),
    "a part with a password": (with_password, "password"),
    "a part twice": (repeated_part, "overlap"),
    "only the end of a zip": (of_bytes(b"PK\x05\x06" + bytes(18)), "without a workbook"),
    "a zip of something": (lambda path: packages.write(path, {"a.txt": "x"}), "without a workbook"),
    "a Word document": (lambda path: packages.write(path, {"word/document.xml": "<x/>"}), "Word"),
    "an OpenDocument": (
        lambda path: packages.write(path, {"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}),
        "OpenDocument",
    ),
    "a binary workbook": (with_parts({"xl/workbook.bin": b"\x83\x01"}), ".xlsb"),
    "macros": (with_parts({"xl/vbaProject.bin": b"x"}), "macros"),
    "old macros": (with_parts({"xl/macrosheets/sheet1.xml": "<x/>"}), "macros"),
    "xlsm by its type": (with_parts({"[Content_Types].xml": MACRO_TYPES}), "macros"),
    "data connections": (with_parts({"xl/connections.xml": "<connections/>"}), "data connections"),
    "entities in a sheet": (with_parts({"xl/worksheets/sheet1.xml": BOMB}), "document type"),
    "entities in UTF-16": (with_parts({"xl/worksheets/sheet1.xml": UTF_16_BOMB}), "document type"),
    "entities in a comment's part": (
        with_parts({"xl/comments1.xml": BOMB, SHEET_RELATIONS: packages.relations(comments="../comments1.xml")}),
        "document type",
    ),
    "entities in relationships": (
        with_parts({SHEET_RELATIONS: BOMB}),
        "document type",
    ),
    "a document type behind spaces": (
        with_parts({"xl/styles.xml": " " * 70_000 + BOMB.partition("?>")[2]}),
        "document type",
    ),
    "a bomb by ratio": (with_parts({"xl/media/image1.png": bytes(3_000_000)}), "200 times"),
    "10,001 parts": (with_parts({f"xl/media/{number}": b"" for number in range(10_001)}), "parts"),
    "101 sheets": (
        lambda path: packages.write(path, packages.parts({f"S{number}": CELLS for number in range(101)})),
        "101 sheets",
    ),
    "zero bytes": (of_bytes(b"a,b\n1,\0\n"), "zero bytes"),
    "noise": (of_bytes(bytes(random.Random(1).choices(range(1, 256), k=4000))), "neither a workbook nor text"),
    "no line end": (of_bytes(b"a" * 1_000_001), "no CSV"),
    "20,000 columns": (of_bytes(b",".join([b"1"] * 20_000)), "16,384 columns"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    make, words = REFUSED[name]

    with pytest.raises(UnsupportedFile, match=words) as refused:
        inspect(make(tmp_path / "book.xlsx"))

    assert any(word in str(refused.value) for word in ("Save", "save", "Upload", "upload", "Split"))


def test_a_type_with_macros_that_no_part_has_is_no_macro(tmp_path: Path) -> None:
    types = packages.parts({"Data": CELLS})["[Content_Types].xml"].replace(
        "</Types>",
        '<Default Extension="bin" ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/></Types>',
    )

    assert inspect(with_parts({"[Content_Types].xml": types})(tmp_path / "book.xlsx")) == Inspection("xlsx")


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_UNPACKED", 5_000)

    with pytest.raises(UnsupportedFile, match="unpacks to"):
        inspect(packages.workbook(tmp_path / "book.xlsx", CELLS * 100))


def test_a_file_with_too_many_cells_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_CELLS", 99)

    with pytest.raises(UnsupportedFile, match="more than 99 cells"):
        inspect(packages.workbook(tmp_path / "book.xlsx", CELLS * 100))


def test_a_file_with_too_many_different_texts_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_TEXTS", 9)
    rels = packages.parts({"Data": CELLS})["xl/_rels/workbook.xml.rels"]
    texts = packages.relations(sharedStrings="sharedStrings.xml").partition("<Relationship ")[2]
    more: dict[str, str | bytes] = {
        "xl/_rels/workbook.xml.rels": rels.replace("</Relationships>", f"<Relationship {texts}"),
        "xl/sharedStrings.xml": f"<sst>{'<si><t>a</t></si>' * 10}</sst>",
    }

    with pytest.raises(UnsupportedFile, match="more than 9 different texts"):
        inspect(with_parts(more)(tmp_path / "book.xlsx"))


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "book.xlsx"
    with file.open("wb") as sparse:
        sparse.truncate(51_000_000)

    with pytest.raises(UnsupportedFile, match="51 MB; 50 MB are possible"):
        inspect(file)


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,2\n",
        b"\xef\xbb\xbfa;b\n1;2\n",
        "Stra\N{LATIN SMALL LETTER SHARP S}e\tb\n1\t2\n".encode("cp1252"),
        "a,b\n1,2\n".encode("utf-16"),
        "a,b\n1,2\n".encode("utf-16-be"),
        b"PKW,price\n1,2\n",
        b"one word",
        b"a,b\n1\n1,2,3,4\n",
    ],
)
def test_text_is_csv(tmp_path: Path, content: bytes) -> None:
    assert inspect(of_bytes(content)(tmp_path / "book.xlsx")) == Inspection("csv")


def test_the_inventory_counts_what_a_workbook_has_besides_cells(tmp_path: Path) -> None:
    sheet = packages.sheet_xml(
        CELLS,
        after="<conditionalFormatting/><dataValidations>" + "<dataValidation />" * 2 + "</dataValidations>",
    )
    more: dict[str, str | bytes] = {
        "xl/worksheets/sheet1.xml": sheet,
        "xl/charts/chart1.xml": "<x/>",
        "xl/charts/chart2.xml": "<x/>",
        "xl/charts/style1.xml": "<x/>",
        "xl/tables/table1.xml": "<x/>",
        "xl/media/image1.png": b"\x89PNG",
        "xl/comments1.xml": "<x/>",
        "xl/pivotTables/pivotTable1.xml": "<x/>",
        SHEET_RELATIONS: packages.relations(
            drawing="../drawings/drawing1.xml",
            table="../tables/table1.xml",
            comments="../comments1.xml",
            pivotTable="../pivotTables/pivotTable1.xml",
        ),
        "xl/drawings/drawing1.xml": "<x/>",
        "xl/drawings/_rels/drawing1.xml.rels": packages.relations(
            chart1="../charts/chart1.xml", chart2="/xl/charts/chart2.xml", image="../media/image1.png"
        ),
        "xl/charts/_rels/chart1.xml.rels": packages.relations(chartStyle="style1.xml"),
    }

    found = inspect(with_parts(more)(tmp_path / "book.xlsx"))

    assert found == Inspection(
        "xlsx",
        {
            "charts": 2,
            "tables": 1,
            "comments": 1,
            "images": 1,
            "pivots": 1,
            "validations": 2,
            "conditionalFormats": 1,
        },
    )


def test_marks_are_counted_wherever_pieces_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "_PIECE", 7)
    monkeypatch.setattr(inspection, "PROLOG", 100)
    sheet = packages.sheet_xml(CELLS, after="<dataValidation />" * 20)

    assert inspect(with_parts({"xl/worksheets/sheet1.xml": sheet})(tmp_path / "b.xlsx")).parts == {"validations": 20}


def test_marks_are_counted_with_a_prefix_too(tmp_path: Path) -> None:
    sheet = (
        f'{packages.HEAD}<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        '<x:sheetData/><x:sheetProtection sheet="1"/></x:worksheet>'
    )
    assert inspect(with_parts({"xl/worksheets/sheet1.xml": sheet})(tmp_path / "b.xlsx")).parts == {"protections": 1}


@pytest.mark.parametrize(
    ("element", "parts"),
    [
        ('<workbookProtection workbookPassword="CC1A" lockStructure="1"/>', {"structureProtections": 1}),
        ("<x:workbookProtection lockStructure='true' lockWindows='0'/>", {"structureProtections": 1}),
        ('<workbookProtection lockWindows="1"/>', {}),
        ('<workbookProtection lockStructure="0"/>', {}),
    ],
)
def test_a_workbook_says_whether_its_structure_is_protected(
    tmp_path: Path, element: str, parts: dict[str, int]
) -> None:
    content = packages.parts({"Data": CELLS}, workbook=element.replace("<x:", "<x:", 1))
    content["xl/workbook.xml"] = content["xl/workbook.xml"].replace("<workbook ", '<workbook xmlns:x="urn:x" ', 1)
    assert inspect(packages.write(tmp_path / "book.xlsx", content)).parts == parts


def test_parts_that_no_relationship_leads_to_are_not_looked_at(tmp_path: Path) -> None:
    of_a_mac = b"\x00\x05\x16\x07" + bytes(80)
    more: dict[str, str | bytes] = {
        "__MACOSX/xl/worksheets/._sheet1.xml": of_a_mac,
        "__MACOSX/._[Content_Types].xml": of_a_mac,
        "__MACOSX/_rels/._.rels": of_a_mac,
        "xl/charts/chart7.xml": BOMB,
    }

    assert inspect(with_parts(more)(tmp_path / "book.xlsx")) == Inspection("xlsx")
