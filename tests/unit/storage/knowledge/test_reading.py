"""Each kind of file becomes passages that know where they stand; each bad one says why it does not."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from storage.errors import DocumentRefused
from storage.knowledge import docx_text, reading
from storage.knowledge.kinds import kind_of, stamp_of
from storage.knowledge.reading import read_document
from storage.knowledge.records import Passage, ReadDocument
from tests.helpers.documents import docx, paragraph, pdf


def read(folder: Path, name: str, content: bytes | str) -> ReadDocument:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    document = read_document(path)
    assert document is not None
    assert document.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    return document


def refusal(folder: Path, name: str, content: bytes | str) -> str:
    with pytest.raises(DocumentRefused) as caught:
        read(folder, name, content)
    return caught.value.why


def test_markdown_keeps_headings_and_lines(tmp_path: Path) -> None:
    document = read(
        tmp_path,
        "notes.md",
        "# Models\n\nAll of them.\n\nRouting\n-------\n\nA router\nchooses.\n\n"
        "```sh\n# no heading\n\nls\n```\n\n"
        "### Deep\n\nhere\n\n# Other\n\nend\n",
    )
    assert document.kind == "markdown"
    assert document.title == "notes.md"
    assert document.passages == (
        Passage("All of them.", ("Models",), line=3, line_end=3),
        Passage("A router\nchooses.\n\n```sh\n# no heading\n\nls\n```", ("Models", "Routing"), None, 8, 15),
        Passage("here", ("Models", "Routing", "Deep"), line=19, line_end=19),
        Passage("end", ("Other",), line=23, line_end=23),
    )


def test_code_is_cut_at_definitions(tmp_path: Path) -> None:
    document = read(
        tmp_path,
        "a.py",
        '"""Doc."""\n\nimport os\n\n\n@cached\ndef one(x):\n    y = x\n\n'
        "    return y\n\n\nclass Two:\n    pass\n",
    )
    assert [(p.headings, p.line, p.line_end) for p in document.passages] == [
        ((), 1, 3),
        (("def one(x)",), 6, 10),
        (("class Two",), 13, 14),
    ]
    c = read(tmp_path, "b.c", "#include <x.h>\n\nint main(void) {\n    return 0;\n}\n")
    assert [p.headings for p in c.passages] == [(), ("int main(void)",)]


def test_html_shows_what_a_reader_sees(tmp_path: Path) -> None:
    page = """<!doctype html><html><head><title>A &amp; B</title><style>p {}</style></head><body>
<h1>Top</h1><script>alert("no")</script>
<p>One &lt;two&gt;
  three<p>Four<h2>Under</h2>
