"""How fast statements are set, beside what else Python sets PDFs with.

    pip install --target /tmp/peers fpdf2 reportlab weasyprint
    PYTHONPATH=/tmp/peers python benchmarks/statements.py [--count 200] [--lines 8]

The same texts go through: our typst template with the compiler kept, the same with a new compiler each
time, and a plain page of the same tables in each peer that is installed. `tagged` says whether a screen
reader finds the document's structure in the file; only then can it read a table as a table.
"""

import argparse
import importlib
import json
import os
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eyecare.settings")
os.environ.setdefault("DEMO", "1")

os.environ["LOG_LEVEL"] = "WARNING"

import django

django.setup()

import typst

from billing import pdf

Content = dict[str, Any]
Setter = Callable[[Content], bytes]


def main() -> None:
    options = _options()
    contents = [_content(number, options.lines) for number in range(options.count)]
    print(f"{options.count} statements of {options.lines} lines, one process")
    print(f"{'':30}{'ms each':>9}{'per second':>12}{'KB each':>9}  tagged")
    for name, setter in _setters():
        setter(contents[0])  # fonts are found once
        started = time.perf_counter()
        documents = [setter(content) for content in contents]
        seconds = time.perf_counter() - started
        size = sum(map(len, documents)) / len(documents) / 1024
        tagged = "yes" if b"/StructTreeRoot" in _opened(documents[0]) else "no"
        each = seconds / len(documents)
        print(f"{name:30}{each * 1000:9.1f}{1 / each:12.0f}{size:9.0f}  {tagged}")


def _setters() -> Iterator[tuple[str, Setter]]:
    yield "typst, compiler kept (ours)", lambda content: pdf.page(content, 0)
    yield "typst, a compiler for each", _typst_anew
    for module, setter in (("reportlab", _reportlab), ("fpdf", _fpdf2), ("weasyprint", _weasyprint)):
        with suppress(ImportError):
            library = importlib.import_module(module)
            yield f"{module} {getattr(library, '__version__', getattr(library, 'Version', ''))}", setter


def _typst_anew(content: Content) -> bytes:
    texts = {"statement": json.dumps(content)}
    return typst.compile(str(pdf.TEMPLATE), format="pdf", sys_inputs=texts, pdf_standards="ua-1")


def _reportlab(content: Content) -> bytes:
    import io

    from reportlab.lib.pagesizes import letter
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table

    out, styles = io.BytesIO(), getSampleStyleSheet()
    story: list[Any] = [
        Paragraph(content["practice"]["name"], styles["Heading2"]),
        Paragraph(content["payer"]["name"], styles["Normal"]),
        Paragraph("Your statement", styles["Title"]),
        Paragraph(f"Please pay {content['due']} by {content['due-on']}", styles["Heading2"]),
    ]
    for rows in _tables(content):
        story += [Table(rows, colWidths=[110, 270, 90][-len(rows[0]) :]), Spacer(1, 12)]
    SimpleDocTemplate(out, pagesize=letter).build(story)
    return out.getvalue()


def _fpdf2(content: Content) -> bytes:
    from fpdf import FPDF

    page = FPDF(format="letter", unit="pt")
    page.add_page()
    page.set_font("Helvetica", size=13)
    for text in (content["practice"]["name"], content["payer"]["name"], "Your statement", content["due"]):
        page.cell(text=text, new_x="LMARGIN", new_y="NEXT")
    for rows in _tables(content):
        with page.table() as table:
            for row in rows:
                table.row(row)
    return bytes(page.output())


def _weasyprint(content: Content) -> bytes:
    from weasyprint import HTML

    tables = "".join(f"<table>{''.join(map(_row, rows))}</table>" for rows in _tables(content))
    style = "<style>body{font:13pt sans-serif}table{width:100%;border-collapse:collapse}</style>"
    page = f"<html lang=en><title>Statement</title>{style}<h1>Your statement</h1><p>{content['due']}{tables}"
    return HTML(string=page).write_pdf(pdf_variant="pdf/ua-1")


def _row(cells: list[str]) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _tables(content: Content) -> list[list[list[str]]]:
    return [
        [[row["label"], row["amount"]] for row in content["summary"]],
        [
            [line["on"], f"{line['description']}, {line['patient']}", line["amount"]]
            for line in content["lines"]
        ],
        [[row["label"], row["amount"]] for row in content["aging"]],
    ]


def _opened(document: bytes) -> bytes:
    """Return the file with its compressed streams after it: newer PDFs keep their objects in there."""
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", document, re.DOTALL):
        with suppress(zlib.error):
            document += zlib.decompress(stream)
    return document


def _content(number: int, lines: int) -> Content:
    return {
        "title": f"Statement S{number:07}",
        "number": f"S{number:07}",
        "as-of": "March 2, 2026",
        "due": f"${number}.50",
        "due-on": "April 1, 2026",
        "practice": {
            "name": "Harbor Eye Care",
            "phone": "(212) 555-0100",
            "email": "frontdesk@harbor.example",
            "address": "12 Main Street, Springfield",
        },
        "payer": {"name": f"Patient {number}", "address": f"{number} Elm Street, Springfield"},
        "summary": [{"label": label, "amount": "$12.50"} for label in ("Before", "Charges", "Payments")],
        "lines": [
            {
                "on": "Feb 20, 2026",
                "patient": "Mia Silva",
                "description": f"Visit {line} of {number}",
                "amount": "$125.00",
            }
            for line in range(lines)
        ],
        "aging": [{"label": label, "amount": "$12.50"} for label in ("0-30", "31-60", "61-90", "over 90")],
        "ways": ["Online", "By phone", "At the desk"],
        "closing": "Questions? Call us.",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--lines", type=int, default=8)
    return parser.parse_args()


if __name__ == "__main__":
    main()
