"""Documents of every kind, made by hand: small PDF and DOCX files, and hostile ones."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_STYLES = f"""<w:styles {_W}>
<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
<w:style w:type="paragraph" w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style>
</w:styles>"""
_CORE = """<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></cp:coreProperties>"""


def paragraph(text: str, style: str = "") -> str:
    """One of WordprocessingML; `style` is an id."""
    look = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{look}<w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def docx(body: str, *, title: str = "", prolog: str = "") -> bytes:
    """A document with this body; `berschrift1` and `berschrift2` are headings, as in a German Word."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "word/document.xml", f"{prolog}<w:document {_W}><w:body>{body}</w:body></w:document>"
        )
        archive.writestr("word/styles.xml", _STYLES)
        archive.writestr("docProps/core.xml", _CORE.format(title=title))
    return buffer.getvalue()


def pdf(pages: Sequence[str], *, title: str = "", outline: Sequence[tuple[str, int]] = ()) -> bytes:
    """A page a text (ASCII, a line each); `outline` has headings with the page that they begin on, from 1."""
    n = len(pages)
    objects: dict[int, bytes] = {}
    outline_id, info_id, font_id = 3 + 2 * n, 4 + 2 * n, 5 + 2 * n
    first_entry = 6 + 2 * n
    objects[1] = b"<</Type/Catalog/Pages 2 0 R/Outlines %d 0 R>>" % outline_id
    kids = b" ".join(b"%d 0 R" % (3 + 2 * i) for i in range(n))
    objects[2] = b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, n)
    for i, text in enumerate(pages):
        lines = b"".join(b"(%s) Tj T*\n" % line.encode("ascii") for line in text.split("\n"))
        content = b"BT /F1 12 Tf 14 TL 72 720 Td\n%sET" % lines
        objects[3 + 2 * i] = (
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R"
            b"/Resources<</Font<</F1 %d 0 R>>>>>>" % (4 + 2 * i, font_id)
        )
        objects[4 + 2 * i] = b"<</Length %d>>stream\n%s\nendstream" % (len(content), content)
    last_entry = first_entry + len(outline) - 1
    objects[outline_id] = (
        b"<</Type/Outlines/First %d 0 R/Last %d 0 R/Count %d>>" % (first_entry, last_entry, len(outline))
        if outline
        else b"<</Type/Outlines/Count 0>>"
    )
    objects[info_id] = b"<</Title(%s)>>" % title.encode("ascii")
    objects[font_id] = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    for i, (heading, page) in enumerate(outline):
        entry = first_entry + i
        following = b"/Next %d 0 R" % (entry + 1) if entry < last_entry else b""
        objects[entry] = b"<</Title(%s)/Parent %d 0 R/Dest[%d 0 R/Fit]%s>>" % (
            heading.encode("ascii"),
            outline_id,
            3 + 2 * (page - 1),
            following,
        )
    return _pdf_file(objects, info_id)


def _pdf_file(objects: dict[int, bytes], info_id: int) -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    offsets = {}
    for number in sorted(objects):
        offsets[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offsets[number] for number in sorted(objects))
    out += b"trailer<</Size %d/Root 1 0 R/Info %d 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        info_id,
        start,
    )
    return bytes(out)