<ul><li>a<li>b</ul><table><tr><th>x</th><th>y</th></tr><tr><td>1</td><td>2</td></tr></table>
<pre>  kept
    so</pre><h1>Next</h1></div></div>tail"""
    document = read(tmp_path, "a.html", page)
    assert document.title == "A & B"
    assert [(p.text, p.headings) for p in document.passages] == [
        ("One <two> three\n\nFour", ("Top",)),
        ("- a\n- b\n\nx | y\n1 | 2\n\n  kept\n    so", ("Top", "Under")),
        ("tail", ("Next",)),
    ]
    assert document.passages[0].line == 3


def test_html_says_its_encoding(tmp_path: Path) -> None:
    page = '<meta charset="gb2312"><p>混合专家</p>'.encode("gb18030")
    assert read(tmp_path, "a.htm", page).passages[0].text == "混合专家"
    for name in ("nonsense", "idna", "hex"):
        page = f'<meta charset="{name}"><p>é</p>'.encode()
        assert read(tmp_path, "b.htm", page).passages[0].text == "é"


def test_docx_keeps_headings_and_tables(tmp_path: Path) -> None:
    cell = "<w:tc>{}</w:tc>"
    row = "<w:tr>" + cell.format(paragraph("k")) + cell.format(paragraph("v")) + "</w:tr>"
    body = (
        paragraph("Start", "berschrift1")
        + paragraph("Hello &amp; welcome")
        + "<w:p><w:r><w:delText>gone</w:delText></w:r><w:r><w:t>kept</w:t><w:tab/><w:t>on</w:t></w:r></w:p>"
        + paragraph("Details", "berschrift2")
        + f"<w:tbl>{row}{row}</w:tbl>"
    )
    document = read(tmp_path, "a.docx", docx(body, title="The paper"))
    assert document.title == "The paper"
    assert [(p.text, p.headings) for p in document.passages] == [
        ("Hello & welcome\n\nkept on", ("Start",)),
        ("k | v\nk | v", ("Start", "Details")),
    ]


def test_pdf_keeps_pages_and_outline(tmp_path: Path) -> None:
    content = pdf(
        ["Cover", "First words\nof two lines", "", "The end"], title="Paper", outline=[("One", 2), ("Two", 4)]
    )
    document = read(tmp_path, "a.pdf", content)
    assert document.title == "Paper"
    assert [(p.text, p.headings, p.page) for p in document.passages] == [
        ("Cover", (), 1),
        ("First words\nof two lines", ("One",), 2),
        ("The end", ("Two",), 4),
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain".encode("utf-8-sig"), "plain"),
        ("宽字符".encode("utf-16"), "宽字符"),
        ("混合专家模型，很好。".encode("gb18030"), "混合专家模型，很好。"),
        ("Größe, déjà vu".encode("cp1252"), "Größe, déjà vu"),
        ("plain".encode("utf-32"), "plain"),
        ("no mark, 宽".encode("utf-16-le"), "no mark, 宽"),
        ("no mark, 宽".encode("utf-16-be"), "no mark, 宽"),
        ("専門家を混ぜたモデル".encode("cp932"), "専門家を混ぜたモデル"),
        ("専門家を混ぜたモデル".encode("euc_jp"), "専門家を混ぜたモデル"),
        ("전문가 혼합 모델은 좋습니다.".encode("cp949"), "전문가 혼합 모델은 좋습니다."),
        ("專家混合模型把每個詞元送到幾個專家。".encode("cp950"), "專家混合模型把每個詞元送到幾個專家。"),
        ("Смесь экспертов".encode("cp1251"), "Смесь экспертов"),
        ("Смесь экспертов".encode("koi8-r"), "Смесь экспертов"),
        ("混合专家 café".encode() + b"\xff", "混合专家 café\ufffd"),
        ("混合专家".encode()[:-1], "混合专\ufffd"),
        (b"one\r\ntwo\rthree", "one\ntwo\nthree"),
    ],
)
def test_text_of_any_encoding(tmp_path: Path, content: bytes, text: str) -> None:
    assert read(tmp_path, "a.txt", content).passages[0].text == text


def test_same_content_is_not_read_again(tmp_path: Path) -> None:
    document = read(tmp_path, "a.txt", "words")
    assert read_document(tmp_path / "a.txt", document.sha256) is None


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("empty.txt", b"", "no_text"),
        ("blank.md", b" \n\n\t\n", "no_text"),
        ("noise.txt", bytes(range(256)) * 8, "binary"),
        ("noise.docx", b"\x00\x01" * 100, "broken"),
        ("old.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "encrypted"),
        ("half.docx", docx(paragraph("x" * 5000))[:-40], "broken"),
        ("other.docx", b"", "broken"),
        ("scan.pdf", pdf(["", ""]), "no_text"),
        ("noise.pdf", b"%PDF-1.7\n" + b"\x93" * 500, "broken"),
        ("none.pdf", b"just words", "broken"),
        (
            "entities.docx",
            docx(paragraph("&a;"), prolog='<!DOCTYPE x [<!ENTITY a "aaaa">]>'),
            "broken",
        ),
    ],
)
def test_bad_files_say_why(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    assert refusal(tmp_path, name, content) == why


def test_pdf_with_a_password(tmp_path: Path) -> None:
    def encrypted(password: str) -> bytes:
        writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(["Secret words"]))))
        writer.encrypt(password, "owner", algorithm="RC4-128")
        buffer = io.BytesIO()
        writer.write(buffer)
        return buffer.getvalue()

    assert refusal(tmp_path, "a.pdf", encrypted("open")) == "encrypted"
    assert read(tmp_path, "b.pdf", encrypted("")).passages[0].text == "Secret words"


def test_torn_pdfs_never_raise_anything_else(tmp_path: Path) -> None:
    whole = pdf(["One page", "Another page"], title="T", outline=[("A", 1)])
    for cut in range(0, len(whole), 37):
        torn = whole[:cut] + b"\xff" * 5 + whole[cut + 5 :]
        for content in (whole[:cut], torn):
            path = tmp_path / "torn.pdf"
            path.write_bytes(content)
            try:
                read_document(path)
            except DocumentRefused as error:
                assert error.why in ("broken", "no_text", "encrypted")  # noqa: PT017 : most do not raise


def test_zip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docx_text, "MAX_PART_BYTES", 1_000_000)
    bomb = docx(paragraph("x" * 3_000_000))
    assert len(bomb) < 10_000
    assert refusal(tmp_path, "bomb.docx", bomb) == "too_large"


def test_zip_that_lies_about_its_size(tmp_path: Path) -> None:
    content = docx(paragraph("words " * 5000))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = archive.getinfo("word/document.xml").file_size
    lying = content.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert lying != content
    assert refusal(tmp_path, "a.docx", lying) == "broken"


def test_huge_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_TEXT_BYTES", 1000)
    assert refusal(tmp_path, "a.txt", b"x" * 1001) == "too_large"
    sparse = tmp_path / "b.pdf"
    with sparse.open("wb") as file:
        file.truncate(reading.MAX_BINARY_BYTES + 1)
    with pytest.raises(DocumentRefused) as caught:
        read_document(sparse)
    assert caught.value.why == "too_large"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_folders_and_ghosts(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.txt").mkdir()
    for name, why in (("pipe.txt", "not_a_file"), ("folder.txt", "not_a_file"), ("ghost.txt", "gone")):
        with pytest.raises(DocumentRefused) as caught:
            stamp_of(tmp_path / name)
        assert caught.value.why == why
    with pytest.raises(DocumentRefused) as caught:
        read_document(tmp_path / "pipe.txt")
    assert caught.value.why == "not_a_file"


def test_kinds_go_by_name() -> None:
    assert kind_of(Path("A.PDF")) == "pdf"
    assert kind_of(Path("Makefile")) == "code"
    assert kind_of(Path("README")) == "text"
    assert kind_of(Path("photo.jpg")) is None


def test_nul_and_surrogates_are_gone(tmp_path: Path) -> None:
    document = read(tmp_path, "a.html", "<p>a&#0;b &#xD800; c</p>")
    assert "\0" not in document.passages[0].text
    document.passages[0].text.encode()
