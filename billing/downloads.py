"""A statement's PDF as an answer to a browser."""

from django.http import HttpResponse

from billing.models import Statement


def as_response(statement: Statement) -> HttpResponse:
    """Return the frozen bytes, kept out of every shared or later look into a cache."""
    return HttpResponse(
        bytes(statement.pdf or b""),
        content_type="application/pdf",
        headers={
            "Content-Disposition": f'inline; filename="statement-{statement.number}.pdf"',
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )
