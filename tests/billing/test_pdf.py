"""The page that a payer gets: what was frozen, tagged, and nothing that its text could smuggle in."""

import re
import zlib
from hashlib import sha256

import pytest

from billing import pdf
from billing import services as billing
from billing.models import Statement

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("practice", "main_street", "monday")]


@pytest.fixture
def statement(ana):
    billing.charge(patient=ana, amount_cents=12_500, description="Eye exam", source="visit:1")
    billing.start_run(as_of=billing.clock.today(), minimum_cents=500)
    return Statement.objects.get()


def test_a_statement_is_a_tagged_pdf_of_the_figures_that_were_frozen(statement):
    billing.charge(patient=statement.payer, amount_cents=99_900, description="Later", source="visit:2")
    billing.work_on(statement.run_id)
    statement.refresh_from_db()
    document = bytes(statement.pdf)
    assert document.startswith(b"%PDF-1.")
    assert b"/StructTreeRoot" in document
    assert b"pdfuaid" in _whole(document)
    assert statement.pdf_sha256 == sha256(document).hexdigest()


def test_the_same_statement_is_the_same_file(statement):
    assert pdf.render(statement) == pdf.render(statement)


def test_what_is_drawn_is_text_and_never_a_command(statement):
    statement.lines = [
        {
            "entry": "",
            "on": "2026-03-02",
            "patient": "Ana #panic() *Silva*",
            "description": '#read("/etc/passwd") $x$ #include "pdf.py" \\u{0}',
            "cents": 12_500,
        }
    ]
    plain = len(pdf.render(statement))
    assert plain > 1_000


def test_a_page_that_cannot_be_set_is_a_failure_of_that_statement(statement, monkeypatch, tmp_path):
    broken = tmp_path / "statement.typ"
    broken.write_text("#panic()")
    monkeypatch.setattr(pdf, "TEMPLATE", broken)
    pdf._compiler.cache_clear()
    with pytest.raises(pdf.RenderingFailed):
        pdf.render(statement)
    pdf._compiler.cache_clear()


def _whole(document: bytes) -> bytes:
    """Return the file with its compressed streams opened."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", document, re.DOTALL)
    return document + b"".join(_opened(stream) for stream in streams)


def _opened(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return stream
